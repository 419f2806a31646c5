import { FEATURE_LEVEL } from '../machine/index.js';
import type { ReplicaOptions } from './options.js';
import type { DiskIdentity, Hello } from './ports.js';

/** What this replica says of itself to its peers. */
export function helloOf(
  identity: DiskIdentity,
  positions: Readonly<Record<string, number>>,
  { replicas, http, storage, featureLevel = FEATURE_LEVEL }: ReplicaOptions,
): Hello {
  const { clusterId, replicaId, shards, incarnation, formedWith, agreement, restoredFrom } = identity;
  const own = replicas.find(({ id }) => id === replicaId)!;
  return {
    clusterId,
    replicaId,
    shards,
    incarnation,
    formedWith,
    ...(restoredFrom !== undefined && { restoredFrom }),
    ...(agreement && { agreement }),
    featureLevel,
    position: storage.storage.position(),
    positions,
    kafka: own.kafka,
    http,
  };
}
