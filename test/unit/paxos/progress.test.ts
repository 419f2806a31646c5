import { describe, expect, it } from '@jest/globals';
import {
  monotonicMs,
  NO_SLOT,
  type ReplicaId,
  replicaId,
  seededRandom,
  type Slot,
  slot,
} from '../../../src/kernel/index.js';
import { majority, type QuorumSystem, quorumSystem } from '../../../src/paxos/index.js';
// Behind the door on purpose: what a leader knows of its peers is the core's own.
import { acceptedByQuorum, newPeer } from '../../../src/paxos/progress.js';

const marksOf = (...through: readonly number[]): Map<ReplicaId, Slot> =>
  new Map(through.map((mark, i) => [replicaId(i + 1), slot(mark)]));
const majorityOf = (marks: ReadonlyMap<ReplicaId, Slot>): QuorumSystem => majority([...marks.keys()]);

describe('what an accept quorum has accepted', () => {
  it('is the middle mark of three', () => {
    const marks = marksOf(9, 4, 7);
    expect(acceptedByQuorum(marks, majorityOf(marks))).toBe(7);
  });

  it('is nothing while the quorum has nothing', () => {
    const marks = marksOf(9, 0, 0);
    expect(acceptedByQuorum(marks, majorityOf(marks))).toBe(NO_SLOT);
    expect(acceptedByQuorum(new Map(), majority([replicaId(1)]))).toBe(NO_SLOT);
  });
  it('is asked for above what is known', () => {
    const marks = marksOf(9, 4, 1);
    const chosenAbove = (above: number) => acceptedByQuorum(marks, majorityOf(marks), slot(above));
    expect([0, 1, 3].map(chosenAbove)).toEqual([4, 4, 4]);
    expect([4, 5, 9].map(chosenAbove)).toEqual([NO_SLOT, NO_SLOT, NO_SLOT]);
  });

  it('does not count those that do not vote: they have no mark', () => {
    const marks = marksOf(9, 9, 4);
    marks.delete(replicaId(2));
    expect(acceptedByQuorum(marks, majority([1, 2, 3].map(replicaId)))).toBe(4);
  });

  it('asks which replicas, not how many', () => {
    // A column of a grid: 1 and 3, or 2 and 4.
    const rows = [[1, 2].map(replicaId), [3, 4].map(replicaId)];
    const grid = quorumSystem({ kind: 'grid', rows }, [1, 2, 3, 4].map(replicaId));
    expect(acceptedByQuorum(marksOf(9, 8, 1, 2), grid)).toBe(2);
    expect(acceptedByQuorum(marksOf(9, 8, 7, 2), grid)).toBe(7);
  });

  it('is what counting slot by slot finds, for random marks of up to seven replicas', () => {
    const random = seededRandom(5);
    for (let run = 0; run < 2000; run++) {
      const marks = marksOf(...Array.from({ length: 1 + random.below(7) }, () => random.below(8)));
      let wanted = 0;
      for (let at = 1; at <= 8; at++) {
        const holders = [...marks.values()].filter((mark) => mark >= at).length;
        if (holders * 2 > marks.size) wanted = at;
      }
      expect(acceptedByQuorum(marks, majorityOf(marks))).toBe(wanted);
    }
  });
});

describe('a peer nobody has heard of yet', () => {
  it('is silent, has nothing, and is presumed to vote, not to be content and not to be fit to lead', () => {
    expect(newPeer(replicaId(2), monotonicMs(50))).toMatchObject({
      id: 2,
      heardAt: undefined,
      steadySince: undefined,
      answeredAt: undefined,
      content: false,
      votes: true,
      electable: false,
      matched: NO_SLOT,
      next: 1,
      progressAt: 50,
    });
  });
});
