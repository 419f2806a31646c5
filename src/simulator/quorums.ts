import type { ReplicaId } from '../kernel/index.js';
import { majority, type QuorumSystem } from '../paxos/index.js';

export type QuorumKind = 'majority' | 'flexible' | 'grid';

/**
 * The quorums of a world. Production forms majorities only, where both kinds are alike; the core takes any that meet
 * (Flexible Paxos), and what mixes the two kinds up shows with these.
 */
export function quorumsOf(kind: QuorumKind, replicas: readonly ReplicaId[]): QuorumSystem {
  if (kind === 'majority') return majority(replicas);
  return kind === 'grid' ? grid(replicas) : flexible(replicas);
}

/** One more than a majority promises, so that one less accepts. */
function flexible(replicas: readonly ReplicaId[]): QuorumSystem {
  const prepares = Math.min(replicas.length, Math.floor(replicas.length / 2) + 2);
  const accepts = replicas.length - prepares + 1;
  const has = (acks: ReadonlySet<ReplicaId>): number => replicas.filter((id) => acks.has(id)).length;
  return {
    name: `${prepares} and ${accepts} of ${replicas.length}`,
    isPrepareQuorum: (acks) => has(acks) >= prepares,
    isAcceptQuorum: (acks) => has(acks) >= accepts,
  };
}

/** Two columns: each row promises, each column accepts, and every row meets every column. */
function grid(replicas: readonly ReplicaId[]): QuorumSystem {
  const row = (index: number): number => index >> 1;
  const column = (index: number): number => index & 1;
  const holdsOne = (acks: ReadonlySet<ReplicaId>, lineOf: (index: number) => number): boolean => {
    const lacking = new Set(replicas.flatMap((id, index) => (acks.has(id) ? [] : lineOf(index))));
    return replicas.some((_, index) => !lacking.has(lineOf(index)));
  };
  return {
    name: `a grid of ${replicas.length}`,
    isPrepareQuorum: (acks) => holdsOne(acks, row),
    isAcceptQuorum: (acks) => holdsOne(acks, column),
  };
}
