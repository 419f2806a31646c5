import { expect, it } from '@jest/globals';
import { shardId } from '../../../src/kernel/index.js';
import { errorCode } from '../../../src/wire/index.js';
import { bench } from './broker-bench.js';

const commit = (name: string) => ({
  groupId: 'billing',
  generationIdOrMemberEpoch: -1,
  memberId: '',
  topics: [{ name, partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: null }] }],
});
const UNKNOWN = errorCode('UNKNOWN_TOPIC_OR_PARTITION');

/** A replica that has not heard of the topic `new` yet: its leader has. */
async function lagging() {
  const { client, coordinator } = await bench();
  coordinator.addTopic('old', 1);
  const kafka = await client();
  const asked: number[] = [];
  let made = false;
  let answers = true;
  coordinator.readAnywhere = (shard, done) => {
    asked.push(shard);
    if (!answers) return done({ kind: 'not-leader', leader: undefined });
    if (!made) coordinator.addTopic('new', 1);
    made = true;
    done({ kind: 'ok', view: coordinator.peek(shard) });
  };
  return { kafka, coordinator, asked, mute: () => void (answers = false) };
}
type Lagging = Awaited<ReturnType<typeof lagging>>;

/** What a client asks about a topic, and the error in the answer. */
const QUESTIONS: Readonly<Record<string, (kafka: Lagging['kafka'], name: string) => Promise<number>>> = {
  OffsetCommit: async (kafka, name) =>
    (await kafka.call(8, 7, commit(name))).topics[0]!.partitions[0]!.errorCode,
  ListOffsets: async (kafka, name) => {
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -2 }];
    const asked = { replicaId: -1, isolationLevel: 0, topics: [{ name, partitions }] };
    return (await kafka.call(2, 5, asked)).topics[0]!.partitions[0]!.errorCode;
  },
  Metadata: async (kafka, name) => {
    const asked = { topics: [{ name }], allowAutoTopicCreation: false };
    return (await kafka.call(3, 8, asked)).topics[0]!.errorCode;
  },
  DescribeConfigs: async (kafka, name) => {
    const resources = [{ resourceType: 2, resourceName: name, configurationKeys: null }];
    return (await kafka.call(32, 1, { resources, includeSynonyms: false })).results[0]!.errorCode;
  },
};

it.each(Object.keys(QUESTIONS))(
  '%s does not call a topic unknown that was made a moment ago, and that this replica has not heard of yet',
  async (api) => {
    const { kafka, asked } = await lagging();
    const codeOf = (name: string): Promise<number> => QUESTIONS[api]!(kafka, name);
    expect(await codeOf('old')).toBe(0);
    expect(asked).toEqual([]);
    expect(await codeOf('new')).toBe(0);
    expect(await codeOf('new')).toBe(0);
    expect(asked).toEqual([shardId(0)]);
    expect(await codeOf('missing')).toBe(UNKNOWN);
    expect(asked).toEqual([shardId(0), shardId(0)]);
  },
);

it('OffsetDelete removes what was committed to it, too', async () => {
  const { kafka, coordinator } = await lagging();
  const topics = [{ name: 'new', partitions: [{ partitionIndex: 0 }] }];
  await kafka.call(47, 0, { groupId: 'billing', topics });
  expect(coordinator.commandsOf('group.deleteOffsets')).toMatchObject([
    { topics: [{ topic: 'new', partitions: [0] }] },
  ]);
});

it('OffsetFetch finds by id what was committed to it', async () => {
  const { kafka, coordinator, asked } = await lagging();
  const { name, id } = coordinator.addTopic('late', 1);
  coordinator.topics.delete(name);
  const answered = coordinator.readAnywhere.bind(coordinator);
  coordinator.readAnywhere = (shard, done) => {
    coordinator.topics.set(name, { name, id, partitions: 1 });
    answered(shard, done);
  };
  const topics = [{ topicId: id, partitionIndexes: [0] }];
  const groups = [{ groupId: 'billing', memberId: null, memberEpoch: -1, topics }];
  const answer = await kafka.call(9, 10, { groups, requireStable: false });
  expect(answer.groups[0]!.topics[0]!.partitions[0]!.errorCode).toBe(0);
  expect(asked).toEqual([shardId(0)]);
});

it('#new-topics: while nobody can say whether there is the topic, a commit is to be tried again', async () => {
  const { kafka, coordinator, asked, mute } = await lagging();
  mute();
  expect(await QUESTIONS['OffsetCommit']!(kafka, 'new')).toBe(errorCode('COORDINATOR_LOAD_IN_PROGRESS'));
  expect(asked).toHaveLength(1);
  coordinator.leader = (shard) => (shard === shardId(0) ? undefined : 1);
  expect(await QUESTIONS['OffsetCommit']!(kafka, 'new')).toBe(errorCode('COORDINATOR_LOAD_IN_PROGRESS'));
  expect(await QUESTIONS['Metadata']!(kafka, 'new')).toBe(UNKNOWN);
  expect(asked).toHaveLength(1);
});
