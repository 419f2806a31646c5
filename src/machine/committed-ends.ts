import type { Groups } from '../groups/index.js';
import { topicId, type TopicId } from '../kernel/index.js';
import type { PartitionEnd } from '../topics/index.js';

/** What the offsets of all groups say of the ends of partitions. */
export function* committedEnds(groups: Groups): Iterable<PartitionEnd & { readonly topic: TopicId }> {
  for (const { group } of groups.list()) {
    for (const { topicId: id, partition, offset } of groups.committedAll(group))
      if (id !== null) yield { topic: topicId(id), partition, offset };
  }
}
