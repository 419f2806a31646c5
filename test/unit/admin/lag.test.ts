import { describe, expect, it } from '@jest/globals';
import type { AdminSource } from '../../../src/admin/index.js';
import { groupLags, lagOf } from '../../../src/admin/lag.js';
import {
  generation,
  groupId,
  memberId,
  shardId,
  slot,
  topicId,
  topicName,
  wallMs,
} from '../../../src/kernel/index.js';
import { type Command, createMachine, encodeCommand } from '../../../src/machine/index.js';

const LIMITS = { offsets: 50, groups: 10, lags: 20 };

/** One shard that is led here, and the topics that its groups commit to. */
function shard(topics: readonly string[]) {
  const machine = createMachine({ shard: shardId(0), shards: 1 });
  let at = 0;
  const apply = (command: Command): void => {
    machine.apply(slot(++at), encodeCommand({ at: wallMs(1_000), command }));
  };
  topics.forEach((name, i) =>
    apply({
      kind: 'topic.create',
      ...{ name: topicName(name), newId: topicId(`id-${i}`), partitions: 100, partitionsMax: 100 },
    }),
  );
  apply({ kind: 'ends.start' });
  const commit = (
    group: string,
    offsets: readonly (readonly [topic: string, partition: number])[],
    offset = 7,
  ): void =>
    apply({
      kind: 'group.commit',
      ...{ group: groupId(group), generation: generation(-1), memberId: memberId(''), instanceId: null },
      ...{ groupNotFoundKnown: true, retentionMs: null, offsetMetadataBytesMax: 100 },
      offsets: offsets.map(([topic, partition]) => ({
        ...{ topic: topicName(topic), topicId: topicId(`id-${topics.indexOf(topic)}`), partition },
        ...{ offset, leaderEpoch: -1, metadata: '' },
      })),
    });
  const whole = (group: string, topic: string, partitions: number): void =>
    commit(
      group,
      Array.from({ length: partitions }, (_, partition) => [topic, partition] as const),
    );
  const source: Partial<AdminSource> = { shards: 1, view: () => machine, serves: () => true };
  return { commit, whole, lags: () => groupLags(source as AdminSource, LIMITS) };
}

describe('the lags that a scrape tells', () => {
  it('leave out a group with more offsets than a scrape looks at, and no other one for it', () => {
    const { whole, lags } = shard(['t']);
    whole('huge', 't', LIMITS.offsets + 1);
    whole('small', 't', 3);
    expect(lags()).toEqual({ lags: [{ group: 'small', topic: 't', lag: 0 }], leftOut: 1 });
  });

  it('are of so many groups, however small they are', () => {
    const { whole, lags } = shard(['t']);
    for (let i = 0; i < LIMITS.groups + 5; i++) whole(`group-${i}`, 't', 1);
    const told = lags();
    expect([told.lags.length, told.leftOut]).toEqual([LIMITS.groups, 5]);
  });

  it('are so many, however many topics a group has', () => {
    const topics = Array.from({ length: 12 }, (_, i) => `topic-${i}`);
    const { commit, lags } = shard(topics);
    for (const group of ['one', 'another', 'a third'])
      commit(
        group,
        topics.map((topic) => [topic, 0] as const),
      );
    const told = lags();
    expect([told.lags.length, told.leftOut]).toEqual([12, 2]);
  });

  it('add up over the partitions of a topic, and are none beyond the end', () => {
    const { whole, commit, lags } = shard(['t']);
    whole('behind', 't', 2);
    commit('ahead', [['t', 0]], 10);
    commit('ahead', [['t', 1]], 12);
    expect(lags().lags).toEqual([
      { group: 'behind', topic: 't', lag: 8 },
      { group: 'ahead', topic: 't', lag: 0 },
    ]);
  });
});

it.each([
  [10, 4, 6],
  [10, 12, 0],
  [10, -1, 10],
  [2n ** 60n, 2n ** 60n - 3n, 3],
  [2n ** 60n, 5, 2n ** 60n - 5n],
])('with the end at %s, an offset of %s is %s behind', (end, offset, lag) => {
  expect(lagOf(end, offset)).toBe(lag);
});
