import { int64, type Int64, shardId } from '../kernel/index.js';
import { type CommittedOffset, endOf, type MachineView, type Topic } from '../machine/index.js';
import type { AdminSource } from './port.js';

/** How much is left to do. 0 where the offset is beyond the end: a user has set that back. */
export function lagOf(end: Int64, offset: Int64): Int64 {
  // Nearly always: a scrape asks for many.
  if (typeof end === 'number' && typeof offset === 'number') return Math.max(0, end - Math.max(0, offset));
  const left = BigInt(end) - BigInt(offset < 0 ? 0 : offset);
  return left < 0n ? 0 : int64(left);
}

/** The topic that an offset was committed for; undefined when that was deleted. */
export function topicOf(facts: MachineView, { topic, topicId }: CommittedOffset): Topic | undefined {
  const known = facts.topics.byName(topic);
  return topicId === null || known?.id === topicId ? known : undefined;
}

/** What a scrape looks at and tells at most: it must not hold the loop, and each group is a time series for ever. */
export const LAG_LIMITS = {
  /** Of whole groups. */
  offsets: 20_000,
  groups: 1_000,
  /** A group has one for each of its topics. */
  lags: 5_000,
};

interface GroupLag {
  readonly group: string;
  readonly topic: string;
  /** Of all partitions together. */
  readonly lag: number;
}

/** The lag of the groups that this replica coordinates, by group and topic, and how many groups had to be left out. */
export function groupLags(
  source: AdminSource,
  limits: typeof LAG_LIMITS = LAG_LIMITS,
): {
  readonly lags: readonly GroupLag[];
  readonly leftOut: number;
} {
  const views = Array.from({ length: source.shards }, (_, shard) => source.view(shardId(shard)));
  const ends = views.map((view) => view.ends);
  const lags: GroupLag[] = [];
  let room = limits.offsets;
  let groupsLeft = limits.groups;
  let leftOut = 0;
  views.forEach((view, shard) => {
    if (!source.serves(shardId(shard))) return;
    for (const { group } of view.groups.list()) {
      const offsets = view.groups.committedCount(group);
      if (offsets === 0) continue;
      // Whole groups only. One that is too large makes no room for itself, and takes none from the others.
      if (groupsLeft === 0 || offsets > room) {
        leftOut++;
        continue;
      }
      groupsLeft--;
      room -= offsets;
      const byTopic = new Map<string, number>();
      for (const offset of view.groups.committedAll(group)) {
        const topic = topicOf(views[0]!, offset);
        if (topic === undefined) continue;
        const lag = Number(lagOf(endOf(ends, topic.id, offset.partition), offset.offset));
        byTopic.set(topic.name, (byTopic.get(topic.name) ?? 0) + lag);
      }
      if (lags.length + byTopic.size > limits.lags) leftOut++;
      else for (const [topic, lag] of byTopic) lags.push({ group, topic, lag });
    }
  });
  return { lags, leftOut };
}
