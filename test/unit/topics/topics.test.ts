import { describe, expect, it } from '@jest/globals';
import { codec, topicId, topicName } from '../../../src/kernel/index.js';
import {
  createTopics,
  restoreTopics,
  snapshotTopics,
  type TopicCommand,
  topicCommandCodec,
  topicNameProblem,
  type Topics,
} from '../../../src/topics/index.js';

const create = (name: string, partitions = 4, id = `id-${name}`): TopicCommand => ({
  kind: 'topic.create',
  name: topicName(name),
  newId: topicId(id),
  partitions,
  partitionsMax: 100,
});
const drop = (name: string, id = ''): TopicCommand => ({
  kind: 'topic.delete',
  name: topicName(name),
  id: topicId(id),
});
const grow = (name: string, partitions: number): TopicCommand => ({
  kind: 'topic.addPartitions',
  name: topicName(name),
  partitions,
  partitionsMax: 100,
});

/** Through its bytes, as the log has it. Gives the error, or NONE. */
const apply = (topics: Topics, command: TopicCommand): string =>
  topics.apply(codec.decode(topicCommandCodec, codec.encode(topicCommandCodec, command))).reply.error;

describe('topics', () => {
  it.each([
    ['a new one', [], create('a'), 'NONE'],
    ['one that is there', [create('a')], create('a', 9, 'other'), 'TOPIC_ALREADY_EXISTS'],
    ['without partitions', [], create('a', 0), 'INVALID_PARTITIONS'],
    ['with a negative number of them', [], create('a', -1), 'INVALID_PARTITIONS'],
    ['with too many', [], create('a', 101), 'INVALID_PARTITIONS'],
    ['with a bad name', [], create('a/b'), 'INVALID_TOPIC_EXCEPTION'],
    ['deleted by name', [create('a')], drop('a'), 'NONE'],
    ['deleted by id', [create('a')], drop('', 'id-a'), 'NONE'],
    ['deleted and not there', [], drop('a'), 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['deleted by an unknown id', [create('a')], drop('a', 'id-b'), 'UNKNOWN_TOPIC_ID'],
    ['deleted twice', [create('a'), drop('a')], drop('a'), 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['grown', [create('a')], grow('a', 5), 'NONE'],
    ['grown to what it has', [create('a')], grow('a', 4), 'INVALID_PARTITIONS'],
    ['made smaller', [create('a')], grow('a', 3), 'INVALID_PARTITIONS'],
    ['grown too far', [create('a')], grow('a', 101), 'INVALID_PARTITIONS'],
    ['grown and not there', [], grow('a', 5), 'UNKNOWN_TOPIC_OR_PARTITION'],
  ] as const)('%s', (_name, before, command, expected) => {
    const topics = createTopics();
    for (const earlier of before) apply(topics, earlier);
    const state = snapshotTopics(topics);
    expect(apply(topics, command)).toBe(expected);
    expect(Buffer.compare(snapshotTopics(topics), state) === 0).toBe(expected !== 'NONE');
  });

  it('say what they refuse in words', () => {
    const { reply } = createTopics().apply(create('a', 500));
    expect(reply).toMatchObject({
      message: 'a topic has at most 100 partitions here (setting topicPartitionsMax), not 500',
    });
  });

  it('have a new id when they are made again', () => {
    const topics = createTopics();
    apply(topics, create('a', 4, 'first'));
    apply(topics, drop('a'));
    apply(topics, create('a', 4, 'second'));
    expect(topics.byName(topicName('a'))!.id).toBe('second');
    expect(topics.byId(topicId('first'))).toBeUndefined();
  });

  it('survive a snapshot, with the same fingerprint, whatever order they were made in', () => {
    const one = createTopics();
    for (const name of ['c', 'a', 'b']) apply(one, create(name));
    const other = createTopics();
    for (const name of ['b', 'c', 'a']) apply(other, create(name));
    const restored = restoreTopics(snapshotTopics(one));
    expect(restored.all()).toEqual(one.all());
    expect(new Set([one, other, restored].map((topics) => topics.fingerprintOfAll(7))).size).toBe(1);
    const change = grow('a', 9);
    expect(new Set([one, other, restored].map((topics) => topics.fingerprint(change, 7))).size).toBe(1);
    apply(other, change);
    expect(other.fingerprint(change, 7)).not.toBe(one.fingerprint(change, 7));
    expect(other.fingerprintOfAll(7)).not.toBe(one.fingerprintOfAll(7));
  });

  it.each(['', '.', '..', 'a/b', 'ä', 'a b', 'x'.repeat(250)])('are never called %j', (name) => {
    expect(topicNameProblem(name)).toBeDefined();
  });
  it.each(['a', 'A-b_c.9', '...', 'x'.repeat(249)])('may be called %j', (name) => {
    expect(topicNameProblem(name)).toBeUndefined();
  });
});
