import { describe, expect, it } from '@jest/globals';
import { codec, replicaId, type ReplicaId, seededRandom } from '../../../src/kernel/index.js';
import {
  isFullQuorum,
  majority,
  quorumDescription,
  type QuorumDescription,
  quorumProblem,
  quorumSystem,
} from '../../../src/paxos/index.js';
// Behind the door on purpose: what is refused is looked at as well.
import { asDescribed } from '../../../src/paxos/quorum.js';
import { disjointQuorums } from '../../../src/paxos/quorum-check.js';

const REPLICAS_MAX = 9;
const sizes = Array.from({ length: REPLICAS_MAX }, (_, i) => i + 1);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** The place in this list is the bit in a mask; ids are others, so that no test can mix the two up. */
const replicas = (count: number): readonly ReplicaId[] =>
  Array.from({ length: count }, (_, i) => replicaId(10 + i));
const setOf = (mask: number, of: readonly ReplicaId[]): Set<ReplicaId> =>
  new Set(of.filter((_id, i) => (mask >> i) & 1));
const masks = (count: number): number[] => Array.from({ length: 2 ** count }, (_, mask) => mask);
const bits = (mask: number): number => mask.toString(2).replaceAll('0', '').length;

/** What a description says, in masks and by the definitions: written without the code under test. */
interface Meant {
  readonly description: QuorumDescription;
  readonly prepares: (mask: number) => boolean;
  readonly accepts: (mask: number) => boolean;
}

const isFlexible = (prepare: number, accept: number): Meant => ({
  description: { kind: 'flexible', prepare, accept },
  prepares: (mask) => bits(mask) >= prepare,
  accepts: (mask) => bits(mask) >= accept,
});
const isMajority = (count: number): Meant => ({
  description: { kind: 'majority' },
  prepares: (mask) => 2 * bits(mask) > count,
  accepts: (mask) => 2 * bits(mask) > count,
});
function isWeighted(weights: readonly number[], prepare: number, accept: number): Meant {
  const sum = (mask: number): number =>
    weights.reduce((total, weight, i) => total + ((mask >> i) & 1) * weight, 0);
  const byId = Object.fromEntries(replicas(weights.length).map((id, i) => [id, weights[i]!]));
  return {
    description: { kind: 'weighted', weights: byId, prepare, accept },
    prepares: (mask) => sum(mask) >= prepare,
    accepts: (mask) => sum(mask) >= accept,
  };
}
function isGrid(height: number, width: number): Meant {
  const has = (mask: number, row: number, column: number): boolean =>
    ((mask >> (row * width + column)) & 1) === 1;
  const [rows, columns] = [
    Array.from({ length: height }, (_, i) => i),
    Array.from({ length: width }, (_, i) => i),
  ];
  const all = replicas(height * width);
  return {
    description: { kind: 'grid', rows: rows.map((row) => all.slice(row * width, (row + 1) * width)) },
    prepares: (mask) => rows.some((row) => columns.every((column) => has(mask, row, column))),
    accepts: (mask) => columns.some((column) => rows.every((row) => has(mask, row, column))),
  };
}

/** By looking at every pair of a prepare and an accept quorum. */
function meetsAlways({ prepares, accepts }: Meant, count: number): boolean {
  const preparing = masks(count).filter(prepares);
  return !masks(count)
    .filter(accepts)
    .some((accept) => preparing.some((prepare) => (prepare & accept) === 0));
}

/** The system decides as it is meant, and is refused exactly when it cannot be trusted. */
function check(meant: Meant, count: number): void {
  const of = replicas(count);
  const { description, prepares, accepts } = meant;
  const name = JSON.stringify(description);
  const system = asDescribed(description, of);
  for (const mask of masks(count)) {
    const ids = setOf(mask, of);
    const decided = [system.isPrepareQuorum(ids), system.isAcceptQuorum(ids)];
    if (decided[0] !== prepares(mask) || decided[1] !== accepts(mask))
      throw new Error(`${name}: ${[...ids].join()} promises or accepts: ${decided.join()}`);
  }
  const everybody = 2 ** count - 1;
  const good = prepares(everybody) && accepts(everybody) && meetsAlways(meant, count);
  const problem = quorumProblem(description, of);
  if ((problem === undefined) !== good) throw new Error(`${name} of ${count}: ${problem ?? 'taken'}`);
  if (!good && prepares(everybody) && accepts(everybody)) checkShown(meant, of);
}

/** What the refusal shows are two quorums that share nobody, and without any one of its replicas neither is one. */
function checkShown({ description, prepares, accepts }: Meant, of: readonly ReplicaId[]): void {
  const shown = disjointQuorums(asDescribed(description, of), of)!;
  const maskOf = (ids: readonly ReplicaId[]): number =>
    ids.reduce((mask, id) => mask | (1 << of.indexOf(id)), 0);
  const [prepare, accept] = [maskOf(shown.prepare), maskOf(shown.accept)];
  expect(prepare & accept).toBe(0);
  expect([prepares(prepare), accepts(accept)]).toEqual([true, true]);
  for (let bit = 1; bit < 2 ** of.length; bit *= 2) {
    if (prepare & bit) expect(prepares(prepare - bit)).toBe(false);
    if (accept & bit) expect(accepts(accept - bit)).toBe(false);
  }
}

describe('quorums against their definitions', () => {
  it.each(sizes)('majorities of %i', (count) => check(isMajority(count), count));

  it.each(sizes)('flexible quorums of %i, all of them', (count) => {
    for (const prepare of upTo(count + 1))
      for (const accept of upTo(count + 1)) check(isFlexible(prepare, accept), count);
  });

  it.each(sizes)('grids of %i', (count) => {
    for (const height of upTo(count)) if (count % height === 0) check(isGrid(height, count / height), count);
  });

  it('weights of up to four replicas, all of them up to 3, and random ones of up to nine', () => {
    for (const count of upTo(4))
      for (const drawn of masks(2 * count)) {
        const weights = upTo(count).map((i) => (drawn >> (2 * (i - 1))) & 3);
        for (const prepare of upTo(5))
          for (const accept of upTo(5)) check(isWeighted(weights, prepare, accept), count);
      }
    const random = seededRandom(14);
    for (let run = 0; run < 100; run++) {
      const count = 1 + random.below(REPLICAS_MAX);
      const weights = upTo(count).map(() => random.below(6));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      check(isWeighted(weights, 1 + random.below(sum + 1), 1 + random.below(sum + 1)), count);
    }
  });
});

describe('the grid of the Paxos literature, three rows of six', () => {
  const of = upTo(18).map(replicaId);
  const rows = [of.slice(0, 6), of.slice(6, 12), of.slice(12)];
  const { isPrepareQuorum, isAcceptQuorum } = quorumSystem({ kind: 'grid', rows }, of);
  const set = (...ids: number[]): Set<ReplicaId> => new Set(ids.map(replicaId));

  it('is taken: every row meets every column', () => {
    expect(quorumProblem({ kind: 'grid', rows }, of)).toBeUndefined();
  });

  it('lets a row of six promise and a column of three accept, and neither do the work of the other', () => {
    expect(isPrepareQuorum(set(7, 8, 9, 10, 11, 12))).toBe(true);
    expect(isAcceptQuorum(set(7, 8, 9, 10, 11, 12))).toBe(false);
    expect(isAcceptQuorum(set(2, 8, 14))).toBe(true);
    expect(isPrepareQuorum(set(2, 8, 14))).toBe(false);
  });

  it('goes on without twelve of eighteen, and is stopped by three', () => {
    const without = (...gone: number[]): Set<ReplicaId> => new Set(of.filter((id) => !gone.includes(id)));
    const twoRowsSaveAColumn = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11];
    expect(isFullQuorum({ isPrepareQuorum, isAcceptQuorum }, without(...twoRowsSaveAColumn))).toBe(true);
    expect(isPrepareQuorum(without(1, 8, 15))).toBe(false);
  });
});

describe('a quorum of both kinds', () => {
  it.each<[string, Meant, number]>([
    ['a grid', isGrid(2, 4), 8],
    ['flexible quorums', isFlexible(5, 2), 6],
    ['weights', isWeighted([3, 2, 2, 1, 1], 7, 3), 5],
  ])('of %s meets every other such quorum, where two of one kind need not meet', (_name, meant, count) => {
    const of = replicas(count);
    const system = quorumSystem(meant.description, of);
    expect(quorumProblem(meant.description, of)).toBeUndefined();
    const disjoint = (quorums: readonly number[]): boolean =>
      quorums.some((one) => quorums.some((other) => (one & other) === 0));
    expect(disjoint(masks(count).filter(meant.accepts))).toBe(true);
    expect(disjoint(masks(count).filter((mask) => isFullQuorum(system, setOf(mask, of))))).toBe(false);
  });
});

describe('a refusal', () => {
  const four = upTo(4).map(replicaId);
  it.each<[QuorumDescription, string]>([
    [
      { kind: 'flexible', prepare: 2, accept: 2 },
      '1, 2 would be enough to promise and 3, 4 enough to accept, and they share no replica: two leaders could choose different values. ' +
        'Every prepare quorum must meet every accept quorum',
    ],
    [
      { kind: 'flexible', prepare: 5, accept: 1 },
      'all replicas together do not suffice to promise: lower `prepare`',
    ],
    [{ kind: 'flexible', prepare: 4, accept: 0 }, '`accept` is 0: give an integer from 1'],
    [{ kind: 'flexible', prepare: 2.5, accept: 3 }, '`prepare` is 2.5: give an integer from 1'],
    [
      { kind: 'grid', rows: [four.slice(0, 2), four.slice(2, 3)] },
      'the grid lacks replica 4: give each a place',
    ],
    [{ kind: 'grid', rows: [four, [replicaId(2)]] }, 'the grid has replica 2 in two places'],
    [
      { kind: 'grid', rows: [four, [replicaId(7)]] },
      'the grid has replica 7, which the cluster does not have',
    ],
    [{ kind: 'grid', rows: [four, []] }, 'a row of the grid is empty: leave it out'],
    [
      { kind: 'weighted', weights: { 1: 1, 2: 1 }, prepare: 2, accept: 1 },
      '`weights` lacks replica 3, 4: give each a weight (0: it never counts)',
    ],
    [
      { kind: 'weighted', weights: { 1: 1, 2: 1, 3: 1, 4: -1 }, prepare: 2, accept: 1 },
      'the weight of replica 4 is -1: give an integer from 0',
    ],
    [
      { kind: 'weighted', weights: { 1: 1, 5: 1 }, prepare: 2, accept: 1 },
      '`weights` has replica 5, which the cluster does not have',
    ],
  ])('of %j says why', (description, message) => {
    expect(quorumProblem(description, four)).toBe(message);
  });

  it('of a grid with a row too short shows a row that misses a column', () => {
    const rows = [four.slice(0, 3), four.slice(3)];
    expect(quorumProblem({ kind: 'grid', rows }, four)).toContain(
      '4 would be enough to promise and 3 enough to accept',
    );
  });

  it('is thrown where a system is built that was not asked about before', () => {
    expect(() => quorumSystem({ kind: 'flexible', prepare: 2, accept: 2 }, four)).toThrow('share no replica');
  });

  it('comes for no replicas, for too many, and for one that is listed twice', () => {
    expect(quorumProblem({ kind: 'majority' }, [])).toBe('there are no replicas');
    expect(quorumProblem({ kind: 'majority' }, upTo(19).map(replicaId))).toContain('19 replicas');
    expect(quorumProblem({ kind: 'majority' }, [1, 1].map(replicaId))).toContain('listed twice');
  });
});

describe('every kind of quorums', () => {
  const described: readonly (readonly [Meant, string])[] = [
    [isMajority(4), 'majority of 4'],
    [isFlexible(3, 2), 'flexible: 3 of 4 promise, 2 accept'],
    [isGrid(2, 2), 'grid: a row of 10 11 / 12 13 promises, a column accepts'],
    [isWeighted([2, 1, 1, 0], 3, 2), 'weighted: 3 of 10x2 11x1 12x1 13x0 promise, 2 accept'],
  ];

  it('has a name of its own', () => {
    const names = described.map(([{ description }]) => quorumSystem(description, replicas(4)).name);
    expect(names).toEqual(described.map(([, name]) => name));
  });

  it('is the same after a way through bytes', () => {
    for (const [{ description }] of described)
      expect(codec.decode(quorumDescription, codec.encode(quorumDescription, description))).toEqual(
        description,
      );
  });

  it('has these bytes: they are on disk', () => {
    const hex = described.map(([{ description }]) =>
      codec.encode(quorumDescription, description).toString('hex'),
    );
    expect(hex).toEqual(['01', '020302', '0302020a0b020c0d', '04040a020b010c010d000302']);
  });

  it('does not count strangers, nor a replica twice that is listed twice', () => {
    const strangers = [1, 2, 3, 4, 5].map(replicaId);
    for (const [{ description }] of described) {
      const system = asDescribed(description, [...replicas(4), replicaId(10)]);
      for (const mask of masks(4)) {
        const ids = setOf(mask, replicas(4));
        expect(system.isAcceptQuorum(new Set([...ids, ...strangers]))).toBe(system.isAcceptQuorum(ids));
        expect(system.isPrepareQuorum(new Set([...ids, ...strangers]))).toBe(system.isPrepareQuorum(ids));
      }
    }
    expect(majority([10, 10, 11, 12].map(replicaId)).isAcceptQuorum(new Set([replicaId(10)]))).toBe(false);
  });
});
