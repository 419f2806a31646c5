import { describe, expect, it } from '@jest/globals';
import { replicaId, type ReplicaId } from '../../../src/kernel/index.js';
import { majority, type QuorumSystem } from '../../../src/paxos/index.js';

const REPLICAS_MAX = 7;
const sizes = Array.from({ length: REPLICAS_MAX }, (_, i) => i + 1);

const replicas = (count: number): readonly ReplicaId[] =>
  Array.from({ length: count }, (_, i) => replicaId(10 + i));

/** Every subset, as a bit mask and as a set of ids. */
function subsets(
  of: readonly ReplicaId[],
): readonly { readonly mask: number; readonly ids: Set<ReplicaId> }[] {
  return Array.from({ length: 2 ** of.length }, (_, mask) => ({
    mask,
    ids: new Set(of.filter((_id, i) => (mask >> i) & 1)),
  }));
}

/** Two disjoint quorums, if the system has any: a prepare quorum that misses an accept quorum. */
function disjoint(system: QuorumSystem, of: readonly ReplicaId[]): string | undefined {
  const all = subsets(of);
  const prepares = all.filter(({ ids }) => system.isPrepareQuorum(ids));
  const accepts = all.filter(({ ids }) => system.isAcceptQuorum(ids));
  for (const prepare of prepares)
    for (const accept of accepts)
      if ((prepare.mask & accept.mask) === 0)
        return `{${[...prepare.ids].join()}} {${[...accept.ids].join()}}`;
  return undefined;
}

describe('majorities', () => {
  it.each(sizes)('of %i replicas: every prepare quorum meets every accept quorum', (count) => {
    const of = replicas(count);
    expect(disjoint(majority(of), of)).toBeUndefined();
  });

  it.each(sizes)('of %i replicas are the sets of more than half, and no others', (count) => {
    const of = replicas(count);
    const system = majority(of);
    for (const { ids } of subsets(of)) {
      expect(system.isPrepareQuorum(ids)).toBe(ids.size * 2 > count);
      expect(system.isAcceptQuorum(ids)).toBe(ids.size * 2 > count);
    }
  });

  it.each(sizes)('of %i replicas stay quorums when more answer', (count) => {
    const of = replicas(count);
    const system = majority(of);
    for (const { ids } of subsets(of))
      if (system.isAcceptQuorum(ids))
        for (const id of of) expect(system.isAcceptQuorum(new Set([...ids, id]))).toBe(true);
  });

  it('do not count strangers', () => {
    const system = majority(replicas(3));
    const strangers = [replicaId(1), replicaId(2), replicaId(3)];
    expect(system.isAcceptQuorum(new Set(strangers))).toBe(false);
    expect(system.isAcceptQuorum(new Set([replicaId(10), ...strangers]))).toBe(false);
    expect(system.isPrepareQuorum(new Set([replicaId(10), replicaId(12), ...strangers]))).toBe(true);
  });

  it('do not count a replica twice that is listed twice', () => {
    const system = majority([replicaId(1), replicaId(1), replicaId(2), replicaId(3)]);
    expect(system.isAcceptQuorum(new Set([replicaId(1), replicaId(2)]))).toBe(true);
    expect(system.isAcceptQuorum(new Set([replicaId(1)]))).toBe(false);
  });
});

describe('the intersection check', () => {
  it('finds the two halves that a careless system lets pass', () => {
    const of = replicas(4);
    const half = (ids: ReadonlySet<ReplicaId>): boolean => ids.size >= 2;
    expect(disjoint({ name: 'half', isPrepareQuorum: half, isAcceptQuorum: half }, of)).toBe(
      '{10,11} {12,13}',
    );
  });
});
