import { beforeEach, describe, expect, it } from '@jest/globals';
import { fenceToken, generation, groupId, memberId, topicName } from '../../../src/kernel/index.js';
import { Fences, groupScope, partitionScope } from '../../../src/groups/fences.js';
import { answerOf, GROUP, GroupsWorld, TOPIC } from './world.js';

let world: GroupsWorld;
beforeEach(() => {
  world = new GroupsWorld();
});
const grants = (group = GROUP): string[] =>
  world.groups.fences(groupId(group)).map(({ scope, owner, token }) => `${scope} ${owner}@${token}`);

describe('a partition that the group leader gives to two members', () => {
  const twice = (): void => {
    world.join({ newId: 'A' });
    world.join({ newId: 'B' });
    world.pass(200);
    world.sync('A', { A: [0], B: [0] });
  };

  it('has one owner, whose token stays over rebalances, whoever comes first in the next assignment', () => {
    twice();
    const first = grants();
    expect(first).toHaveLength(1);
    for (const [one, other] of [
      ['A', 'B'],
      ['B', 'A'],
    ] as const) {
      world.join({ id: 'A' });
      world.join({ id: 'B' });
      world.sync('A', { [one]: [0], [other]: [0] });
      expect(world.state).toBe('Stable');
      expect(grants()).toEqual(first);
      expect(world.groups.rebalances(groupId(GROUP)).at(-1)!.partitionsMoved).toBe(0);
    }
  });

  it("is the owner's in its own generation only", () => {
    world.stable('A', 'B');
    const owner = (at: number, partition: number) =>
      world.groups.ownerOf(groupId(GROUP), generation(at), topicName(TOPIC), partition);
    expect([owner(1, 0), owner(1, 1), owner(1, 2), owner(0, 0), owner(2, 0)]).toEqual([
      'A',
      'B',
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('stays with the member that has it, also when another comes before', () => {
    world.stable('A', 'B');
    const before = grants();
    world.join({ id: 'A' });
    world.join({ id: 'B' });
    world.sync('A', { A: [0, 1], B: [1] });
    expect(grants()).toEqual(before);
  });

  it('is told, with the assignor', () => {
    twice();
    expect(world.told('assigned-twice')).toEqual([
      {
        kind: 'assigned-twice',
        group: GROUP,
        assignor: 'range',
        leader: 'A',
        partitions: 1,
        scope: `${GROUP}/${TOPIC}/0`,
        owner: 'A',
        loser: 'B',
      },
    ]);
  });
});

describe('the scope of a group with an opaque protocol', () => {
  const opaque = (group: string): void => {
    for (const id of ['A', 'B', 'C']) world.join({ group, newId: id, protocolType: 'connect' });
    world.pass(200);
    const { generation: current } = world.groups.describe(groupId(group))!;
    world.apply({
      kind: 'group.sync',
      group: groupId(group),
      generation: current,
      memberId: memberId('A'),
      instanceId: null,
      protocolType: null,
      protocolName: null,
      assignments: ['A', 'B'].map((id) => ({ memberId: memberId(id), assignment: Buffer.from('x') })),
    });
  };

  it('has one token for every member that was given something, and a new one in each generation', () => {
    opaque('c');
    const token = world.slot;
    expect(grants('c')).toEqual([`c A@${token}`, `c B@${token}`]);
    world.failOver();
    expect(grants('c')).toEqual([`c A@${token}`, `c B@${token}`]);
    for (const id of ['A', 'B', 'C']) world.join({ group: 'c', id, protocolType: 'connect' });
    expect(answerOf(world.leave({ id: 'nobody' }))).toBe('UNKNOWN_MEMBER_ID');
  });

  it('is never the scope of a partition, nor of another group', () => {
    const groups = ['a/t/0', 'a', 'a/t', 'a%2Ft%2F0', 'a%252Ft'].map((name) => groupId(name));
    const scopes = [
      ...groups.map(groupScope),
      ...groups.map((group) => partitionScope(group, 't', 0)),
      partitionScope(groupId('a'), 't/0/t', 0),
    ];
    expect(new Set(scopes).size).toBe(scopes.length);
    // Names without a slash or per cent sign are as they always were.
    expect(groupScope(groupId('billing'))).toBe('billing');
    expect(partitionScope(groupId('x/y'), 't.1', 7)).toBe('x/y/t.1/7');
  });
});

it('who is removed gives back its own grants only, whatever the others hold', () => {
  const fences = new Fences();
  const own = (owner: string, partition: number) => ({
    scope: partitionScope(groupId('g'), 't', partition),
    owner: memberId(owner),
    instanceId: null,
  });
  fences.assign([own('a', 0), own('b', 1), own('a', 2)], fenceToken(5), generation(1));
  fences.takeOver(memberId('a'), memberId('n'), fenceToken(6));
  fences.release(memberId('a'));
  expect(fences.all().map(({ owner, token }) => [owner, Number(token)])).toEqual([
    ['n', 6],
    ['b', 5],
    ['n', 6],
  ]);
  fences.release(memberId('n'));
  expect(fences.all().map(({ scope }) => scope)).toEqual(['g/t/1']);
  fences.assign([own('b', 0)], fenceToken(7), generation(2));
  expect(fences.all().map(({ scope, token }) => [scope, Number(token)])).toEqual([['g/t/0', 7]]);
});
