import type { ReplicaId } from '../kernel/index.js';

/**
 * A quorum system as data: for settings, for disks, for an entry of the log. Which replicas it is over is said beside it.
 * `prepare` and `accept` are the least that promise and the least that accept: replicas (flexible), or weight (weighted).
 */
export type QuorumDescription =
  /** More than half, for both phases (Paxos Made Simple). */
  | { readonly kind: 'majority' }
  /** So many promise, so many accept (Flexible Paxos, Howard et al. 2016). */
  | { readonly kind: 'flexible'; readonly prepare: number; readonly accept: number }
  /** One whole row promises, one whole column accepts. Each replica has one place. */
  | { readonly kind: 'grid'; readonly rows: readonly (readonly ReplicaId[])[] }
  /** So much weight promises, so much accepts (Gifford 1979). The weight of each replica by its id; 0: it never counts. */
  | {
      readonly kind: 'weighted';
      readonly weights: Readonly<Record<number, number>>;
      readonly prepare: number;
      readonly accept: number;
    };

/** A set of replicas that is enough for a phase. Monotone: more replicas are enough as well. Strangers do not count. */
export type IsQuorum = (replicas: ReadonlySet<ReplicaId>) => boolean;

/**
 * Which sets of replicas decide. Predicates over sets of ids, never counts, so that majorities, flexible quorums, grids
 * and weights all fit. Must hold: every prepare quorum meets every accept quorum. Two of the same kind need not meet.
 */
export interface QuorumSystem {
  readonly description: QuorumDescription;
  /** For people, and to compare: two systems over the same replicas with one name are the same. */
  readonly name: string;
  /** Enough promises to lead. */
  readonly isPrepareQuorum: IsQuorum;
  /** Enough acceptances to choose; also enough acknowledgements for a lease or a read-index. */
  readonly isAcceptQuorum: IsQuorum;
}

/**
 * A quorum of each kind in one set. Any two such sets meet, whatever the system: the prepare quorum of the one meets the
 * accept quorum of the other. For what only one side may ever be sure of (the time, who has diverged), and for what
 * must know of every promise and of every acceptance.
 */
export const isFullQuorum = (
  { isPrepareQuorum, isAcceptQuorum }: Pick<QuorumSystem, 'isPrepareQuorum' | 'isAcceptQuorum'>,
  replicas: ReadonlySet<ReplicaId>,
): boolean => isAcceptQuorum(replicas) && isPrepareQuorum(replicas);

/** The system that a description describes, whether it can be trusted or not: `quorumSystem` checks that. */
export function asDescribed(description: QuorumDescription, replicas: readonly ReplicaId[]): QuorumSystem {
  const members = [...new Set(replicas)];
  switch (description.kind) {
    case 'majority':
      return majority(members);
    case 'flexible': {
      const { prepare, accept } = description;
      return {
        description,
        name: `flexible: ${prepare} of ${members.length} promise, ${accept} accept`,
        isPrepareQuorum: weighing(members, () => 1, prepare),
        isAcceptQuorum: weighing(members, () => 1, accept),
      };
    }
    case 'grid': {
      const { rows } = description;
      return {
        description,
        name: `grid: a row of ${rows.map((row) => row.join(' ')).join(' / ')} promises, a column accepts`,
        isPrepareQuorum: holdingOne(rows),
        isAcceptQuorum: holdingOne(columnsOf(rows)),
      };
    }
    case 'weighted': {
      const { weights, prepare, accept } = description;
      const weightOf = (id: ReplicaId): number => weights[id] ?? 0;
      const all = Object.entries(weights).map(([id, weight]) => `${id}x${weight}`);
      return {
        description,
        name: `weighted: ${prepare} of ${all.join(' ')} promise, ${accept} accept`,
        isPrepareQuorum: weighing(members, weightOf, prepare),
        isAcceptQuorum: weighing(members, weightOf, accept),
      };
    }
  }
}

/** More than half, for both phases. */
export function majority(replicas: readonly ReplicaId[]): QuorumSystem {
  const members = [...new Set(replicas)];
  const isQuorum = weighing(members, () => 1, Math.floor(members.length / 2) + 1);
  return {
    description: { kind: 'majority' },
    name: `majority of ${members.length}`,
    isPrepareQuorum: isQuorum,
    isAcceptQuorum: isQuorum,
  };
}

function weighing(
  members: readonly ReplicaId[],
  weightOf: (id: ReplicaId) => number,
  needed: number,
): IsQuorum {
  const weights = new Map(members.map((id) => [id, weightOf(id)]));
  return (acks) => {
    let sum = 0;
    for (const id of acks) sum += weights.get(id) ?? 0;
    return sum >= needed;
  };
}

const holdingOne =
  (lines: readonly (readonly ReplicaId[])[]): IsQuorum =>
  (acks) =>
    lines.some((line) => line.every((id) => acks.has(id)));

/** A row that is too short has no replica in the last columns. */
function columnsOf(rows: readonly (readonly ReplicaId[])[]): readonly (readonly ReplicaId[])[] {
  const width = Math.max(...rows.map((row) => row.length));
  return Array.from({ length: width }, (_, place) => rows.flatMap((row) => row[place] ?? []));
}

/**
 * The highest mark above `above` that a quorum has reached. Quorums are sets of ids, so every distinct mark is tried (Flexible
 * Paxos: which ids, not how many). Undefined when no quorum has such a mark.
 */
export function reachedBy<Mark extends number>(
  isQuorum: IsQuorum,
  marks: ReadonlyMap<ReplicaId, Mark>,
  above = -Infinity,
): Mark | undefined {
  let best: Mark | undefined;
  for (const candidate of marks.values()) {
    if (candidate <= (best ?? above)) continue;
    const ids = new Set<ReplicaId>();
    for (const [id, mark] of marks) if (mark >= candidate) ids.add(id);
    if (isQuorum(ids)) best = candidate;
  }
  return best;
}
