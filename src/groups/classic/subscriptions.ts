import type { TopicName } from '../../kernel/index.js';
import { assignedPartitions, CONSUMER_PROTOCOL_TYPE, subscribedTopics } from '../consumer-protocol.js';
import type { JoinProtocol } from '../types/commands.js';
import type { ClassicGroup } from './state.js';

/** The topics that the members subscribe to; undefined when the protocol is opaque. */
export function subscriptionOf(group: ClassicGroup): Set<TopicName> | undefined {
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined;
  const topics = new Set<TopicName>();
  for (const { protocols } of group.members.values()) {
    for (const { metadata } of protocols) {
      const subscribed = subscribedTopics(metadata);
      if (subscribed === undefined) return undefined;
      for (const topic of subscribed) topics.add(topic);
    }
  }
  return topics;
}

/** How many partitions of each subscribed topic the members have; undefined when one of the payloads cannot be read. */
export function sharedOut(group: ClassicGroup): ReadonlyMap<TopicName, number> | undefined {
  const subscribed = subscriptionOf(group);
  if (subscribed === undefined) return undefined;
  const counts = new Map([...subscribed].map((topic) => [topic, 0]));
  for (const { assignment } of group.members.values()) {
    const topics = assignedPartitions(assignment);
    if (topics === undefined) return undefined;
    for (const { topic, partitions } of topics)
      counts.set(topic, (counts.get(topic) ?? 0) + partitions.length);
  }
  return counts;
}

/**
 * Whether an assignment that was made for one subscription fits the other (KAFKA-12759, KAFKA-19546): the same topics
 * under the protocol in use. What else the payload holds, an assignor may change with every join. An opaque protocol has one
 * token for all members, and the old process must lose it: the others need a new one.
 */
export function sameSubscription(
  group: ClassicGroup,
  before: readonly JoinProtocol[],
  after: readonly JoinProtocol[],
): boolean {
  const [old, now] = [before, after].map((list) => list.find(({ name }) => name === group.protocolName));
  if (old === undefined || now === undefined) return false;
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return false;
  if (Buffer.compare(old.metadata, now.metadata) === 0) return true;
  const [had, has] = [subscribedTopics(old.metadata), subscribedTopics(now.metadata)].map(
    (topics) => topics && new Set(topics),
  );
  if (had === undefined || has === undefined) return false;
  return had.size === has.size && [...had].every((topic) => has.has(topic));
}
