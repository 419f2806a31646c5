import { createHash } from 'node:crypto';
import { type ReplicaId, type ShardId, shardId, slot, type WallMs } from '../kernel/index.js';
import { type Machine, machineInNewCluster, snapshotHead } from '../machine/index.js';
import type { Storage } from '../replica/index.js';
import { DataDirectoryError, fillDirectory } from '../storage/index.js';
import { type Backup, snapshotIn } from './backup-reader.js';
import { OfflineError } from './offline-error.js';

export interface NewCluster {
  readonly clusterId: string;
  /** When it begins. Replicas that are to form one cluster are given the same. Milliseconds since 1970. */
  readonly at: WallMs;
}

/** What tells one beginning of a cluster from another: the same backup, cluster and time. */
const beginningOf = ({ end }: Backup, { clusterId, at }: NewCluster): string =>
  createHash('sha256').update(`${end.sha256} ${clusterId} ${at}`).digest('hex').slice(0, 32);

/**
 * Makes the data directory of a replica of a new cluster. The same backup and cluster give the same state on every replica. Throws
 * OfflineError when the backup cannot be taken, or the directory is not empty.
 */
export async function restoreBackup(
  backup: Backup,
  directory: string,
  self: ReplicaId,
  cluster: NewCluster,
): Promise<void> {
  const { clusterId, at } = cluster;
  if (clusterId === backup.head.clusterId)
    throw new OfflineError(
      `the backup is of cluster ${clusterId}: a restored cluster has an id of its own, so that replicas of the old one are refused`,
      'wrong-use',
    );
  if (at < Date.parse(backup.head.startedAt))
    throw new OfflineError(
      `the backup was begun at ${backup.head.startedAt}, and the new cluster would begin before that: correct the clock of this machine, or --at`,
      'wrong-use',
    );
  const { shards } = backup.head;
  try {
    await fillDirectory(directory, async ({ storage, incarnation }) => {
      const facts = await taken(backup, shardId(0), cluster);
      await write(storage, shardId(0), facts);
      for (let shard = 1; shard < shards; shard++)
        await write(storage, shardId(shard), await taken(backup, shardId(shard), cluster, facts));
      const restoredFrom = beginningOf(backup, cluster);
      const identity = { clusterId, replicaId: self, shards, incarnation: incarnation!, formedWith: {} };
      await storage.saveIdentity({ ...identity, restoredFrom });
    });
  } catch (error) {
    if (error instanceof DataDirectoryError) throw new OfflineError(error.message, 'wrong-use');
    throw error;
  }
}

async function taken(backup: Backup, shard: ShardId, { at }: NewCluster, facts?: Machine): Promise<Machine> {
  const { shards, kind } = backup.head;
  const bytes = await snapshotIn(backup, backup.shards[shard]!);
  const head = snapshotHead(bytes);
  if (head.shard !== shard || head.appliedThrough !== backup.shards[shard]!.slot)
    throw new OfflineError(
      `the backup ${backup.path} has another state as that of shard ${shard}`,
      'damaged',
    );
  return machineInNewCluster({ shard, shards }, bytes, { at, facts, factsAreLatest: kind === 'online' });
}

function write(storage: Storage, shard: ShardId, machine: Machine): Promise<void> {
  return new Promise((resolve, reject) => {
    storage.onFailure(reject);
    storage.writeSnapshot(shard, slot(machine.appliedThrough), machine.snapshot(), resolve);
  });
}
