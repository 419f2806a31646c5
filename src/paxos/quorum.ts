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

/**
 * The highest mark that an accept quorum has reached. Quorums are sets of ids, so every distinct mark is tried from the
 * highest down (Flexible Paxos: which ids, not how many). Undefined when no quorum has a mark.
 */
export function reachedByQuorum<Mark extends number>(
  marks: ReadonlyMap<ReplicaId, Mark>,
  quorums: Pick<QuorumSystem, 'isAcceptQuorum'>,
): Mark | undefined {
  const candidates = [...new Set(marks.values())].sort((a, b) => b - a);
  for (const candidate of candidates) {
    const ids = new Set<ReplicaId>();
    for (const [id, mark] of marks) if (mark >= candidate) ids.add(id);
    if (quorums.isAcceptQuorum(ids)) return candidate;
  }
  return undefined;
}
