import type { ReplicaId } from '../kernel/index.js';

/**
 * Which sets of replicas decide. Predicates over sets of ids, never counts, so that majorities, flexible quorums, grids
 * and weights all fit. Must hold: every prepare quorum meets every accept quorum (Flexible Paxos, Howard et al. 2016).
 */
export interface QuorumSystem {
  readonly name: string;
  /** Enough promises to lead. */
  isPrepareQuorum(replicas: ReadonlySet<ReplicaId>): boolean;
  /** Enough acceptances to choose; also enough acknowledgements for a lease or a read-index. */
  isAcceptQuorum(replicas: ReadonlySet<ReplicaId>): boolean;
}

/** More than half, for both phases. */
export function majority(replicas: readonly ReplicaId[]): QuorumSystem {
  const members = new Set(replicas);
  const needed = Math.floor(members.size / 2) + 1;
  const isQuorum = (acks: ReadonlySet<ReplicaId>): boolean => {
    let count = 0;
    for (const id of acks) if (members.has(id)) count++;
    return count >= needed;
  };
  return { name: `majority of ${members.size}`, isPrepareQuorum: isQuorum, isAcceptQuorum: isQuorum };
}
