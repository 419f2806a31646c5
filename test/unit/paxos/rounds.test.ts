import { describe, expect, it } from '@jest/globals';
import { monotonicMs, replicaId } from '../../../src/kernel/index.js';
import { majority } from '../../../src/paxos/index.js';
// Behind the door on purpose: rounds are the leader's own.
import { Rounds } from '../../../src/paxos/rounds.js';

const [SELF, SECOND, THIRD] = [replicaId(1), replicaId(2), replicaId(3)];
const LEASE_MS = 100;
const DRIFT = 0.1;

const leaderOf = (...replicas: readonly number[]): Rounds =>
  new Rounds(SELF, majority(replicas.map(replicaId)), LEASE_MS, DRIFT);

describe('heartbeat rounds of a leader', () => {
  it('give a lease from the moment the round was sent, less the drift of clocks', () => {
    const rounds = leaderOf(1, 2, 3);
    rounds.begin(1, monotonicMs(1000));
    expect(rounds.leaseUntil).toBeUndefined();
    rounds.acknowledge(SECOND, 1);
    expect([rounds.leaseUntil, rounds.confirmedAt]).toEqual([1090, 1000]);
  });

  it('need an accept quorum of different replicas for the same round', () => {
    const rounds = leaderOf(1, 2, 3, 4, 5);
    rounds.begin(1, monotonicMs(0));
    rounds.begin(2, monotonicMs(10));
    rounds.acknowledge(SECOND, 1);
    rounds.acknowledge(SECOND, 1);
    rounds.acknowledge(THIRD, 2);
    expect(rounds.leaseUntil).toBeUndefined();
    rounds.acknowledge(THIRD, 1);
    expect(rounds.leaseUntil).toBe(90);
    rounds.acknowledge(SECOND, 2);
    expect(rounds.leaseUntil).toBe(100);
  });

  it('never take a lease back in time when an older round is answered late', () => {
    const rounds = leaderOf(1, 2, 3);
    rounds.begin(1, monotonicMs(0));
    rounds.begin(2, monotonicMs(10));
    rounds.acknowledge(SECOND, 2);
    rounds.acknowledge(THIRD, 1);
    expect(rounds.leaseUntil).toBe(100);
  });

  it('confirm the reads that waited for this round or an earlier one, and no others', () => {
    const rounds = leaderOf(1, 2, 3);
    rounds.await(7, 2);
    rounds.await(8, 3);
    rounds.begin(1, monotonicMs(0));
    rounds.begin(2, monotonicMs(10));
    expect(rounds.acknowledge(SECOND, 1)).toEqual([]);
    expect(rounds.acknowledge(SECOND, 2)).toEqual([7]);
    rounds.begin(3, monotonicMs(20));
    expect(rounds.acknowledge(THIRD, 3)).toEqual([8]);
  });

  it('are confirmed by being sent, in a cluster of one', () => {
    const rounds = leaderOf(1);
    rounds.await(7, 1);
    expect(rounds.begin(1, monotonicMs(0))).toEqual([7]);
    expect(rounds.leaseUntil).toBe(90);
  });

  it('do not renew a lease that was given up', () => {
    const rounds = leaderOf(1, 2, 3);
    rounds.begin(1, monotonicMs(0));
    rounds.abandon();
    rounds.acknowledge(SECOND, 1);
    expect(rounds.leaseUntil).toBeUndefined();
  });

  it('name the reads that a leader who steps down must fail', () => {
    const rounds = leaderOf(1, 2, 3);
    rounds.begin(1, monotonicMs(0));
    rounds.acknowledge(SECOND, 1);
    rounds.await(7, 2);
    expect(rounds.abandon()).toEqual([7]);
    expect([rounds.leaseUntil, rounds.confirmedAt, rounds.abandon()]).toEqual([undefined, undefined, []]);
  });
});
