// What @platformatic/kafka can say to a coordinator, each thing once. It takes the highest version that both speak, so it is
// the one that says everything in flexible versions. Prints what did not work; refusals are answers too.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, bootstrap] = process.argv.slice(2);
const found = createRequire(`${folder}/`).resolve('@platformatic/kafka');
const { Admin, Consumer, Producer } = await import(pathToFileURL(found).href);

const TOPIC = 'tenants';
const groupId = 'billing';
const common = {
  clientId: 'capture',
  bootstrapBrokers: [bootstrap],
  retries: 1,
  timeout: 5_000,
  strict: true,
};
const attempt = async (what, act) => {
  try {
    return await act();
  } catch (error) {
    console.log(
      `  ${what}: ${error.message} ${(error.errors ?? []).map(({ message }) => message).join('; ')}`,
    );
    return undefined;
  }
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const admin = new Admin(common);
await attempt('creating', () => admin.createTopics({ topics: [TOPIC], partitions: 3, replicas: 1 }));
await attempt('a topic twice', () => admin.createTopics({ topics: [TOPIC], partitions: 3, replicas: 1 }));
await attempt('adding partitions', () =>
  admin.createPartitions({ topics: [{ name: TOPIC, count: 4, assignments: [] }] }),
);
await attempt('topics', () => admin.listTopics());
await attempt('finding', () => admin.findCoordinator({ keyType: 0, keys: [groupId, 'another'] }));
await attempt('finding for transactions', () => admin.findCoordinator({ keyType: 1, keys: ['t'] }));
await attempt('configs', () =>
  admin.describeConfigs({
    resources: [{ resourceType: 4, resourceName: '1', configurationKeys: ['num.partitions'] }],
    includeSynonyms: false,
    includeDocumentation: false,
  }),
);
await attempt('altering configs', () =>
  admin.incrementalAlterConfigs({
    resources: [
      {
        resourceType: 2,
        resourceName: TOPIC,
        configs: [{ name: 'retention.ms', configOperation: 0, value: '1' }],
      },
    ],
  }),
);

async function member(more = {}) {
  const consumer = new Consumer({
    ...common,
    groupId,
    sessionTimeout: 3_000,
    rebalanceTimeout: 3_000,
    heartbeatInterval: 100,
    maxWaitTime: 200,
    ...more,
  });
  const stream = await consumer.consume({
    topics: [TOPIC],
    mode: 'committed',
    autocommit: false,
    maxWaitTime: 200,
  });
  stream.on('data', () => undefined);
  stream.on('error', (error) => console.log(`  reading: ${error.message}`));
  return consumer;
}
const first = await member();
await sleep(500);
await attempt('committing', () =>
  first.commit({
    offsets: [
      { topic: TOPIC, partition: 0, offset: 41n, leaderEpoch: -1 },
      { topic: TOPIC, partition: 1, offset: 7n, leaderEpoch: -1 },
    ],
  }),
);
const second = await attempt('a static member', () => member({ groupInstanceId: 'worker-2' }));
await sleep(1_500);
await attempt('committed', () =>
  first.listCommittedOffsets({ topics: [{ topic: TOPIC, partitions: [0, 1, 2, 3] }] }),
);
await attempt('ends', () => first.listOffsets({ topics: [TOPIC], timestamp: -1n }));
await attempt('groups', () => admin.listGroups());
await attempt('group', () => admin.describeGroups({ groups: [groupId] }));
await attempt('offsets', () => admin.listConsumerGroupOffsets({ groups: [groupId] }));
await attempt('deleting a group with members', () => admin.deleteGroups({ groups: [groupId] }));
await attempt('leaving', () => second?.close(true));
await attempt('leaving', () => first.close(true));
await attempt('removing all members', () => admin.removeMembersFromConsumerGroup({ groupId, members: null }));
await attempt('resetting', () =>
  admin.alterConsumerGroupOffsets({
    groupId,
    topics: [{ name: TOPIC, partitionOffsets: [{ partition: 0, offset: 5n }] }],
  }),
);
await attempt('deleting offsets', () =>
  admin.deleteConsumerGroupOffsets({ groupId, topics: [{ name: TOPIC, partitionIndexes: [0, 3] }] }),
);

const producer = new Producer({ ...common, retries: 0 });
await attempt('producing', () =>
  producer.send({
    messages: [{ topic: TOPIC, key: Buffer.from('k'), value: Buffer.from('v'), partition: 0 }],
    acks: -1,
  }),
);
await attempt('ending the producer', () => producer.close());
await attempt('deleting the group', () => admin.deleteGroups({ groups: [groupId] }));
await attempt('deleting the topic', () => admin.deleteTopics({ topics: [TOPIC] }));
await admin.close();
process.exit(0);
