import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { type ShardId, shardId } from '../kernel/index.js';
import { BALLOT_ZERO, ballotsEqual, decodeRecord, formatBallot } from '../paxos/index.js';
import {
  disksOf,
  type LogRecord,
  readStoppedShard,
  recordsByShard,
  type StoppedShard,
} from '../replica/index.js';
import {
  DataDirectoryError,
  type FileSystem,
  holderOf,
  nodeFileSystem,
  readStoppedDisk,
  type StoppedDisk,
} from '../storage/index.js';
import { OfflineError } from './offline-error.js';
import { notesOn } from './notes.js';
import type { CheckJson, IdentityJson, LogJson, SegmentJson, ShardCheckJson } from './shapes.js';
import { startOn } from './start.js';

/** Throws OfflineError unless the directory is there and nobody uses it. */
export async function requireStopped(directory: string): Promise<void> {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new OfflineError(`there is no directory ${directory}`, 'wrong-use');
  const holder = await holderOf(directory);
  if (holder === undefined) return;
  throw new OfflineError(
    `${directory} is in use by ${holder}, and changes while it is read: stop that replica first`,
    'in-use',
  );
}

/**
 * Looks through a data directory as a start would, by the same code, and changes nothing. Throws OfflineError when there is no
 * directory, or a replica runs on it.
 */
export async function checkDirectory(
  directory: string,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<CheckJson> {
  await requireStopped(directory);
  const notes = notesOn(fileSystem, directory);
  let disk: StoppedDisk;
  try {
    disk = readStoppedDisk(directory, fileSystem);
  } catch (error) {
    if (!(error instanceof DataDirectoryError)) throw error;
    const start = { does: 'refuses', why: error.message, mends: [] } as const;
    return { directory, verdict: 'refused', start, identity: null, log: null, shards: [], notes };
  }
  const { shards, problem } = await shardsOf(disk);
  const start = startOn(
    disk,
    problem ?? shards.find((shard) => shard.problem !== null)?.problem ?? undefined,
  );
  return {
    directory,
    verdict: verdictOf(disk, start.does === 'refuses'),
    start,
    identity: identityOf(disk),
    log: logOf(disk),
    shards,
    notes,
  };
}

function verdictOf({ condition, identity }: StoppedDisk, refused: boolean): CheckJson['verdict'] {
  if (refused) return 'refused';
  const known = identity === undefined ? undefined : disksOf(identity)[identity.replicaId];
  const another = known !== undefined && known !== identity?.incarnation;
  return condition.kind === 'corrupt' || another ? 'damaged' : 'sound';
}

/** A start uses nothing of a log that is damaged. */
const usedRecords = function* ({ condition, segments }: StoppedDisk): Iterable<LogRecord> {
  if (condition.kind !== 'corrupt') for (const segment of segments) yield* segment.records();
};

/** `problem`: of the log as a whole. */
async function shardsOf(
  disk: StoppedDisk,
): Promise<{ readonly shards: readonly ShardCheckJson[]; readonly problem?: string }> {
  const { identity } = disk;
  if (identity === undefined) return { shards: [] };
  let records: readonly (readonly LogRecord[])[];
  try {
    records = recordsByShard(usedRecords(disk), identity.shards);
  } catch (error) {
    return { shards: [], problem: (error as Error).message };
  }
  const shards: ShardCheckJson[] = [];
  for (const [index, ofShard] of records.entries()) {
    const shard = shardId(index);
    const slot = disk.snapshots.get(shard);
    const snapshot = slot === undefined ? null : { file: `snapshot-${shard}-${slot}`, slot };
    try {
      const { replicaId: self, shards: count } = identity;
      const read = await readStoppedShard({ self, shard, shards: count, records: ofShard, storage: disk });
      shards.push({ shard, snapshot, problem: null, state: stateOf(read) });
    } catch (error) {
      shards.push({ shard, snapshot, problem: (error as Error).message, state: null });
    }
  }
  return { shards };
}

const stateOf = ({ machine, promised, ...slots }: StoppedShard): NonNullable<ShardCheckJson['state']> => ({
  promised: ballotsEqual(promised, BALLOT_ZERO) ? null : formatBallot(promised),
  firstSlot: slots.firstSlot,
  lastSlot: slots.lastSlot,
  chosenThrough: slots.chosenThrough,
  groups: machine.groups.groupCount,
  offsets: machine.groups.offsetCount,
  hash: machine.hash,
});

function identityOf({ identity }: StoppedDisk): IdentityJson | null {
  if (identity === undefined) return null;
  const { clusterId, replicaId, shards, incarnation, agreement = {}, positions = {} } = identity;
  const peers = Object.entries(disksOf(identity))
    .filter(([id]) => Number(id) !== replicaId)
    .map(([id, theirs]) => ({ id: Number(id), incarnation: theirs, position: positions[id] ?? null }));
  return { clusterId, replicaId, shards, incarnation, agreement, peers };
}

function logOf(disk: StoppedDisk): LogJson {
  const { condition, segments, position } = disk;
  const last = segments.at(-1);
  const lastSlots = new Map<ShardId, number>();
  const facts = segments.map((segment): SegmentJson => {
    let records = 0;
    for (const record of segment.records()) {
      records++;
      if (condition.kind === 'corrupt') noteSlot(lastSlots, record);
    }
    const { firstSequence: firstRecord, end, path } = segment;
    const groups = end.sequence - firstRecord - records;
    return { file: basename(path), firstRecord, records, groups, bytes: end.offset };
  });
  const torn = condition.kind === 'intact' && condition.droppedBytes > 0 ? condition : undefined;
  return {
    position,
    segments: facts,
    tornTail:
      torn === undefined || last === undefined
        ? null
        : { file: basename(last.path), offset: last.end.offset, bytes: torn.droppedBytes },
    damage:
      condition.kind !== 'corrupt'
        ? null
        : {
            file: basename(condition.file),
            offset: condition.offset,
            detail: condition.detail,
            afterRecord: position - 1,
            lastSlots: [...lastSlots]
              .map(([shard, slot]) => ({ shard, slot }))
              .sort((a, b) => a.shard - b.shard),
          },
  };
}

function noteSlot(lastSlots: Map<ShardId, number>, { shard, type, payload }: LogRecord): void {
  const record = decodeRecord(type, payload);
  if (record.kind === 'accepted') lastSlots.set(shard, record.firstSlot + record.entries.length - 1);
}
