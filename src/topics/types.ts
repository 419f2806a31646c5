import type { Int64, TopicId, TopicName } from '../kernel/index.js';

/** A named set of partitions. It holds no messages: a partition stands for a part of the users' work. */
export interface Topic {
  readonly name: TopicName;
  readonly id: TopicId;
  readonly partitions: number;
}

/** How far a partition goes: the offset behind the last item of work. */
export interface PartitionEnd {
  readonly partition: number;
  readonly offset: Int64;
}

/** The errors of Kafka's topic APIs, by Kafka's names. */
export type TopicError =
  | 'TOPIC_ALREADY_EXISTS'
  | 'UNKNOWN_TOPIC_OR_PARTITION'
  | 'UNKNOWN_TOPIC_ID'
  | 'INVALID_TOPIC_EXCEPTION'
  | 'INVALID_PARTITIONS'
  | 'INVALID_REQUEST'
  | 'POLICY_VIOLATION';

/** Commands of shard 0, which holds the cluster's facts. `newId` is made by the leader. */
export type TopicCommand =
  | {
      readonly kind: 'topic.create';
      readonly name: TopicName;
      readonly newId: TopicId;
      readonly partitions: number;
      readonly partitionsMax: number;
    }
  /** By name or by id; the other is ''. */
  | { readonly kind: 'topic.delete'; readonly name: TopicName; readonly id: TopicId }
  /** The number only grows: owners of the old partitions keep them. */
  | {
      readonly kind: 'topic.addPartitions';
      readonly name: TopicName;
      readonly partitions: number;
      readonly partitionsMax: number;
    }
  /** A user says how far the source of the work is. `back`: an end also goes back to what is said. Feature level 3. */
  | {
      readonly kind: 'topic.setEnds';
      readonly name: TopicName;
      readonly ends: readonly PartitionEnd[];
      readonly back: boolean;
    };

/** In any shard: ends of partitions are kept from here on, the same on every replica. Feature level 3. */
export interface EndsCommand {
  readonly kind: 'ends.start';
}

export type TopicReply =
  | { readonly kind: 'topic'; readonly error: 'NONE'; readonly topic: Topic }
  | { readonly kind: 'topic'; readonly error: TopicError; readonly message: string; readonly topic: null };

export interface TopicsView {
  byName(name: TopicName): Topic | undefined;
  byId(id: TopicId): Topic | undefined;
  /** Sorted by name. */
  all(): readonly Topic[];
  readonly size: number;
}

/** Why the cluster takes no topic beyond those it has; undefined: it does. */
export function topicCountProblem(topics: number, topicsMax: number): string | undefined {
  if (topics < topicsMax) return undefined;
  return `the cluster has ${topics} topics, and ${topicsMax} is the most it takes (setting topicsMax)`;
}

/** Kafka's rule: 1 to 249 characters of [a-zA-Z0-9._-], not "." or "..". */
export function topicNameProblem(name: string): string | undefined {
  if (name.length === 0) return 'a topic name must not be empty';
  if (name.length > 249) return `a topic name has at most 249 characters, this one has ${name.length}`;
  if (name === '.' || name === '..') return `a topic must not be called "${name}"`;
  if (!/^[a-zA-Z0-9._-]+$/.test(name))
    return `a topic name has only letters, digits, ".", "_" and "-": "${name}"`;
  return undefined;
}

/** The topic that is to be deleted, by its id when there is one; or why there is none. */
export function topicToDelete(
  topics: Pick<TopicsView, 'byName' | 'byId'>,
  { name, id }: { readonly name: TopicName; readonly id: TopicId },
): Topic | { readonly error: TopicError; readonly message: string } {
  if (id === '')
    return (
      topics.byName(name) ?? { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: `there is no topic "${name}"` }
    );
  return topics.byId(id) ?? { error: 'UNKNOWN_TOPIC_ID', message: `there is no topic with the id ${id}` };
}
