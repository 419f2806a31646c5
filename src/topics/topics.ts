import { branded } from './codecs.js';
import { partitionEnd } from './ends.js';
import { assertNever, codec, crc32c, crc32cWord, type TopicId, type TopicName } from '../kernel/index.js';
import {
  type EndsCommand,
  type PartitionEnd,
  type Topic,
  type TopicCommand,
  type TopicError,
  topicNameProblem,
  topicToDelete,
  type TopicReply,
  type TopicsView,
} from './types.js';

export type TopicChange =
  | { readonly kind: 'topic-created' | 'topic-deleted' | 'topic-changed'; readonly topic: Topic }
  | {
      readonly kind: 'ends-said';
      readonly topic: Topic;
      readonly ends: readonly PartitionEnd[];
      readonly back: boolean;
    };

/** The topics of a cluster: replicated state of shard 0. Deterministic. */
export interface Topics extends TopicsView {
  apply(command: TopicCommand): { readonly reply: TopicReply; readonly change: TopicChange | null };
  /** Adds what a command led to to a running CRC: how many topics there are, and the one that it named. */
  fingerprint(command: TopicCommand, previous: number): number;
  /** All topics, encoded anew, as version 0.1.0 does it. */
  fingerprintOfAll(previous: number): number;
}

const topicCodec = codec.struct<Topic>({
  name: branded.topicName,
  id: branded.topicId,
  partitions: codec.uint,
});
const topicsCodec = codec.array(topicCodec);

export const snapshotTopics = (topics: TopicsView): Uint8Array => codec.encode(topicsCodec, topics.all());
/** Throws MalformedBytesError. */
export const restoreTopics = (bytes: Uint8Array): Topics => createTopics(codec.decode(topicsCodec, bytes));

export const topicCommandCodec = codec.union<TopicCommand>({
  'topic.create': {
    tag: 1,
    codec: codec.struct({
      name: branded.topicName,
      newId: branded.topicId,
      partitions: codec.int,
      partitionsMax: codec.uint,
    }),
  },
  'topic.delete': { tag: 2, codec: codec.struct({ name: branded.topicName, id: branded.topicId }) },
  'topic.addPartitions': {
    tag: 3,
    codec: codec.struct({ name: branded.topicName, partitions: codec.int, partitionsMax: codec.uint }),
  },
  'topic.setEnds': {
    tag: 4,
    codec: codec.struct({ name: branded.topicName, ends: codec.array(partitionEnd), back: codec.boolean }),
  },
});

export const endsCommandCodec = codec.union<EndsCommand>({
  'ends.start': { tag: 1, codec: codec.struct({}) },
});

const refuse = (error: TopicError, message: string): { reply: TopicReply; change: null } => ({
  reply: { kind: 'topic', error, message, topic: null },
  change: null,
});
const done = (
  kind: Exclude<TopicChange['kind'], 'ends-said'>,
  topic: Topic,
): { reply: TopicReply; change: TopicChange } => ({
  reply: { kind: 'topic', error: 'NONE', topic },
  change: { kind, topic },
});
const countProblem = (partitions: number, partitionsMax: number): string | undefined => {
  if (partitions < 1) return `a topic has at least one partition, not ${partitions}`;
  if (partitions > partitionsMax)
    return `a topic has at most ${partitionsMax} partitions here (setting topicPartitionsMax), not ${partitions}`;
  return undefined;
};

/** The topics stay as they are: ends are kept by the shards. */
function setEnds(
  topic: Topic | undefined,
  { name, ends, back }: Extract<TopicCommand, { kind: 'topic.setEnds' }>,
): { reply: TopicReply; change: TopicChange | null } {
  if (topic === undefined) return refuse('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${name}"`);
  for (const { partition, offset } of ends) {
    if (partition >= topic.partitions) {
      const has = `the topic "${topic.name}" has ${topic.partitions} partitions`;
      return refuse('UNKNOWN_TOPIC_OR_PARTITION', `${has}, there is no partition ${partition}`);
    }
    if (offset < 0)
      return refuse('INVALID_REQUEST', `the end of a partition is 0 or more, not ${String(offset)}`);
  }
  return {
    reply: { kind: 'topic', error: 'NONE', topic },
    change: { kind: 'ends-said', topic, ends, back },
  };
}

function creationRefused(
  { name, partitions, partitionsMax }: Extract<TopicCommand, { kind: 'topic.create' }>,
  exists: boolean,
): ReturnType<typeof refuse> | undefined {
  const problem = topicNameProblem(name);
  if (problem !== undefined) return refuse('INVALID_TOPIC_EXCEPTION', problem);
  if (exists) return refuse('TOPIC_ALREADY_EXISTS', `the topic "${name}" exists already`);
  const count = countProblem(partitions, partitionsMax);
  return count === undefined ? undefined : refuse('INVALID_PARTITIONS', count);
}

const inOrder = (topics: ReadonlyMap<TopicName, Topic>): readonly Topic[] =>
  [...topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1));

export function createTopics(initial: readonly Topic[] = []): Topics {
  const byName = new Map<TopicName, Topic>();
  const byId = new Map<TopicId, Topic>();
  let sorted: readonly Topic[] | undefined;
  for (const topic of initial) remember(topic);

  function remember(topic: Topic): void {
    byName.set(topic.name, topic);
    byId.set(topic.id, topic);
    sorted = undefined;
  }
  const all = (): readonly Topic[] => (sorted ??= inOrder(byName));

  return {
    byName: (name) => byName.get(name),
    byId: (id) => byId.get(id),
    all,
    get size() {
      return byName.size;
    },
    fingerprint: ({ name }, previous) =>
      crc32cWord(byName.get(name)?.partitions ?? 0, crc32cWord(byName.size, previous)),
    fingerprintOfAll: (previous) => crc32c(codec.encode(topicsCodec, all()), previous),
    apply(command) {
      switch (command.kind) {
        case 'topic.create': {
          const { name, newId, partitions } = command;
          const refused = creationRefused(command, byName.has(name));
          if (refused !== undefined) return refused;
          const topic = { name, id: newId, partitions };
          remember(topic);
          return done('topic-created', topic);
        }
        case 'topic.delete': {
          const topic = topicToDelete(
            { byName: (name) => byName.get(name), byId: (id) => byId.get(id) },
            command,
          );
          if ('error' in topic) return refuse(topic.error, topic.message);
          byName.delete(topic.name);
          byId.delete(topic.id);
          sorted = undefined;
          return done('topic-deleted', topic);
        }
        case 'topic.addPartitions': {
          const topic = byName.get(command.name);
          if (topic === undefined)
            return refuse('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${command.name}"`);
          const count = countProblem(command.partitions, command.partitionsMax);
          if (count !== undefined) return refuse('INVALID_PARTITIONS', count);
          if (command.partitions <= topic.partitions) {
            return refuse(
              'INVALID_PARTITIONS',
              `the topic "${topic.name}" has ${topic.partitions} partitions already; their number only grows`,
            );
          }
          const grown = { ...topic, partitions: command.partitions };
          remember(grown);
          return done('topic-changed', grown);
        }
        case 'topic.setEnds':
          return setEnds(byName.get(command.name), command);
        default:
          return assertNever(command);
      }
    },
  };
}
