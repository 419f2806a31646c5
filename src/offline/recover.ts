import { statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { type Slot, shardId } from '../kernel/index.js';
import { disksOf, readStoppedShard, recordsByShard, type StoppedShard } from '../replica/index.js';
import { DataDirectoryError, readStoppedDisk, type StoppedDisk } from '../storage/index.js';
import { type Backup } from './backup-reader.js';
import { BackupWriter } from './backup-writer.js';
import { requireStopped } from './check.js';
import { OfflineError } from './offline-error.js';

/** What the last survivor of a cluster holds: the `--json` of `quorate recover`. */
export interface SurvivorJson {
  readonly directory: string;
  readonly clusterId: string;
  readonly replicaId: number;
  /** When the log was last written to. ISO 8601. */
  readonly lastWriteAt: string;
  /** How far this disk had come, and how far those of the others had when they were heard last. In records of each one's own log. */
  readonly position: number;
  readonly others: readonly { readonly id: number; readonly position: number | null }[];
  readonly shards: readonly SurvivingShardJson[];
}

export interface SurvivingShardJson {
  readonly shard: number;
  readonly chosenThrough: number;
  /** Accepted here beyond that, and kept: some of it may not have been acknowledged to anybody. */
  readonly acceptedBeyond: number;
  /** Whose ballot it last promised: who led last, as far as this disk knows. */
  readonly lastBallotOf: number | null;
  /** The time on its last command. ISO 8601; null when there is none. */
  readonly lastCommandAt: string | null;
  readonly groups: number;
  readonly offsets: number;
}

/** Looks at the directory of a survivor. Throws OfflineError when it cannot be taken for everything that it acknowledged. */
export async function survivor(directory: string): Promise<SurvivorJson> {
  const disk = await diskOf(directory);
  const { clusterId, replicaId, positions = {} } = disk.identity;
  const shards: SurvivingShardJson[] = [];
  for await (const read of shardsOf(disk)) shards.push(surviving(read));
  const last = disk.segments.at(-1);
  return {
    directory,
    clusterId,
    replicaId,
    lastWriteAt: new Date(last === undefined ? 0 : statSync(last.path).mtimeMs).toISOString(),
    position: disk.position,
    others: Object.keys(disksOf(disk.identity))
      .map(Number)
      .filter((id) => id !== replicaId)
      .map((id) => ({ id, position: positions[id] ?? null })),
    shards,
  };
}

/** Writes what the survivor holds as a backup. */
export async function backUpSurvivor(directory: string, path: string, version: string): Promise<Backup> {
  const disk = await diskOf(directory);
  const { clusterId, shards } = disk.identity;
  const startedAt = new Date().toISOString();
  const writer = await BackupWriter.create(path, { clusterId, shards, startedAt, kind: 'survivor', version });
  try {
    for await (const { shard, machine } of shardsOf(disk))
      await writer.shard({ shard, slot: machine.appliedThrough }, Readable.from(machine.snapshot()));
    return await writer.finish(new Date().toISOString());
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

type SurvivingDisk = StoppedDisk & { readonly identity: NonNullable<StoppedDisk['identity']> };

async function diskOf(directory: string): Promise<SurvivingDisk> {
  await requireStopped(directory);
  const unusable = (why: string): OfflineError =>
    new OfflineError(`${directory} cannot be recovered from: ${why}. "quorate check" says more.`, 'damaged');
  try {
    const disk = readStoppedDisk(directory);
    const { identity, condition } = disk;
    if (identity === undefined) throw unusable('it holds no identity');
    if (condition.kind === 'corrupt') throw unusable(`its log is damaged: ${condition.detail}`);
    return { ...disk, identity };
  } catch (error) {
    if (error instanceof DataDirectoryError) throw unusable(error.message);
    throw error;
  }
}

async function* shardsOf(disk: SurvivingDisk): AsyncIterable<StoppedShard> {
  const { replicaId: self, shards } = disk.identity;
  const all = disk.segments.flatMap((segment) => [...segment.records()]);
  try {
    for (const [index, records] of recordsByShard(all, shards).entries()) {
      const shard = shardId(index);
      yield await readStoppedShard({ self, shard, shards, records, storage: disk, appliesAccepted: true });
    }
  } catch (error) {
    if (error instanceof OfflineError) throw error;
    throw new OfflineError(`a shard cannot be read: ${(error as Error).message}`, 'damaged');
  }
}

function surviving({ shard, promised, chosenThrough, machine }: StoppedShard): SurvivingShardJson {
  return {
    shard,
    chosenThrough,
    acceptedBeyond: Math.max(0, machine.appliedThrough - (chosenThrough satisfies Slot)),
    lastBallotOf: promised.replica < 0 ? null : promised.replica,
    lastCommandAt: machine.clock === 0 ? null : new Date(machine.clock).toISOString(),
    groups: machine.groups.groupCount,
    offsets: machine.groups.offsetCount,
  };
}
