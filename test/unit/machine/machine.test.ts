import { describe, expect, it, jest } from '@jest/globals';
import { OffsetTable } from '../../../src/groups/offsets.js';
import {
  groupId,
  generation,
  type Int64,
  MalformedBytesError,
  memberId,
  shardId,
  slot,
  topicId,
  topicName,
  wallMs,
} from '../../../src/kernel/index.js';
import {
  type Command,
  createMachine,
  encodeCommand,
  FIRST_FEATURE_LEVEL,
  levelOf,
  type Machine,
  restoreMachine,
} from '../../../src/machine/index.js';
import { commit } from '../../harness/commits.js';

const SHARDS = 3;
const optionsOf = (shard: number) => ({ shard: shardId(shard), shards: SHARDS });

/** A machine and the log it was fed with. */
class Fed {
  machine: Machine;
  readonly log: (Buffer | null)[] = [];
  constructor(readonly shard = 0) {
    this.machine = createMachine(optionsOf(shard));
  }
  feed(command: Command | null, at = 1_000): ReturnType<Machine['apply']> {
    const payload = command === null ? null : encodeCommand({ at: wallMs(at), command });
    this.log.push(payload);
    return this.machine.apply(slot(this.log.length), payload);
  }
}

const commitOf = (group: string, offset: Int64): Extract<Command, { kind: 'group.commit' }> =>
  commit(offset, { group, topicId: topicId('id-t') });
const createTopic: Command = {
  kind: 'topic.create',
  name: topicName('t'),
  newId: topicId('id-t'),
  partitions: 4,
  partitionsMax: 100,
};
const deleteTopic: Command = { kind: 'topic.delete', name: topicName('t'), id: topicId('') };
const snapshotOf = (machine: Machine): Buffer => Buffer.concat([...machine.snapshot()]);
const offsetOf = (machine: Machine, group: string) =>
  machine.groups.committed(groupId(group), topicName('t'), 0)?.offset;

it('plays an older version: what came with a later feature level it refuses to apply or to read', () => {
  const older = createMachine({ ...optionsOf(0), featureLevel: 2 });
  const start = encodeCommand({ at: wallMs(1), command: { kind: 'group.startTokens', from: 1 } });
  expect(older.apply(slot(1), start)).toBeDefined();
  const ends = encodeCommand({ at: wallMs(1), command: { kind: 'ends.start' } });
  expect(() => older.apply(slot(2), ends)).toThrow(/ends\.start .* feature level 3, this version knows 2/);
  const fed = new Fed();
  fed.feed({ kind: 'ends.start' });
  const snapshot = snapshotOf(fed.machine);
  expect(() => restoreMachine({ ...optionsOf(0), featureLevel: 2 }, snapshot)).toThrow(MalformedBytesError);
  expect(restoreMachine({ ...optionsOf(0), featureLevel: 3 }, snapshot).ends.started).toBe(true);
});

it('keeps an offset of 64 bits exactly, through the log and a snapshot', () => {
  for (const offset of [1_850_000_000_000_000_000n, 2n ** 63n - 1n, 2n ** 53n, 2 ** 53 - 1]) {
    const fed = new Fed();
    fed.feed(commitOf('g', offset));
    expect(offsetOf(fed.machine, 'g')).toBe(offset);
    expect(offsetOf(restoreMachine(optionsOf(0), snapshotOf(fed.machine)), 'g')).toBe(offset);
  }
});

it('an offset beyond 2^53 is proposed when every replica can read it', () => {
  expect(levelOf(commitOf('g', 2 ** 53 - 1))).toBe(FIRST_FEATURE_LEVEL);
  expect(levelOf(commitOf('g', 2n ** 53n))).toBeGreaterThan(FIRST_FEATURE_LEVEL);
});

const topicNumber = (i: number): Command => ({
  kind: 'topic.create',
  name: topicName(`topic-${i}`),
  newId: topicId(`id-${i}`),
  partitions: 4,
  partitionsMax: 100,
});

const nameOf = ({ fact }: ReturnType<Machine['pendingNotices']>[number]): string =>
  fact.kind === 'topic-deleted' ? fact.name : fact.kind;

describe('many topics', () => {
  const TOPICS = 10_000;
  it(`${TOPICS} are made and deleted for at most 2 s of CPU`, () => {
    const fed = new Fed();
    fed.feed({ kind: 'group.startTokens', from: 1 });
    const before = process.cpuUsage();
    for (let i = 0; i < TOPICS; i++) fed.feed(topicNumber(i));
    for (let i = 0; i < TOPICS; i++) fed.feed({ ...deleteTopic, name: topicName(`topic-${i}`) });
    const { user, system } = process.cpuUsage(before);
    expect(fed.machine.topics.size).toBe(0);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  });

  it('the hash says what a command led to, and before level 2 what version 0.1.0 says', () => {
    const hashAfter = (...commands: Command[]): number => {
      const fed = new Fed();
      for (const command of commands) fed.feed(command);
      return fed.machine.hash;
    };
    const start: Command = { kind: 'group.startTokens', from: 1 };
    const grow = (partitions: number): Command => ({
      kind: 'topic.addPartitions',
      name: topicName('topic-1'),
      partitions,
      partitionsMax: 100,
    });
    const hashes = [[], [start]].flatMap((first) => [
      hashAfter(...first, topicNumber(1)),
      hashAfter(...first, topicNumber(1), grow(5)),
      hashAfter(...first, topicNumber(1), grow(4)),
    ]);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('deletions reach another shard a part at a time, each once', () => {
    const facts = new Fed(0);
    for (let i = 0; i < 60; i++) facts.feed(topicNumber(i));
    for (let i = 0; i < 60; i++) facts.feed({ ...deleteTopic, name: topicName(`topic-${i}`) });
    const told: string[] = [];
    for (let pending = facts.machine.pendingNotices(1); pending.length > 0;) {
      expect(pending.length).toBeLessThanOrEqual(25);
      told.push(...pending.map(nameOf));
      facts.feed({ kind: 'notice.acknowledge', shard: 1, through: pending.at(-1)!.sequence });
      pending = facts.machine.pendingNotices(1);
    }
    expect(told).toEqual(Array.from({ length: 60 }, (_, i) => `topic-${i}`));
    expect(nameOf(facts.machine.pendingNotices(2)[0]!)).toBe('topic-0');
  });
});

describe('the machine of a shard', () => {
  it('comes to the same state and hash wherever the same log is applied', () => {
    const one = new Fed();
    for (const command of [
      createTopic,
      commitOf('a', 1),
      null,
      commitOf('b', 2),
      deleteTopic,
      commitOf('a', 3),
    ])
      one.feed(command);
    const other = createMachine(optionsOf(0));
    for (const [i, payload] of one.log.entries()) other.apply(slot(i + 1), payload);
    expect(other.hash).toBe(one.machine.hash);
    expect(snapshotOf(other)).toEqual(snapshotOf(one.machine));
  });

  it('has another hash after another command, another order or another result', () => {
    const hashAfter = (...commands: (Command | null)[]): number => {
      const fed = new Fed();
      for (const command of commands) fed.feed(command);
      return fed.machine.hash;
    };
    const hashes = [
      hashAfter(commitOf('a', 1), commitOf('b', 1)),
      hashAfter(commitOf('b', 1), commitOf('a', 1)),
      hashAfter(commitOf('a', 1), commitOf('b', 2)),
      hashAfter(commitOf('a', 1), null),
      hashAfter(commitOf('a', 1)),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('goes on from a snapshot as if nothing had been', () => {
    const one = new Fed();
    for (const command of [createTopic, commitOf('a', 1), commitOf('b', 2)]) one.feed(command);
    const restored = restoreMachine(optionsOf(0), snapshotOf(one.machine));
    expect(restored.appliedThrough).toBe(one.machine.appliedThrough);
    expect(restored.hash).toBe(one.machine.hash);
    one.feed(commitOf('a', 9));
    restored.apply(slot(4), one.log.at(-1)!);
    expect(restored.hash).toBe(one.machine.hash);
    expect(offsetOf(restored, 'a')).toBe(9);
    expect(snapshotOf(restored)).toEqual(snapshotOf(one.machine));
  });

  it('refuses a snapshot of another shard, of another format, or cut short', () => {
    const bytes = snapshotOf(new Fed().machine);
    expect(() => restoreMachine(optionsOf(1), bytes)).toThrow(/of shard 0, not 1/);
    expect(() => restoreMachine(optionsOf(0), Buffer.concat([Buffer.from([9]), bytes.subarray(1)]))).toThrow(
      /format 9/,
    );
    const full = new Fed();
    full.feed(commitOf('a', 1));
    const whole = snapshotOf(full.machine);
    for (let cut = 0; cut < whole.length; cut++)
      expect(() => restoreMachine(optionsOf(0), whole.subarray(0, cut))).toThrow(MalformedBytesError);
  });

  it('applies slots in order and none twice', () => {
    const { machine } = new Fed();
    expect(() => machine.apply(slot(2), null)).toThrow(/slot 2 is applied right after 0/);
    machine.apply(slot(1), null);
    expect(() => machine.apply(slot(1), null)).toThrow(/broken invariant/);
  });

  it('refuses a command that it does not know rather than skip it', () => {
    const { machine } = new Fed();
    const payload = encodeCommand({ at: wallMs(1), command: commitOf('a', 1) });
    payload[0] = 99;
    expect(() => machine.apply(slot(1), payload)).toThrow(/format 99.*upgrade this replica/);
  });

  it('never lets time go back when the lead moves to a clock that is behind', () => {
    const fed = new Fed();
    fed.feed(commitOf('a', 1), 5_000);
    fed.feed(commitOf('b', 1), 4_000);
    const at = (group: string): number =>
      fed.machine.groups.committed(groupId(group), topicName('t'), 0)!.committedAt;
    expect(at('a')).toBe(5_000);
    expect(at('b')).toBe(5_000);
  });

  it('writes no command that it could not read back', () => {
    const join = {
      kind: 'group.join',
      group: groupId('a'),
      memberId: memberId(''),
      newMemberId: memberId('m'),
      instanceId: null,
      clientId: 'c',
      clientHost: '/',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: -1,
      protocolType: 'consumer',
      protocols: [],
      memberIdRequired: true,
      canSkipAssignment: false,
      reason: null,
      resuming: false,
      settings: { groupSizeMax: 1, initialQuietMs: 1, initialDelayMsMax: 1, rebalanceRecordsMax: 1 },
    } satisfies Command;
    for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
      expect(() => encodeCommand({ at: wallMs(1), command: { ...join, rebalanceTimeoutMs: wrong } })).toThrow(
        /broken invariant: a varint/,
      );
  });
});

describe('a deleted topic', () => {
  it('is told to the other shards until each has acknowledged it, and acted on once', () => {
    const facts = new Fed(0);
    const other = new Fed(2);
    facts.feed(createTopic);
    other.feed(commitOf('a', 7));
    facts.feed(commitOf('here', 7));
    facts.feed(deleteTopic);
    expect(offsetOf(facts.machine, 'here')).toBeUndefined();
    const pending = facts.machine.pendingNotices(2);
    expect(pending).toHaveLength(1);
    expect(facts.machine.pendingNotices(0)).toEqual([]);

    const receive: Command = { kind: 'notice.receive', notices: pending };
    expect(other.feed(receive)!.reply).toMatchObject({ kind: 'noticed', through: pending[0]!.sequence });
    expect(offsetOf(other.machine, 'a')).toBeUndefined();
    // The topic is made again and used again; the notice comes a second time.
    other.feed(commitOf('a', 8));
    other.feed(receive);
    expect(offsetOf(other.machine, 'a')).toBe(8);

    const through = pending[0]!.sequence;
    facts.feed({ kind: 'notice.acknowledge', shard: 2, through });
    expect(facts.machine.pendingNotices(2)).toEqual([]);
    expect(facts.machine.pendingNotices(1)).toEqual(pending);
    const restored = restoreMachine(optionsOf(0), snapshotOf(facts.machine));
    expect(restored.pendingNotices(1)).toEqual(pending);
  });
});

describe('ends of partitions in a shard', () => {
  const T = topicId('id-t');
  const end = (machine: Machine, partition = 0): Int64 | undefined => machine.ends.seen(T, partition)?.offset;
  const setBack: Command = {
    kind: 'topic.setEnds',
    name: topicName('t'),
    ends: [{ partition: 0, offset: 7 }],
    back: true,
  };

  it('are raised by commits, kept when a group goes back or is deleted, and go with the topic', () => {
    const fed = new Fed();
    for (const command of [createTopic, commitOf('a', 100), commitOf('a', 5)]) fed.feed(command);
    expect(end(fed.machine)).toBe(100);
    fed.feed({ kind: 'group.delete', group: groupId('a') });
    expect(end(fed.machine)).toBe(100);
    fed.feed(deleteTopic);
    expect(end(fed.machine)).toBeUndefined();
  });

  it('are not raised by a commit that is refused', () => {
    const fed = new Fed();
    const tooLong = { ...commitOf('a', 100), offsetMetadataBytesMax: 0 };
    fed.feed({ ...tooLong, offsets: tooLong.offsets.map((each) => ({ ...each, metadata: 'long' })) });
    fed.feed({ ...tooLong, generation: generation(3) });
    expect(end(fed.machine)).toBeUndefined();
  });

  it('are those of the offsets that remain when the furthest is deleted', () => {
    const fed = new Fed();
    for (const command of [createTopic, commitOf('a', 30), commitOf('b', 2n ** 62n)]) fed.feed(command);
    const topics = [{ topic: topicName('t'), partitions: [0, 3] }];
    fed.feed({ kind: 'group.deleteOffsets', group: groupId('b'), topics });
    expect(end(fed.machine)).toBe(30);
  });

  it('are those that remain of each partition when many are deleted, with one look at each other group', () => {
    const fed = new Fed();
    const [groups, partitions] = [1_000, 1_000];
    const of = (group: string, ...offsets: (readonly [partition: number, offset: number])[]): Command => {
      const one = commitOf(group, 0);
      const [plain] = one.offsets;
      return { ...one, offsets: offsets.map(([partition, offset]) => ({ ...plain!, partition, offset })) };
    };
    for (let i = 0; i < groups; i++) fed.feed(of(`g${i}`, [i, 5], [i + 1, 3]));
    fed.feed(of('far', ...Array.from({ length: partitions }, (_, i) => [i, 9] as const)));
    const topics = [{ topic: topicName('t'), partitions: [...Array(partitions).keys(), 0, 7] }];
    const looks = jest.spyOn(OffsetTable.prototype, 'get');
    fed.feed({ kind: 'group.deleteOffsets', group: groupId('far'), topics });
    // Each deleted one before and after, what the other groups have of them: not partitions times groups.
    expect(looks.mock.calls.length).toBeLessThan(3 * partitions + 3 * groups);
    looks.mockRestore();
    const ends = [0, 1, 7, 999].map((partition) => fed.machine.ends.seen(topicId('id-t'), partition)?.offset);
    expect(ends).toEqual([5, 5, 5, 5]);
  });

  it('are set back in every shard by a notice, once', () => {
    const facts = new Fed(0);
    const other = new Fed(1);
    facts.feed(createTopic);
    other.feed(commitOf('a', 2n ** 62n));
    expect(facts.feed(setBack)).toMatchObject({
      reply: { kind: 'topic', error: 'NONE' },
      news: [{ kind: 'ends-set-back' }],
    });
    const notices = facts.machine.pendingNotices(1);
    other.feed({ kind: 'notice.receive', notices });
    expect(end(other.machine)).toBe(7);
    other.feed(commitOf('a', 9));
    other.feed({ kind: 'notice.receive', notices });
    expect(end(other.machine)).toBe(9);
  });

  it.each([
    ['a topic that is not there', 'x', 0, 1, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['a partition that is not there', 't', 4, 1, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['an end below 0', 't', 0, -1, 'INVALID_REQUEST'],
  ])('are not set for %s', (_, name, partition, offset, error) => {
    const fed = new Fed();
    fed.feed(createTopic);
    const command: Command = {
      ...setBack,
      kind: 'topic.setEnds',
      name: topicName(name),
      ends: [{ partition, offset }],
      back: false,
    };
    expect(fed.feed(command)!.reply).toMatchObject({ kind: 'topic', error, topic: null });
    expect(fed.machine.ends.said(T, 0)).toBeUndefined();
  });

  it('are in snapshots from their start on; before it a snapshot is one that version 0.1.0 reads', () => {
    const fed = new Fed();
    for (const command of [createTopic, commitOf('a', 100), commitOf('a', 5)]) fed.feed(command);
    const older = snapshotOf(fed.machine);
    expect(older[0]).toBe(2);
    expect(end(restoreMachine(optionsOf(0), older))).toBe(5);
    fed.feed({ kind: 'ends.start' });
    expect(end(fed.machine)).toBe(5);
    fed.feed(setBack);
    fed.feed(commitOf('b', 2n ** 60n));
    const newer = snapshotOf(fed.machine);
    expect(newer[0]).toBe(3);
    const copy = restoreMachine(optionsOf(0), newer);
    expect([end(copy), copy.ends.said(T, 0)]).toEqual([2n ** 60n, 7]);
    expect(snapshotOf(copy)).toEqual(newer);
  });
});
