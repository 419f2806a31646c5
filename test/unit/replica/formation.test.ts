import { describe, expect, it } from '@jest/globals';
import { replicaId, type ReplicaId } from '../../../src/kernel/index.js';
import { standing } from '../../../src/replica/formation.js';
import type { DiskIdentity } from '../../../src/replica/index.js';

const [one, two, three] = [1, 2, 3].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId];
const all = [one, two, three];
const identity = (
  self: ReplicaId,
  incarnation: string,
  formedWith: Record<string, string> = {},
): DiskIdentity => ({
  clusterId: 'c',
  replicaId: self,
  shards: 1,
  incarnation,
  formedWith,
});
const hello = (incarnation: string, formedWith: Record<string, string> = {}) => ({ incarnation, formedWith });
const formed = { 1: 'a', 2: 'b', 3: 'c' };

describe('standing', () => {
  it('waits until every replica was met', () => {
    expect(standing(one, identity(one, 'a'), all, new Map([[two, hello('b')]]))).toEqual({
      kind: 'forming',
      missing: [three],
    });
  });

  it('forms once all have met, and remembers every disk', () => {
    const met = new Map([
      [two, hello('b')],
      [three, hello('c')],
    ]);
    expect(standing(one, identity(one, 'a'), all, met)).toEqual({ kind: 'voter', formedWith: formed });
  });

  it('joins peers that formed with this very disk a moment ago', () => {
    const met = new Map([
      [two, hello('b', formed)],
      [three, hello('c')],
    ]);
    expect(standing(one, identity(one, 'a'), all, met).kind).toBe('voter');
  });

  it('votes at once after a restart, without meeting anyone', () => {
    expect(standing(one, identity(one, 'a', formed), all, new Map()).kind).toBe('voter');
  });

  it('does not vote with an empty disk under an old name, whoever it meets first', () => {
    const wiped = identity(one, 'z');
    expect(standing(one, wiped, all, new Map())).toMatchObject({ kind: 'forming' });
    expect(standing(one, wiped, all, new Map([[three, hello('c', formed)]]))).toEqual({
      kind: 'learner',
      reportedBy: three,
      expected: 'a',
    });
  });

  it('does not vote with a disk that was renamed because it rotted', () => {
    expect(standing(one, identity(one, 'z', formed), all, new Map())).toMatchObject({
      kind: 'learner',
      reportedBy: one,
    });
  });

  it('is a cluster of its own when it is alone in the configuration', () => {
    expect(standing(one, identity(one, 'a'), [one], new Map())).toEqual({
      kind: 'voter',
      formedWith: { 1: 'a' },
    });
  });
});
