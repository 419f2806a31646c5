/** What is wrong with a quorum system, before it decides anything. */

import { assert, type ReplicaId } from '../kernel/index.js';
import { asDescribed, type QuorumDescription, type QuorumSystem } from './quorum.js';

/** The check looks at every set of replicas: 2^18 are a blink, and enough for any cluster. */
const REPLICAS_MAX = 18;

/** The quorums of a configuration. Throws InvariantError where `quorumProblem` finds one: ask that first about what a user wrote. */
export function quorumSystem(description: QuorumDescription, replicas: readonly ReplicaId[]): QuorumSystem {
  const problem = quorumProblem(description, replicas);
  assert(problem === undefined, problem ?? '');
  return asDescribed(description, replicas);
}

/**
 * Why these quorums cannot decide for these replicas, as a sentence that says what to change; undefined when they can.
 * The main thing: every prepare quorum meets every accept quorum. Otherwise the answer names two that do not.
 */
export function quorumProblem(
  description: QuorumDescription,
  replicas: readonly ReplicaId[],
): string | undefined {
  const problem = rangeProblem(description, replicas);
  if (problem !== undefined) return problem;
  const system = asDescribed(description, replicas);
  const all = new Set(replicas);
  if (!system.isPrepareQuorum(all)) return 'all replicas together do not suffice to promise: lower `prepare`';
  if (!system.isAcceptQuorum(all)) return 'all replicas together do not suffice to accept: lower `accept`';
  const missing = disjointQuorums(system, replicas);
  if (missing === undefined) return undefined;
  const { prepare, accept } = missing;
  return (
    `${prepare.join(', ')} would be enough to promise and ${accept.join(', ')} enough to accept, and they share no replica: ` +
    'two leaders could choose different values. Every prepare quorum must meet every accept quorum'
  );
}

/**
 * A prepare and an accept quorum that share no replica, as small as can be; undefined when all meet. Quorums are monotone,
 * so a prepare quorum misses an accept quorum exactly when the replicas outside of it are one.
 */
export function disjointQuorums(
  { isPrepareQuorum, isAcceptQuorum }: Pick<QuorumSystem, 'isPrepareQuorum' | 'isAcceptQuorum'>,
  replicas: readonly ReplicaId[],
): { readonly prepare: readonly ReplicaId[]; readonly accept: readonly ReplicaId[] } | undefined {
  for (let mask = 0; mask < 2 ** replicas.length; mask++) {
    const inside = replicas.filter((_, place) => (mask >> place) & 1);
    if (!isPrepareQuorum(new Set(inside))) continue;
    const outside = replicas.filter((_, place) => !((mask >> place) & 1));
    if (isAcceptQuorum(new Set(outside)))
      return { prepare: smallest(inside, isPrepareQuorum), accept: smallest(outside, isAcceptQuorum) };
  }
  return undefined;
}

/** Without what is not needed. */
function smallest(
  quorum: readonly ReplicaId[],
  isQuorum: QuorumSystem['isAcceptQuorum'],
): readonly ReplicaId[] {
  return quorum.reduce((left: readonly ReplicaId[], id) => {
    const without = left.filter((other) => other !== id);
    return isQuorum(new Set(without)) ? without : left;
  }, quorum);
}

function rangeProblem(description: QuorumDescription, replicas: readonly ReplicaId[]): string | undefined {
  if (replicas.length === 0) return 'there are no replicas';
  if (new Set(replicas).size < replicas.length) return `a replica is listed twice: ${replicas.join(', ')}`;
  if (replicas.length > REPLICAS_MAX)
    return `there are ${replicas.length} replicas, and quorums are over ${REPLICAS_MAX} at most`;
  switch (description.kind) {
    case 'majority':
      return undefined;
    case 'flexible':
      return thresholdProblem(description);
    case 'grid':
      return gridProblem(description.rows, replicas);
    case 'weighted':
      return thresholdProblem(description) ?? weightsProblem(description.weights, replicas);
  }
}

const isWhole = (value: number, min: number): boolean => Number.isSafeInteger(value) && value >= min;

function thresholdProblem(thresholds: {
  readonly prepare: number;
  readonly accept: number;
}): string | undefined {
  for (const name of ['prepare', 'accept'] as const)
    if (!isWhole(thresholds[name], 1)) return `\`${name}\` is ${thresholds[name]}: give an integer from 1`;
  return undefined;
}

function weightsProblem(
  weights: Readonly<Record<number, number>>,
  replicas: readonly ReplicaId[],
): string | undefined {
  for (const [id, weight] of Object.entries(weights)) {
    if (!replicas.some((replica) => replica === Number(id)))
      return `\`weights\` has replica ${id}, which the cluster does not have`;
    if (!isWhole(weight, 0)) return `the weight of replica ${id} is ${weight}: give an integer from 0`;
  }
  const left = replicas.filter((id) => weights[id] === undefined);
  return left.length === 0
    ? undefined
    : `\`weights\` lacks replica ${left.join(', ')}: give each a weight (0: it never counts)`;
}

/** Rows of one length, with each replica in one place: then every row meets every column. */
function gridProblem(
  rows: readonly (readonly ReplicaId[])[],
  replicas: readonly ReplicaId[],
): string | undefined {
  const placed = rows.flat();
  const stranger = placed.find((id) => !replicas.includes(id));
  if (stranger !== undefined) return `the grid has replica ${stranger}, which the cluster does not have`;
  const twice = placed.find((id, place) => placed.indexOf(id) !== place);
  if (twice !== undefined) return `the grid has replica ${twice} in two places`;
  const left = replicas.filter((id) => !placed.includes(id));
  if (left.length > 0) return `the grid lacks replica ${left.join(', ')}: give each a place`;
  return rows.some((row) => row.length === 0) ? 'a row of the grid is empty: leave it out' : undefined;
}
