import { describe, expect, it } from '@jest/globals';
import {
  type AssignableMember,
  type Assignor,
  cooperativeSticky,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type PartitionsByTopic,
  range,
  roundRobin,
} from '../../../src/client/index.js';
import { seededRandom } from '../../../src/kernel/index.js';

const member = (
  memberId: string,
  topics: readonly string[] = ['t'],
  owned: PartitionsByTopic = new Map(),
  generation = 1,
): AssignableMember => ({ memberId, instanceId: null, topics, owned, generation });
const shown = (shares: ReadonlyMap<string, PartitionsByTopic>): Record<string, string> =>
  Object.fromEntries(
    [...shares].map(([id, topics]) => [
      id,
      [...topics].map(([topic, list]) => `${topic}[${list.join()}]`).join(' '),
    ]),
  );
const ids = ['a', 'b', 'c'];

describe('assignors', () => {
  it('range gives consecutive partitions of each topic, the first members one more', () => {
    const shares = range(
      ids.map((id) => member(id, ['t', 'u'])),
      new Map([
        ['t', 7],
        ['u', 2],
      ]),
    );
    expect(shown(shares)).toEqual({ a: 't[0,1,2] u[0]', b: 't[3,4] u[1]', c: 't[5,6]' });
  });

  it('round robin deals all topics in turn, and passes over who does not subscribe', () => {
    const members = [member('a', ['t', 'u']), member('b', ['u']), member('c', ['t', 'u'])];
    const shares = roundRobin(
      members,
      new Map([
        ['t', 3],
        ['u', 3],
      ]),
    );
    expect(shown(shares)).toEqual({ a: 't[0,2] u[2]', b: 'u[0]', c: 't[1] u[1]' });
  });

  it('cooperative sticky holds back what moves until its owner has given it up', () => {
    const before = new Map([['t', [0, 1, 2, 3]]]);
    const first = cooperativeSticky([member('a', ['t'], before), member('b')], new Map([['t', 4]]));
    expect(shown(first)).toEqual({ a: 't[2,3]', b: '' });
    const kept = new Map([['t', [2, 3]]]);
    const second = cooperativeSticky([member('a', ['t'], kept), member('b')], new Map([['t', 4]]));
    expect(shown(second)).toEqual({ a: 't[2,3]', b: 't[0,1]' });
  });

  it('cooperative sticky believes the later generation, and nobody of two that claim the same', () => {
    const zero = new Map([['t', [0]]]);
    const older = cooperativeSticky(
      [member('a', ['t'], zero, 3), member('b', ['t'], zero, 4)],
      new Map([['t', 2]]),
    );
    expect(shown(older)['b']).toBe('t[0]');
    const both = cooperativeSticky([member('a', ['t'], zero), member('b', ['t'], zero)], new Map([['t', 2]]));
    expect([...both.values()].flatMap((share) => share.get('t') ?? []).sort()).toEqual([0, 1]);
  });

  const assignors: readonly (readonly [string, Assignor])[] = [
    ['range', range],
    ['roundrobin', roundRobin],
    ['cooperative-sticky', cooperativeSticky],
  ];
  it.each(assignors)('%s gives no partition twice, and none to who does not subscribe', (_, assignor) => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed);
      const partitions = new Map(['t', 'u', 'v'].map((topic) => [topic, random.below(9)]));
      const members = Array.from({ length: 1 + random.below(5) }, (__, i) =>
        member(
          `m${i}`,
          ['t', 'u', 'v'].filter(() => random.chance(0.7)),
          new Map([['t', Array.from({ length: 9 }, (___, p) => p).filter(() => random.chance(0.2))]]),
          random.below(3),
        ),
      );
      const seen = new Set<string>();
      for (const [id, share] of assignor(members, partitions))
        for (const [topic, list] of share)
          for (const partition of list) {
            expect(members.find(({ memberId }) => memberId === id)!.topics).toContain(topic);
            expect(partition).toBeLessThan(partitions.get(topic)!);
            expect(seen.has(`${topic}/${partition}`)).toBe(false);
            seen.add(`${topic}/${partition}`);
          }
    }
  });

  it('cooperative sticky is balanced and complete after a second round, and then moves nothing', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = seededRandom(seed);
      const partitions = new Map([
        ['t', random.below(20)],
        ['u', random.below(20)],
      ]);
      let members = Array.from({ length: 1 + random.below(6) }, (_, i) => member(`m${i}`, ['t', 'u']));
      const round = (): void => {
        const shares = cooperativeSticky(members, partitions);
        members = members.map((each) => member(each.memberId, each.topics, shares.get(each.memberId)));
      };
      round();
      members = [...members.filter(() => random.chance(0.7)), member('new', ['t', 'u'])];
      round();
      round();
      const sizes = members.map(({ owned }) => [...owned.values()].flat().length);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(
        [...partitions.values()].reduce((a, b) => a + b, 0),
      );
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      const before = members.map(({ owned }) => owned);
      round();
      expect(members.map(({ owned }) => owned)).toEqual(before);
    }
  });

  it('says what it owns in the bytes of Kafka (ConsumerProtocolSubscription 2)', () => {
    const subscription = { topics: ['t'], owned: new Map([['t', [0, 2]]]), generation: 7 };
    const bytes = encodeSubscription(subscription);
    expect(bytes.toString('hex')).toBe(
      '0002' +
        '00000001' +
        '000174' +
        'ffffffff' +
        '00000001' +
        '000174' +
        '00000002' +
        '00000000' +
        '00000002' +
        '00000007',
    );
    expect(decodeSubscription(bytes)).toEqual(subscription);
    // Version 0, as kafkajs sends it.
    expect(decodeSubscription(Buffer.from('0000' + '00000001' + '000174' + '00000000', 'hex'))).toEqual({
      topics: ['t'],
      owned: new Map(),
      generation: -1,
    });
    const share = new Map([['t', [1]]]);
    expect(decodeAssignment(encodeAssignment(share))).toEqual(share);
  });
});
