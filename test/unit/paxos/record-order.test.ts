import { describe, expect, it } from '@jest/globals';
import { replicaId, shardId, slot } from '../../../src/kernel/index.js';
import { type Ballot, BALLOT_ZERO, type HardRecord, RecordOrder } from '../../../src/paxos/index.js';

const ballot = (round: number): Ballot => ({ round, priority: 1, replica: replicaId(1) });
const promised = (round: number): HardRecord => ({ kind: 'promised', ballot: ballot(round) });
const accepted = (round: number, firstSlot: number, count = 1): HardRecord => ({
  kind: 'accepted',
  ballot: round === 0 ? BALLOT_ZERO : ballot(round),
  firstSlot: slot(firstSlot),
  entries: Array.from({ length: count }, () => ({ kind: 'noop' })),
});
const chosen = (through: number): HardRecord => ({ kind: 'chosen', through: slot(through) });
const snapshot = (through: number): HardRecord => ({ kind: 'snapshot', through: slot(through) });

function inOrder(records: readonly HardRecord[], snapshotThrough = 0): void {
  const order = new RecordOrder(shardId(3), slot(snapshotThrough));
  for (const record of records) order.add(record);
}

describe('the records of a shard', () => {
  it.each<[string, readonly HardRecord[], number]>([
    [
      'a life: promise, values, what is chosen',
      [promised(1), accepted(1, 1, 3), chosen(2), accepted(1, 4)],
      0,
    ],
    [
      'values of a new leader over older ones',
      [accepted(1, 1, 5), promised(2), accepted(2, 3), accepted(2, 4)],
      0,
    ],
    ['a learned value of an older ballot than the promise', [promised(5), accepted(2, 1), chosen(1)], 0],
    ['a snapshot of a peer, and what follows it', [accepted(1, 1), snapshot(9), accepted(1, 10)], 0],
    ['values behind the snapshot on disk, where those before it were not synced', [accepted(2, 8)], 7],
    [
      'a base after the older log that it repeats, when a crash kept both',
      [promised(1), accepted(1, 1, 9), chosen(8), promised(1), snapshot(4), accepted(1, 5, 5), chosen(8)],
      7,
    ],
  ])('may be %s', (_what, records, snapshotThrough) => {
    expect(() => inOrder(records, snapshotThrough)).not.toThrow();
  });

  it.each<[string, readonly HardRecord[]]>([
    ['record 2: promised.ballot 1.1@1 is at least 2.1@1', [promised(2), promised(1)]],
    ['record 2: accepted.firstSlot 3 is in 1..2', [accepted(1, 1), accepted(1, 3)]],
    ['record 3: accepted.firstSlot 4 is in 5..6', [accepted(1, 1, 5), snapshot(4), accepted(1, 4)]],
    ['record 1: accepted.firstSlot 0 is in 1..1', [accepted(1, 0)]],
    ['record 1: accepted.ballot 0.0@-1 is above 0.0@-1', [accepted(0, 1)]],
    ['record 1: accepted.entries is not empty', [accepted(1, 1, 0)]],
    ['record 2: chosen.through 3 is in 0..2', [accepted(1, 1, 2), chosen(3)]],
    ['record 3: chosen.through 1 is in 2..2', [accepted(1, 1, 2), chosen(2), chosen(1)]],
    ['record 2: snapshot.through 3 is in 4..Infinity', [snapshot(4), snapshot(3)]],
  ])('%s, or it is refused', (problem, records) => {
    expect(() => inOrder(records.slice(0, -1))).not.toThrow();
    expect(() => inOrder(records)).toThrow(`broken invariant: shard 3, ${problem}`);
  });
});
