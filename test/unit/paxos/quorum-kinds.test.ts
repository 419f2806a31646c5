import { describe, expect, it } from '@jest/globals';
import { monotonicMs, replicaId } from '../../../src/kernel/index.js';
import { type QuorumDescription, quorumSystem } from '../../../src/paxos/index.js';
// Behind the door on purpose: rounds are the leader's own.
import { Rounds } from '../../../src/paxos/rounds.js';
import { type Letter, Stage } from './stage.js';

/**
 * 1 2 3
 * 4 5 6   A row promises, a column accepts: who takes one kind for the other decides with the wrong replicas.
 */
const GRID: QuorumDescription = { kind: 'grid', rows: [[1, 2, 3].map(replicaId), [4, 5, 6].map(replicaId)] };

const from = (letter: Letter, kinds: readonly string[], senders: readonly number[]): boolean =>
  kinds.includes(letter.message.kind) && senders.includes(letter.from);

function led(): Stage {
  const stage = new Stage('a grid of six', { replicas: 6, quorums: GRID });
  stage.mute(true);
  stage.runUntil('replica 1 serves', () => stage.isServing(1));
  return stage;
}

describe('in a grid of two rows of three', () => {
  it('a candidate leads with the promises of a row, not with those of two columns', () => {
    const stage = new Stage('promises', { replicas: 6, quorums: GRID });
    stage.mute(true);
    stage.post((letter) => (from(letter, ['promise'], [3, 6]) ? 'hold' : 'deliver'));
    stage.runUntil('it campaigns', () => stage.status(1).leadership.role === 'candidate');
    stage.run(15);
    expect(stage.status(1).leadership.role).toBe('candidate');
    stage.release();
    stage.run(2);
    expect(stage.status(1).leadership.role).toBe('leader');
  });

  it('a value is chosen by a column, not by a row', () => {
    const stage = led();
    const loses = (senders: readonly number[]) => (letter: Letter) =>
      from(letter, ['accepted', 'heartbeatReply'], senders) ? 'lose' : 'deliver';
    stage.post(loses([4, 5, 6]));
    stage.propose(1, 'by a row');
    stage.run(15);
    expect(stage.answers).toEqual([]);
    stage.post(loses([2, 3, 5, 6]));
    stage.runUntil('a column has it', () => stage.answers.includes('by a row chosen'));
  });

  it('a lease and a read are confirmed by a column, not by a row', () => {
    const all = [1, 2, 3, 4, 5, 6].map(replicaId);
    const rounds = new Rounds(replicaId(1), quorumSystem(GRID, all), 100, 0.1);
    rounds.await(7, 1);
    rounds.begin(1, monotonicMs(1_000));
    for (const id of [2, 3]) expect(rounds.acknowledge(replicaId(id), 1)).toEqual([]);
    expect(rounds.leaseUntil).toBeUndefined();
    expect(rounds.acknowledge(replicaId(4), 1)).toEqual([7]);
    expect(rounds.leaseUntil).toBe(1_090);
  });

  it('a leader that hears its column alone goes on, and nobody campaigns against it', () => {
    const stage = led();
    for (const id of [2, 3, 5, 6]) stage.cutBoth(1, id);
    const { served } = stage;
    const before = served.length;
    stage.run(600);
    expect(stage.isServing(1)).toBe(true);
    expect(served).toHaveLength(before);
    stage.propose(1, 'on');
    stage.run(10);
    expect(stage.answers).toContain('on chosen');
  });

  it('who reaches a row and no column does not campaign, and leaves it to those who could also accept', () => {
    const priorities = [5, 0, 0, 4, 0, 0];
    const stage = new Stage('electable', { replicas: 6, quorums: GRID, priorities });
    stage.mute(true);
    stage.runUntil('replica 1 serves', () => stage.isServing(1));
    // Without replica 1 the first column cannot accept. Replica 4 reaches its row, and nobody of the other one.
    for (const id of [2, 3]) stage.cutBoth(4, id);
    stage.run(50);
    stage.crash(1);
    const others = [2, 3, 5, 6];
    for (let ms = 0; !others.some((id) => stage.isServing(id)); ms++) {
      expect(stage.status(4).leadership.role).toBe('follower');
      expect(ms).toBeLessThan(400);
      stage.run(1);
    }
    stage.run(400);
    expect(others.filter((id) => stage.isServing(id))).toHaveLength(1);
  });
});
