import { FEATURE_LEVEL } from '../machine/index.js';
import type { ReplicaOptions } from './options.js';
import type { DiskIdentity, Hello } from './ports.js';

/** What this replica says of itself to its peers. */
export function helloOf(
  identity: DiskIdentity,
  positions: Readonly<Record<string, number>>,
  {
    replicas,
    http,
    storage,
    featureLevel = FEATURE_LEVEL,
  }: Pick<ReplicaOptions, 'replicas' | 'http' | 'storage' | 'featureLevel'>,
): Hello {
  const { clusterId, replicaId, shards, incarnation, formedWith, founded, membership, level } = identity;
  const { agreement, restoredFrom } = identity;
  const own = replicas.find(({ id }) => id === replicaId)!;
  return {
    clusterId,
    replicaId,
    shards,
    incarnation,
    formedWith,
    ...(founded && { founded }),
    ...(membership && {
      membership: { number: membership.number, disks: membership.disks, quorums: membership.quorums },
    }),
    ...(restoredFrom !== undefined && { restoredFrom }),
    ...(agreement && { agreement }),
    featureLevel,
    ...(level !== undefined && { level }),
    position: storage.storage.position(),
    positions,
    ...(own.peer && { peer: own.peer }),
    kafka: own.kafka,
    http,
  };
}
