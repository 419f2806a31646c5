import { int64, type Int64, shardId } from '../kernel/index.js';
import { type CommittedOffset, endOf, type MachineView, type Topic } from '../machine/index.js';
import type { AdminSource } from './port.js';

/** How much is left to do. 0 where the offset is beyond the end: a user has set that back. */
export function lagOf(end: Int64, offset: Int64): Int64 {
  const left = BigInt(end) - BigInt(offset < 0 ? 0 : offset);
  return left < 0n ? 0 : int64(left);
}

/** The topic that an offset was committed for; undefined when that was deleted. */
export function topicOf(facts: MachineView, { topic, topicId }: CommittedOffset): Topic | undefined {
  const known = facts.topics.byName(topic);
  return topicId === null || known?.id === topicId ? known : undefined;
}

/** Metrics look at so many offsets at most: a scrape must not hold the loop. */
const OFFSETS_MAX = 20_000;

interface GroupLag {
  readonly group: string;
  readonly topic: string;
  /** Of all partitions together. */
  readonly lag: number;
}

/** The lag of the groups that this replica coordinates, by group and topic, and how many groups had to be left out. */
export function groupLags(source: AdminSource): {
  readonly lags: readonly GroupLag[];
  readonly leftOut: number;
} {
  const views = Array.from({ length: source.shards }, (_, shard) => source.view(shardId(shard)));
  const ends = views.map((view) => view.ends);
  const lags: GroupLag[] = [];
  let room = OFFSETS_MAX;
  let leftOut = 0;
  views.forEach((view, shard) => {
    if (!source.serves(shardId(shard))) return;
    for (const { group } of view.groups.list()) {
      if (room <= 0) {
        leftOut++;
        continue;
      }
      const byTopic = new Map<string, number>();
      for (const offset of view.groups.committedAll(group)) {
        room--;
        const topic = topicOf(views[0]!, offset);
        if (topic === undefined) continue;
        const lag = Number(lagOf(endOf(ends, topic.id, offset.partition), offset.offset));
        byTopic.set(topic.name, (byTopic.get(topic.name) ?? 0) + lag);
      }
      for (const [topic, lag] of byTopic) lags.push({ group, topic, lag });
    }
  });
  return { lags, leftOut };
}
