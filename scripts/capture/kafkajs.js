// What kafkajs can say to a coordinator, each thing once: two members of a group, commits, and all of its admin client that
// is answered here. Prints what did not work; refusals are answers too.
import kafkajs from 'kafkajs';

const TOPIC = 'tenants';
const groupId = 'billing';
const kafka = new kafkajs.Kafka({
  clientId: 'capture',
  brokers: [process.argv[2]],
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 3 },
});
const attempt = async (what, act) => {
  try {
    return await act();
  } catch (error) {
    console.log(`  ${what}: ${error.message}`);
    return undefined;
  }
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3 }] });
await attempt('a topic twice', () => admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3 }] }));
await admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count: 4 }] });
await admin.listTopics();
await admin.fetchTopicMetadata({ topics: [TOPIC] });
await admin.fetchTopicOffsets(TOPIC);
await admin.fetchTopicOffsetsByTimestamp(TOPIC, 1_700_000_000_000);
await admin.describeCluster();
await admin.fetchOffsets({ groupId, topics: [TOPIC] });
await attempt('configs', () =>
  admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: TOPIC }],
  }),
);

async function member() {
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: 3_000,
    rebalanceTimeout: 3_000,
    heartbeatInterval: 100,
    maxWaitTimeInMs: 200,
  });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC] });
  await consumer.run({ autoCommit: false, eachMessage: async () => undefined });
  await joined;
  return consumer;
}
const first = await member();
await first.commitOffsets([
  { topic: TOPIC, partition: 0, offset: '41', metadata: 'a note' },
  { topic: TOPIC, partition: 1, offset: '7' },
]);
const second = await member();
await sleep(1_500);
await attempt('a commit of what is not there', () =>
  first.commitOffsets([{ topic: TOPIC, partition: 99, offset: '1' }]),
);
await admin.describeGroups([groupId]);
await admin.listGroups();
await admin.fetchOffsets({ groupId, topics: [TOPIC] });
await admin.fetchOffsets({ groupId });
await attempt('deleting a group with members', () => admin.deleteGroups([groupId]));
await second.disconnect();
await first.disconnect();
await attempt('setting offsets', () =>
  admin.setOffsets({ groupId, topic: TOPIC, partitions: [{ partition: 0, offset: '5' }] }),
);

const producer = kafka.producer({ retry: { retries: 0 } });
await producer.connect();
await attempt('producing', () => producer.send({ topic: TOPIC, messages: [{ key: 'k', value: 'v' }] }));
await producer.disconnect();

await attempt('deleting the group', () => admin.deleteGroups([groupId]));
await admin.deleteTopics({ topics: [TOPIC] });
await admin.disconnect();
