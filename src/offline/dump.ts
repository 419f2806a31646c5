import { basename } from 'node:path';
import type { ShardId } from '../kernel/index.js';
import { type Command, decodeCommand } from '../machine/index.js';
import { type Ballot, decodeRecord, formatBallot } from '../paxos/index.js';
import type { LogRecord } from '../replica/index.js';
import {
  DataDirectoryError,
  type FileSystem,
  nodeFileSystem,
  readStoppedDisk,
  type StoppedDisk,
} from '../storage/index.js';
import { requireStopped } from './check.js';
import { OfflineError } from './offline-error.js';
import type { DumpEntryJson, DumpJson } from './shapes.js';

/** What is asked for; undefined: all. */
export interface DumpSelection {
  readonly shard?: number | undefined;
  /** Slots from this one on, and what has no slot. */
  readonly fromSlot?: number | undefined;
}

/**
 * What a data directory holds, in the order in which it was written, one by one: of the log never more than a segment is in memory. Changes
 * nothing. A log that is damaged is read up to the damage, and a record or command that cannot be read is told as such. Throws
 * OfflineError when there is no directory, a replica runs on it, or it cannot be read at all.
 */
export async function* dumpDirectory(
  directory: string,
  selection: DumpSelection = {},
  fileSystem: FileSystem = nodeFileSystem,
): AsyncIterable<DumpJson> {
  await requireStopped(directory);
  const disk = read(directory, fileSystem);
  const { identity, condition } = disk;
  if (identity !== undefined) {
    const { clusterId, replicaId, shards, incarnation } = identity;
    yield { kind: 'identity', clusterId, replicaId, shards, incarnation };
  }
  for (const [shard, through] of disk.snapshots)
    if (isAsked(shard, selection))
      yield { kind: 'snapshot-file', shard, through, file: `snapshot-${shard}-${through}` };
  for (const segment of disk.segments) {
    const { path, firstSequence, end } = segment;
    yield { kind: 'segment', file: basename(path), firstRecord: firstSequence, bytes: end.offset };
    for (const record of segment.records())
      if (isAsked(record.shard, selection)) yield* ofRecord(record, selection.fromSlot ?? 0);
  }
  if (condition.kind === 'corrupt') {
    const { file, offset, detail } = condition;
    yield { kind: 'damage', file: basename(file), offset, detail };
  } else if (condition.kind === 'intact' && condition.droppedBytes > 0)
    yield { kind: 'torn-tail', bytes: condition.droppedBytes };
}

function read(directory: string, fileSystem: FileSystem): StoppedDisk {
  try {
    return readStoppedDisk(directory, fileSystem);
  } catch (error) {
    if (error instanceof DataDirectoryError) throw new OfflineError(error.message, 'damaged');
    throw error;
  }
}

const isAsked = (shard: number, { shard: asked }: DumpSelection): boolean =>
  asked === undefined || asked === shard;

/** One for each slot that it speaks of. */
function* ofRecord({ shard, type, payload }: LogRecord, fromSlot: number): Iterable<DumpJson> {
  let record: ReturnType<typeof decodeRecord>;
  try {
    record = decodeRecord(type, payload);
  } catch (error) {
    yield { kind: 'unreadable', shard, slot: null, why: (error as Error).message };
    return;
  }
  switch (record.kind) {
    case 'promised':
      yield { kind: 'promised', shard, ballot: formatBallot(record.ballot) };
      return;
    case 'chosen':
      if (record.through >= fromSlot) yield { kind: 'chosen', shard, through: record.through };
      return;
    case 'snapshot':
      if (record.through >= fromSlot) yield { kind: 'snapshot', shard, through: record.through };
      return;
    case 'configuration':
      yield { kind: 'configuration', shard, since: record.since, configuration: record.configuration };
      return;
    case 'accepted':
      for (const [index, entry] of record.entries.entries()) {
        const slot = record.firstSlot + index;
        if (slot >= fromSlot) yield accepted(shard, slot, record.ballot, entry);
      }
  }
}

type Accepted = Extract<ReturnType<typeof decodeRecord>, { kind: 'accepted' }>;

function accepted(
  shard: ShardId,
  slot: number,
  ballot: Ballot,
  entry: Accepted['entries'][number],
): DumpJson {
  const head = { kind: 'accepted', shard, slot, ballot: formatBallot(ballot) } as const;
  if (entry.kind === 'noop') return { ...head, entry: { kind: 'noop' } };
  if (entry.kind === 'seal') return { ...head, entry: { kind: 'seal', next: entry.next } };
  try {
    const { at, command } = decodeCommand(entry.payload);
    return { ...head, entry: { kind: 'command', at: new Date(at).toISOString(), command: plain(command) } };
  } catch (error) {
    return { kind: 'unreadable', shard, slot, why: (error as Error).message };
  }
}

/** As JSON takes it: large integers are digits; bytes are hexadecimal. */
const plain = (command: Command): Extract<DumpEntryJson, { kind: 'command' }>['command'] =>
  JSON.parse(
    JSON.stringify(command, (_, value: unknown) => {
      if (typeof value === 'bigint') return String(value);
      // A buffer has made itself JSON already.
      if (isBytes(value)) return Buffer.from(value.data).toString('hex');
      if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
      return value;
    }),
  ) as Extract<DumpEntryJson, { kind: 'command' }>['command'];

const isBytes = (value: unknown): value is { readonly data: readonly number[] } =>
  typeof value === 'object' &&
  value !== null &&
  (value as { type?: unknown }).type === 'Buffer' &&
  'data' in value;
