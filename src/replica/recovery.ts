import { FEATURE_LEVEL, FIRST_FEATURE_LEVEL, LEVEL_OF_SWITCHES, type Machine } from '../machine/index.js';
import { assert, shardId } from '../kernel/index.js';
import { type Agreement, agreementFound, agreementOf, differences } from './agreement.js';
import { numberOf } from './membership.js';
import type { ReplicaOptions } from './options.js';
import type { DiskIdentity, LogRecord } from './ports.js';
import { storedMachine } from './stored-machine.js';

/** The data directory belongs to another replica or cluster, or to a cluster of other replicas or shards. */
class ForeignDiskError extends Error {
  override readonly name = 'ForeignDiskError';
}

/** The cluster uses what this version does not know. */
class TooNewDiskError extends Error {
  override readonly name = 'TooNewDiskError';
}

/** The identity of this disk: given to a blank one, checked against the configuration otherwise. Throws ForeignDiskError and TooNewDiskError. */
export async function claimDisk(options: ReplicaOptions): Promise<DiskIdentity> {
  const { storage, self, clusterId, shards, entropy, log } = options;
  const found = storage.identity;
  const agreement = agreementOf(options);
  if (found === undefined) {
    const incarnation = storage.incarnation ?? entropy.uuid();
    const identity = { clusterId, replicaId: self, shards, incarnation, formedWith: {}, agreement };
    await storage.storage.saveIdentity(identity);
    return identity;
  }
  refuseForeign(found, agreement, options);
  refuseTooNew(found, options);
  let claimed = found;
  if (storage.condition.kind === 'corrupt') {
    // What this disk promised is lost. It is another disk since it was opened, and the peers know it by the incarnation.
    log.error('acknowledged records are lost: this replica will follow, but must not vote', {
      condition: storage.condition,
    });
  }
  // Of an earlier version, whose settings are still those that the cluster was formed with.
  if (found.founded === undefined && found.formedWith[self] !== undefined && numberOf(found) === 0)
    claimed = { ...claimed, founded: options.quorums.description };
  if (found.level === undefined && Object.keys(found.formedWith).length > 0)
    claimed = { ...claimed, level: levelBefore(found, options) };
  const changed = found.agreement === undefined || differences(found.agreement, agreement).length > 0;
  if (changed) claimed = { ...claimed, agreement };
  const earlierLeaseMs = Math.max(found.earlierLeaseMs ?? 0, Number(found.agreement?.['leaseMs'] ?? 0));
  if (earlierLeaseMs > options.paxos.leaseMs && earlierLeaseMs !== found.earlierLeaseMs)
    claimed = { ...claimed, earlierLeaseMs };
  if (claimed !== found) await storage.storage.saveIdentity(claimed);
  return claimed;
}

/** Versions before the switch used what every replica knew, and wrote down what that was. Version 0.1.0 knows one level. */
function levelBefore({ levels }: DiskIdentity, { featureLevel = FEATURE_LEVEL }: ReplicaOptions): number {
  if (levels === undefined) return FIRST_FEATURE_LEVEL;
  return Math.min(featureLevel, LEVEL_OF_SWITCHES - 1, ...Object.values(levels));
}

function refuseTooNew(
  { level = FIRST_FEATURE_LEVEL }: DiskIdentity,
  { featureLevel = FEATURE_LEVEL }: ReplicaOptions,
): void {
  if (level <= featureLevel) return;
  throw new TooNewDiskError(
    `the cluster of this data directory uses feature level ${level}, and this version knows level ${featureLevel}: upgrade this replica. ` +
      `A rollback was possible until the cluster was told to use level ${level} (quorate upgrade). Nothing was changed.`,
  );
}

function refuseForeign(found: DiskIdentity, agreement: Agreement, options: ReplicaOptions): void {
  const { self, clusterId, shards } = options;
  const problems = [
    found.clusterId === clusterId
      ? ''
      : `cluster ${found.clusterId}, and the configuration says ${clusterId}`,
    found.replicaId === self ? '' : `replica ${found.replicaId}, and the configuration says ${self}`,
    found.shards === shards
      ? ''
      : `a cluster of ${found.shards} shards, and the configuration says ${shards} (it is fixed when a cluster is first started)`,
    ...differences(agreementFound(found), agreement)
      // After a change of the replicas the settings only say where to look for them.
      .filter(({ fixed }) => fixed && found.joined !== true && numberOf(found) === 0)
      .map(
        ({ name, theirs, ours }) =>
          `a cluster with ${name}: ${theirs}, and the configuration says ${ours} (it is fixed when a cluster is first started)`,
      ),
  ].filter((problem) => problem !== '');
  if (problems.length === 0) return;
  throw new ForeignDiskError(
    `this data directory belongs to ${problems.join('; to ')}. Correct the configuration or give another directory.`,
  );
}

export interface Recovered {
  /** By shard, in the order of the log. */
  readonly records: readonly (readonly LogRecord[])[];
  /** By shard, from its snapshot; undefined where there is none. */
  readonly machines: readonly (Machine | undefined)[];
}

/** The records of a log by shard, in its order. */
export function recordsByShard(records: Iterable<LogRecord>, shards: number): readonly LogRecord[][] {
  const byShard = Array.from({ length: shards }, (): LogRecord[] => []);
  for (const record of records) {
    const ofShard = byShard[record.shard];
    assert(ofShard !== undefined, `the shard ${record.shard} of a record is 0..${shards - 1}`);
    ofShard.push(record);
  }
  return byShard;
}

/** What the disk holds of every shard. */
export async function recover({ storage, shards, featureLevel, log }: ReplicaOptions): Promise<Recovered> {
  const records = recordsByShard(storage.records, shards);
  const machines: (Machine | undefined)[] = [];
  for (let shard = 0; shard < shards; shard++)
    machines.push(await storedMachine(storage.storage, { shard: shardId(shard), shards, featureLevel }));
  const { condition } = storage;
  if (condition.kind === 'intact' && condition.droppedBytes > 0) {
    log.info(
      `dropped ${condition.droppedBytes} bytes at the end of the log that a crash cut off before they were acknowledged`,
    );
  }
  return { records, machines };
}
