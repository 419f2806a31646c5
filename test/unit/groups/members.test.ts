import { beforeEach, describe, expect, it } from '@jest/globals';
import { groupId, memberId, topicName } from '../../../src/kernel/index.js';
import { encodeSubscription } from '../../harness/consumer-protocol.js';
import { answerOf, GROUP, GroupsWorld, TOPIC } from './world.js';

let world: GroupsWorld;
beforeEach(() => {
  world = new GroupsWorld();
});

/** i-1 leads, i-2 follows; both subscribe to TOPIC. */
function twoStatic(): void {
  world.join({ newId: 'A', instance: 'i-1' });
  world.join({ newId: 'B', instance: 'i-2' });
  world.pass(200);
  world.sync('A', { A: [0], B: [1] }, { instance: 'i-1' });
  world.sync('B', {}, { instance: 'i-2' });
  world.forget();
}

describe('a static member that comes back', () => {
  beforeEach(twoStatic);

  it.each([
    ['the leader with one topic more', 'i-1', [TOPIC, 'more']],
    ['a follower with one topic more', 'i-2', [TOPIC, 'more']],
    ['a follower with another topic', 'i-2', ['more']],
    ['a follower with no topic', 'i-2', []],
  ])('%s starts a rebalance', (_who, instance, topics) => {
    expect(answerOf(world.join({ newId: 'N', instance, topics }))).toBe('waits');
    expect(world.state).toBe('PreparingRebalance');
    expect(world.groups.rebalances(groupId(GROUP)).at(-1)!.trigger.cause).toBe('static-replaced');
  });

  it('with the same topics and other user data starts none', () => {
    const userData = Buffer.from('rack 7');
    const reply = world.join({
      newId: 'N',
      instance: 'i-2',
      metadata: encodeSubscription([TOPIC], userData),
    });
    expect(answerOf(reply)).toBe('NONE');
    expect(world.state).toBe('Stable');
  });

  it('needs no room in a full group, in whatever state the group is', () => {
    expect(answerOf(world.join({ newId: 'C', sizeMax: 2 }))).toBe('GROUP_MAX_SIZE_REACHED');
    expect(answerOf(world.join({ newId: 'A2', instance: 'i-1', sizeMax: 2 }))).toBe('NONE');
    world.join({ id: 'B', instance: 'i-2', topics: [TOPIC, 'more'], sizeMax: 2 });
    expect(world.state).toBe('PreparingRebalance');
    expect(answerOf(world.join({ newId: 'B2', instance: 'i-2', sizeMax: 1 }))).toBe('waits');
    world.join({ id: 'A2', instance: 'i-1', sizeMax: 2 });
    expect(world.state).toBe('CompletingRebalance');
    expect(answerOf(world.join({ newId: 'B3', instance: 'i-2', sizeMax: 2 }))).toBe('waits');
  });
});

describe('what was shared out', () => {
  it('counts the partitions of every subscribed topic, also of one that has none', () => {
    world.join({ newId: 'A', topics: [TOPIC, 'late'] });
    world.join({ newId: 'B' });
    world.pass(200);
    world.sync('A', { A: [0, 2], B: [1] });
    const asked = (leader: string) => world.groups.sharedOut(groupId(GROUP), memberId(leader));
    expect(asked('A')).toEqual(
      new Map([
        [topicName(TOPIC), 3],
        [topicName('late'), 0],
      ]),
    );
    expect(asked('B')).toBeUndefined();
    world.join({ newId: 'C' });
    expect(asked('A')).toBeUndefined();
  });

  it('is unknown when a payload cannot be read', () => {
    world.join({ newId: 'A', metadata: Buffer.from('?') });
    world.pass(200);
    world.sync('A', { A: [0] });
    expect(world.state).toBe('Stable');
    expect(world.groups.sharedOut(groupId(GROUP), memberId('A'))).toBeUndefined();
  });
});

describe('who waits in SyncGroup while the group leader is dead', () => {
  it('is alive: its session, which ends at the same moment, starts anew with the answer', () => {
    for (const id of ['A', 'B', 'C', 'D']) world.join({ newId: id, sessionMs: 4_000 });
    world.pass(200);
    for (const id of ['B', 'C', 'D']) expect(answerOf(world.sync(id))).toBe('waits');
    world.forget();
    world.pass(4_000);
    const told = world.told('sync-answer').map((news) => [news.memberId, news.answer.error]);
    expect(told).toEqual(['B', 'C', 'D'].map((id) => [id, 'REBALANCE_IN_PROGRESS']));
    expect(world.members).toEqual(['B', 'C', 'D']);
    for (const id of ['B', 'C', 'D']) expect(answerOf(world.join({ id, sessionMs: 4_000 }))).toBe('waits');
    expect(world.told('join-answer').map(({ answer }) => answer.error)).toEqual(['NONE', 'NONE', 'NONE']);
  });
});

describe('ids that were only handed out', () => {
  it('delay a barrier where all members stand for the quiet time at most, whenever they were handed out', () => {
    world.stable('A');
    world.join({ newId: 'X', idRequired: true });
    world.join({ newId: 'B', idRequired: true });
    world.join({ id: 'B' });
    world.forget();
    expect(answerOf(world.join({ id: 'A' }))).toBe('waits');
    expect(world.told('join-answer')).toEqual([]);
    world.pass(100);
    expect(world.told('join-answer').map(({ answer }) => answer.error)).toEqual(['NONE', 'NONE']);
    // X is older than the quiet time now, and nobody waits for it any more.
    world.join({ newId: 'C' });
    world.join({ id: 'A' });
    world.forget();
    world.join({ id: 'B' });
    expect(world.told('join-answer')).toHaveLength(3);
    // It may still join.
    expect(answerOf(world.join({ id: 'X' }))).toBe('waits');
  });

  it('cannot hold a barrier by asking for ids again and again', () => {
    world.stable('A');
    world.join({ newId: 'B' });
    world.join({ newId: 'X0', idRequired: true });
    world.join({ id: 'A' });
    world.pass(60);
    world.join({ newId: 'X1', idRequired: true });
    world.pass(40);
    expect(world.state).toBe('CompletingRebalance');
  });

  it('are no more than the group may have members: the oldest goes', () => {
    for (const id of ['X', 'Y', 'Z']) world.join({ newId: id, idRequired: true, sizeMax: 2 });
    expect(answerOf(world.join({ id: 'X' }))).toBe('UNKNOWN_MEMBER_ID');
    expect(answerOf(world.join({ id: 'Y' }))).toBe('waits');
    expect(answerOf(world.join({ id: 'Z' }))).toBe('waits');
  });

  it('do not keep a group from being deleted', () => {
    world.join({ newId: 'A', idRequired: true });
    const deleted = world.apply({ kind: 'group.delete', group: groupId(GROUP) }).reply;
    expect(answerOf(deleted)).toBe('NONE');
    expect(world.groups.timers()).toEqual([]);
    expect(answerOf(world.join({ id: 'A' }))).toBe('UNKNOWN_MEMBER_ID');
  });
});

describe('a simple commit', () => {
  it('into a group that has been empty for long has its own time', () => {
    world.stable('A');
    world.commit('A', 0, 1);
    world.leave({ id: 'A' });
    const expire = () => world.expire(1_000);
    world.pass(5_000);
    world.commit('', 1, 2, { generation: -1 });
    world.pass(999);
    expire();
    expect([world.committed(0), world.committed(1)]).toEqual([undefined, 2]);
    world.pass(1);
    expire();
    expect(world.state).toBe('missing');
  });
});
