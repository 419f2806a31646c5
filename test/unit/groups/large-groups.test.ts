import { describe, expect, it } from '@jest/globals';
import { prepareRebalance } from '../../../src/groups/classic/barrier.js';
import type { ClassicMember } from '../../../src/groups/classic/member.js';
import { newClassicGroup } from '../../../src/groups/classic/state.js';
import { fenceToken, generation, groupId, memberId, slot, wallMs } from '../../../src/kernel/index.js';
import { answerOf, GROUP, GroupsWorld } from './world.js';

/** The time of this thread alone, so that a loaded machine does not count. Milliseconds. */
function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

const TWO = ['range', 'cooperative-sticky'];

/** Members m0 to m(n-1) at the barrier of the first rebalance. */
function joined(count: number): GroupsWorld {
  const world = new GroupsWorld();
  for (let i = 0; i < count; i++) world.join({ newId: `m${i}`, protocols: TWO });
  return world;
}

function stable(count: number): GroupsWorld {
  const world = joined(count);
  world.pass(3_000);
  world.sync('m0', Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, [i]])));
  expect(world.state).toBe('Stable');
  return world;
}

describe('a group of many members', () => {
  it('asks no more of one JoinGroup than a small group does', () => {
    const cost = (count: number): number => {
      const world = joined(count);
      return cpuMs(() => {
        for (let i = 0; i < 500; i++) world.join({ newId: `n${i}`, protocols: TWO });
      });
    };
    cost(500);
    const [small, large] = [cost(500), cost(20_000)];
    // With a look at every member it is 40 times as much.
    expect(large).toBeLessThan(8 * small + 20);
  });

  it('lets a static member come back without a look at the others', () => {
    const count = 10_000;
    const world = new GroupsWorld();
    for (let i = 0; i < count; i++) world.join({ newId: `m${i}`, instance: `i${i}` });
    world.pass(3_000);
    world.sync('m0', { m0: [0] }, { instance: 'i0' });
    const spent = cpuMs(() => {
      for (let i = 1; i <= 2_000; i++)
        expect(answerOf(world.join({ newId: `n${i}`, instance: `i${i}` }))).toBe('NONE');
    });
    // With a look at every member: 20,000,000 of them.
    expect(spent).toBeLessThan(2_000);
    expect(world.members.slice(0, 4)).toEqual(['m0', 'n1', 'n2', 'n3']);
  });

  it('removes many members that are gone, each for what it owned', () => {
    const count = 5_000;
    const world = stable(count);
    world.join({ id: 'm0', protocols: TWO });
    world.forget();
    const spent = cpuMs(() => {
      const { token } = [...world.timers.values()].find(({ timer }) => timer.kind === 'join')!;
      world.apply({ kind: 'group.expire', group: groupId(GROUP), timer: { kind: 'join' }, token });
    });
    expect(world.told('member-left')).toHaveLength(count - 1);
    expect(world.fences().size).toBe(1);
    expect(spent).toBeLessThan(1_000);
  });

  it('has no number of members at which a rebalance throws', () => {
    const group = newClassicGroup(groupId(GROUP), generation(1));
    Object.assign(group, { state: 'Stable', protocolType: 'consumer', protocolName: 'range' });
    for (let i = 0; i < 200_000; i++) group.members.add(member(`m${i}`));
    prepareRebalance(
      {
        group,
        slot: slot(5),
        at: wallMs(1_000),
        token: fenceToken(5),
        news: [],
        timers: [],
        rest: [],
        membersAStep: 250,
      },
      { cause: 'member-left', memberId: null, reason: null },
    );
    expect(group.timers.get('join')).toEqual({ token: 5, afterMs: 60_000 });
  });
});

const member = (id: string): ClassicMember => ({
  memberId: memberId(id),
  instanceId: null,
  clientId: '',
  clientHost: '',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 60_000,
  protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
  isNew: false,
  waiting: false,
  awaitingAssignment: false,
  pendingSync: false,
  assignment: new Uint8Array(0),
  waitingSince: null,
  sessionToken: 1,
});
