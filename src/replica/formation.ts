import type { ReplicaId, ShardId } from '../kernel/index.js';
import type { DiskIdentity, Hello } from './ports.js';

/**
 * May this replica vote? A disk that was lost took promises with it, so a replica that comes back with another disk must not
 * vote under the old name (Paxos Made Live, 5.1). Disks are told apart by their incarnation:
 * - a cluster forms once, when every configured replica has met every other with the disk it will keep;
 * - from then on each remembers all incarnations, and a replica whose disk is another one is told so by its peers.
 */
export type Standing =
  /** Not every replica has been met yet: nothing is promised until then. */
  | { readonly kind: 'forming'; readonly missing: readonly ReplicaId[] }
  | { readonly kind: 'voter'; readonly formedWith: Readonly<Record<string, string>> }
  /** `reportedBy` remembers another disk of this replica: it formed the cluster with that one. */
  | { readonly kind: 'learner'; readonly reportedBy: ReplicaId; readonly expected: string };

export function standing(
  self: ReplicaId,
  identity: DiskIdentity,
  replicas: readonly ReplicaId[],
  met: ReadonlyMap<ReplicaId, Pick<Hello, 'incarnation' | 'formedWith'>>,
): Standing {
  for (const [reportedBy, hello] of met) {
    const expected = hello.formedWith[self];
    if (expected !== undefined && expected !== identity.incarnation)
      return { kind: 'learner', reportedBy, expected };
  }
  const remembered = identity.formedWith[self];
  if (remembered !== undefined) {
    return remembered === identity.incarnation
      ? { kind: 'voter', formedWith: identity.formedWith }
      : { kind: 'learner', reportedBy: self, expected: remembered };
  }
  const missing = replicas.filter((id) => id !== self && !met.has(id));
  if (missing.length > 0) return { kind: 'forming', missing };
  const formedWith: Record<string, string> = { [self]: identity.incarnation };
  for (const [id, hello] of met) formedWith[id] = hello.incarnation;
  return { kind: 'voter', formedWith };
}

/**
 * Replica s mod n is the preferred leader of shard s, and the replica after it comes next: leaders are spread over the
 * replicas, and leadership returns to the preferred leader after a failure. The highest number is preferred.
 */
export function preferredLeaderPriority(
  replicas: readonly ReplicaId[],
  self: ReplicaId,
  shard: ShardId,
): number {
  const index = replicas.indexOf(self);
  const distance = (((index - shard) % replicas.length) + replicas.length) % replicas.length;
  return replicas.length - distance;
}
