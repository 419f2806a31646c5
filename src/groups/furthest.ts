import type { Int64, TopicName } from '../kernel/index.js';
import type { OffsetTable } from './offsets.js';
import type { GroupsView } from './types/views.js';

export type FurthestPlaces = Parameters<GroupsView['furthest']>[0];

/** The highest offsets of the places that any table has: each table is looked at once. */
export function furthest(
  tables: Iterable<{ readonly offsets: OffsetTable }>,
  places: FurthestPlaces,
): ReturnType<GroupsView['furthest']> {
  const asked = new Map([...places].map(([topic, { partitions }]) => [topic, partitions]));
  const found = new Map([...places.keys()].map((topic) => [topic, new Map<number, Int64>()]));
  const raise = (topic: TopicName, partition: number, offset: Int64): void => {
    const ofTopic = found.get(topic)!;
    const far = ofTopic.get(partition);
    if (far === undefined || offset > far) ofTopic.set(partition, offset);
  };
  for (const { offsets } of tables) {
    for (const { topic, topicId, partition, offset } of offsets.ofThese(asked))
      if (topicId === places.get(topic)!.topicId) raise(topic, partition, offset);
  }
  return found;
}
