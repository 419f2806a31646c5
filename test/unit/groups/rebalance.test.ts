import { beforeEach, describe, expect, it } from '@jest/globals';
import { groupId } from '../../../src/kernel/index.js';
import { decodeAssignment } from '../../harness/consumer-protocol.js';
import { answerOf, GROUP, GroupsWorld, TOPIC } from './world.js';

let world: GroupsWorld;
beforeEach(() => {
  world = new GroupsWorld();
});
const joinAnswers = (): Record<string, string> =>
  Object.fromEntries(world.told('join-answer').map(({ memberId, answer }) => [memberId, answer.error]));
const records = () => world.groups.rebalances(groupId(GROUP));

describe('the first rebalance', () => {
  it('ends 100 ms after the last joiner', () => {
    world.join({ newId: 'A' });
    world.pass(90);
    world.join({ newId: 'B' });
    world.pass(90);
    expect(joinAnswers()).toEqual({});
    world.pass(10);
    expect(joinAnswers()).toEqual({ A: 'NONE', B: 'NONE' });
    expect(world.state).toBe('CompletingRebalance');
  });

  it('ends after 3 s and 2 ms a joiner though joiners keep coming', () => {
    let joiners = 0;
    for (; joiners < 60 && world.state !== 'CompletingRebalance'; joiners++) {
      world.join({ newId: `m${joiners}` });
      world.pass(80);
    }
    expect(world.state).toBe('CompletingRebalance');
    expect(records()[0]!.joinedAt! - records()[0]!.startedAt).toBe(3_000 + 2 * joiners);
  });

  it('can be kept in a snapshot at any moment of it: times have fractions of a millisecond', () => {
    world.at += 0.25;
    for (let i = 0; i < 40; i++) {
      world.join({ newId: `m${i}` });
      expect(world.snapshot().length).toBeGreaterThan(0);
      world.pass(79.7);
    }
  });

  it('takes thousands that arrive within seconds in one generation', () => {
    for (let i = 0; i < 2_000; i++) {
      world.join({ newId: `m${i}` });
      if (i % 10 === 9) world.pass(30);
    }
    expect(joinAnswers()).toEqual({});
    world.pass(100);
    expect(Object.keys(joinAnswers())).toHaveLength(2_000);
  });

  it('waits for who was just handed an id (KIP-394), but no longer than the quiet time', () => {
    world.join({ newId: 'A' });
    expect(answerOf(world.join({ newId: 'B', idRequired: true }))).toBe('MEMBER_ID_REQUIRED');
    world.pass(90);
    expect(joinAnswers()).toEqual({});
    world.join({ id: 'B', idRequired: true });
    world.pass(100);
    expect(joinAnswers()).toEqual({ A: 'NONE', B: 'NONE' });

    const other = new GroupsWorld();
    other.join({ newId: 'A' });
    other.join({ newId: 'B', idRequired: true, sessionMs: 60_000 });
    other.pass(100);
    expect(other.told('join-answer').map(({ memberId }) => memberId)).toEqual(['A']);
  });

  it('gives a dynamic member its id once: who never comes back leaves nothing behind', () => {
    world.join({ newId: 'ghost', idRequired: true, sessionMs: 5_000 });
    world.pass(5_000);
    expect(answerOf(world.join({ id: 'ghost', idRequired: true }))).toBe('UNKNOWN_MEMBER_ID');
    expect(world.members).toEqual([]);
  });
});

describe('stop: a rebalance', () => {
  it('tells members on their next heartbeat, waits for all of them, and no longer', () => {
    world.stable('A', 'B');
    world.forget();
    world.join({ newId: 'C' });
    expect(world.heartbeat('A')).toBe('REBALANCE_IN_PROGRESS');
    world.join({ id: 'A' });
    expect(joinAnswers()).toEqual({});
    world.join({ id: 'B' });
    expect(joinAnswers()).toEqual({ A: 'NONE', B: 'NONE', C: 'NONE' });
    expect(world.generation).toBe(2);
  });

  it('gives up who did not stop in time, and says who', () => {
    for (const id of ['A', 'B']) world.join({ newId: id, rebalanceMs: 5_000, sessionMs: 60_000 });
    world.pass(200);
    world.sync('A', { A: [0], B: [1] });
    world.join({ newId: 'C', rebalanceMs: 5_000 });
    world.join({ id: 'A', rebalanceMs: 5_000 });
    world.forget();
    world.pass(4_999);
    expect(joinAnswers()).toEqual({});
    world.pass(1);
    expect(joinAnswers()).toEqual({ A: 'NONE', C: 'NONE' });
    expect(world.told('member-left')).toMatchObject([{ memberId: 'B', cause: 'missed-rebalance' }]);
    expect(records().at(-1)!.stragglers).toMatchObject([{ memberId: 'B', removed: true }]);
    expect(world.heartbeat('B')).toBe('UNKNOWN_MEMBER_ID');
  });

  it.each([
    ['leaves', () => world.leave({ id: 'B' })],
    ['is not heard of any more', () => world.pass(10_000)],
  ])('goes on at once when the last one missing %s', (_how, away) => {
    world.stable('A', 'B');
    world.join({ newId: 'C' });
    world.join({ id: 'A' });
    world.forget();
    away();
    expect(joinAnswers()).toMatchObject({ A: 'NONE', C: 'NONE' });
    expect(world.members).not.toContain('B');
  });

  it('lets the old generation commit while it stops, and no longer', () => {
    world.stable('A', 'B');
    world.join({ newId: 'C' });
    expect(answerOf(world.commit('A', 0, 7))).toBe('NONE');
    const old = world.generation;
    world.join({ id: 'A' });
    world.join({ id: 'B' });
    expect(answerOf(world.commit('A', 0, 8, { generation: old }))).toBe('ILLEGAL_GENERATION');
    expect(answerOf(world.commit('A', 0, 8))).toBe('REBALANCE_IN_PROGRESS');
    expect(world.committed(0)).toBe(7);
  });
});

describe('align: the next generation', () => {
  it('votes for the protocol that most support first', () => {
    world.join({ newId: 'A', protocols: ['range', 'sticky'] });
    world.join({ newId: 'B', protocols: ['sticky', 'range'] });
    world.join({ newId: 'C', protocols: ['sticky', 'range', 'other'] });
    world.pass(200);
    expect(world.protocol).toBe('sticky');
  });

  it('hands each follower what the leader gave it, and an empty assignment who got nothing', () => {
    for (const id of ['A', 'B', 'C']) world.join({ newId: id });
    world.pass(200);
    expect(answerOf(world.sync('B'))).toBe('waits');
    world.sync('A', { A: [0, 2], B: [1] });
    world.sync('C');
    const told = Object.fromEntries(
      world.told('sync-answer').map(({ memberId, answer }) => [memberId, Buffer.from(answer.assignment)]),
    );
    expect(decodeAssignment(told['B']!)).toEqual({ [TOPIC]: [1] });
    const reply = world.sync('C');
    if (reply.kind !== 'sync') throw new Error('expected an answer');
    expect(reply.answer.assignment.length).toBeGreaterThan(0);
    expect(decodeAssignment(Buffer.from(reply.answer.assignment))).toEqual({});
  });

  it('drops who never syncs, and shares anew', () => {
    for (const id of ['A', 'B']) world.join({ newId: id, rebalanceMs: 5_000, sessionMs: 60_000 });
    world.pass(200);
    world.sync('A', { A: [0], B: [1] });
    world.forget();
    world.pass(5_000);
    expect(world.told('member-left')).toMatchObject([{ memberId: 'B', cause: 'missed-sync' }]);
    expect(world.heartbeat('A')).toBe('REBALANCE_IN_PROGRESS');
  });

  it('ends a rebalance that a join overtakes before it was stable', () => {
    for (const id of ['A', 'B']) world.join({ newId: id });
    world.pass(200);
    world.sync('B');
    world.forget();
    world.join({ newId: 'C' });
    expect(world.told('sync-answer')).toMatchObject([
      { memberId: 'B', answer: { error: 'REBALANCE_IN_PROGRESS' } },
    ]);
    expect(records().map(({ outcome }) => outcome)).toEqual(['overtaken', 'running']);
  });
});

describe('static members (KIP-345)', () => {
  const stableStatic = (): void => {
    world.join({ newId: 'A-1', instance: 'a' });
    world.join({ newId: 'B-1', instance: 'b' });
    world.pass(200);
    world.sync('A-1', { 'A-1': [0], 'B-1': [1] }, { instance: 'a' });
    world.sync('B-1', {}, { instance: 'b' });
    world.forget();
  };

  it('a new process takes the place and the assignment of the old one, without a rebalance', () => {
    stableStatic();
    const before = world.generation;
    expect(answerOf(world.join({ newId: 'B-2', instance: 'b' }))).toBe('NONE');
    expect(world.state).toBe('Stable');
    expect(world.generation).toBe(before);
    const reply = world.sync('B-2', {}, { instance: 'b' });
    if (reply.kind !== 'sync') throw new Error('expected an answer');
    expect(decodeAssignment(Buffer.from(reply.answer.assignment))).toEqual({ [TOPIC]: [1] });
  });

  it('the old process is fenced in everything it does', () => {
    stableStatic();
    world.join({ newId: 'B-2', instance: 'b' });
    const instance = { instance: 'b' };
    expect(world.heartbeat('B-1', instance)).toBe('FENCED_INSTANCE_ID');
    expect(answerOf(world.sync('B-1', {}, instance))).toBe('FENCED_INSTANCE_ID');
    expect(answerOf(world.commit('B-1', 1, 5, instance))).toBe('FENCED_INSTANCE_ID');
    expect(answerOf(world.join({ id: 'B-1', instance: 'b' }))).toBe('FENCED_INSTANCE_ID');
    expect(answerOf(world.leave({ id: 'B-1', instance: 'b' }))).toBe('FENCED_INSTANCE_ID');
    expect(world.members).toContain('B-2');
    expect(world.committed(1)).toBeUndefined();
  });

  it('takes the token of what the old one owned', () => {
    stableStatic();
    const before = world.fences();
    world.join({ newId: 'B-2', instance: 'b' });
    const after = world.fences();
    expect(after.get(`${GROUP}/${TOPIC}/0`)).toEqual(before.get(`${GROUP}/${TOPIC}/0`));
    expect(after.get(`${GROUP}/${TOPIC}/1`)!.owner).toBe('B-2');
    expect(after.get(`${GROUP}/${TOPIC}/1`)!.token).toBeGreaterThan(before.get(`${GROUP}/${TOPIC}/1`)!.token);
  });

  it('an administrator removes one by its name', () => {
    stableStatic();
    expect(answerOf(world.leave({ instance: 'b' }))).toBe('NONE');
    expect(world.members).toEqual(['A-1']);
    expect(world.told('member-left')).toMatchObject([{ memberId: 'B-1', cause: 'removed' }]);
  });

  it('who comes back while the group prepares stands at the barrier', () => {
    stableStatic();
    world.join({ newId: 'C', instance: 'c' });
    expect(answerOf(world.join({ newId: 'B-2', instance: 'b' }))).toBe('waits');
    world.join({ id: 'A-1', instance: 'a' });
    expect(joinAnswers()).toMatchObject({ 'A-1': 'NONE', 'B-2': 'NONE', C: 'NONE' });
  });
});

describe('sessions', () => {
  it('end when nothing is heard for the timeout, and not before', () => {
    world.stable('A', 'B');
    world.pass(8_000);
    world.heartbeat('A');
    expect(world.members).toEqual(['A', 'B']);
    world.pass(1_999);
    expect(world.members).toEqual(['A', 'B']);
    world.pass(1);
    expect(world.members).toEqual(['A']);
  });

  it('are looked at again when the expiry is applied: a member that was heard in between stays', () => {
    world.stable('A', 'B');
    const armed = world.groups
      .timers()
      .find(({ timer }) => timer.kind === 'session' && timer.member === 'B')!;
    // The leader proposed an expiry, and B's JoinGroup came before it was chosen.
    world.join({ id: 'B', protocols: ['range', 'sticky'] });
    world.join({ id: 'A' });
    world.apply({ kind: 'group.expire', group: groupId(GROUP), timer: armed.timer, token: armed.token });
    expect(world.members).toEqual(['A', 'B']);
  });

  it('are full again after a failover', () => {
    world.stable('A', 'B');
    world.pass(9_000);
    world.failOver();
    world.pass(9_999);
    expect(world.members).toEqual(['A', 'B']);
    world.pass(1);
    expect(world.members).toEqual([]);
  });
});

describe('generations and history', () => {
  it('never repeat, not even when the group was deleted and made again', () => {
    const seen: number[] = [];
    for (let life = 0; life < 3; life++) {
      world.stable('A', 'B');
      seen.push(world.generation);
      world.leave({ id: 'A' }, { id: 'B' });
      expect(answerOf(world.apply({ kind: 'group.delete', group: groupId(GROUP) }).reply)).toBe('NONE');
      expect(world.state).toBe('missing');
      world.failOver();
    }
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(seen).toHaveLength(3);
  });

  it('a rebalance in flight survives a failover: who joined is counted, who knows its id is taken back', () => {
    world.stable('A', 'B');
    world.join({ newId: 'C' });
    world.join({ id: 'A' });
    world.takeOver();
    expect(world.state).toBe('PreparingRebalance');
    world.forget();
    // A is counted; C has not had an answer yet. All ask again, because their requests were lost with the leader.
    world.join({ id: 'C' });
    world.join({ id: 'B' });
    expect(joinAnswers()).toEqual({ A: 'NONE', B: 'NONE', C: 'NONE' });
    expect(answerOf(world.join({ id: 'A' }))).toBe('NONE');
    world.takeOver();
    expect(world.state).toBe('CompletingRebalance');
    world.sync('A', { A: [0], B: [1], C: [2] });
    expect(world.state).toBe('Stable');
  });

  it('a client that never heard its id because the coordinator died neither leads nor is waited for', () => {
    world.join({ newId: 'ghost' });
    world.takeOver();
    expect(world.state).toBe('PreparingRebalance');
    // As JoinGroup v0 to v3: it comes back without an id, and gets another one.
    world.join({ newId: 'A' });
    world.pass(3_000);
    expect(world.members).toEqual(['A']);
    world.sync('A', { A: [0, 1, 2] });
    expect(world.state).toBe('Stable');
    // The same while others are members: they are not stopped for longer than the quiet time.
    world.join({ newId: 'ghost-2' });
    world.takeOver();
    world.forget();
    world.join({ id: 'A' });
    world.pass(100);
    expect(joinAnswers()).toEqual({ A: 'NONE' });
    expect(world.members).toEqual(['A']);
  });

  it('keeps a record of each rebalance: trigger, members, phases, what moved', () => {
    world.stable('A', 'B');
    world.pass(1_000);
    world.join({ newId: 'C' });
    world.pass(40);
    world.join({ id: 'A' });
    world.pass(60);
    world.join({ id: 'B' });
    world.pass(5);
    world.sync('A', { A: [0], B: [2], C: [1] });
    const record = records().at(-1)!;
    expect(record).toMatchObject({
      trigger: { cause: 'member-joined', memberId: 'C' },
      generationBefore: 1,
      generation: 2,
      outcome: 'stable',
      members: 3,
      partitionsMoved: 2,
      // Who came last, and how long the others waited for it.
      stragglers: [{ memberId: 'B', waitedMs: 100, removed: false }],
    });
    expect(record.joinedAt! - record.startedAt).toBe(100);
    expect(record.stableAt! - record.joinedAt!).toBe(5);
  });

  it('keeps the last twenty', () => {
    world.stable('A', 'B');
    for (let i = 0; i < 60; i++) {
      world.join({ id: 'A' });
      world.join({ id: 'B' });
      world.sync('A', { A: [0], B: [1] });
    }
    expect(records()).toHaveLength(20);
    expect(records().at(-1)!.generation).toBe(world.generation);
  });
});

describe('offsets', () => {
  it('live as long as the group uses their topic, and their time runs from when it stopped', () => {
    world.stable('A');
    world.commit('A', 0, 41);
    const sweep = (): void => {
      world.expire(60_000);
    };
    for (let i = 0; i < 20; i++) {
      world.pass(9_000);
      world.heartbeat('A');
      sweep();
    }
    expect(world.committed(0)).toBe(41);
    world.leave({ id: 'A' });
    world.pass(59_000);
    sweep();
    expect(world.committed(0)).toBe(41);
    world.pass(1_001);
    sweep();
    expect(world.committed(0)).toBeUndefined();
    expect(world.state).toBe('missing');
  });
});
