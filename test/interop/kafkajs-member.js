// A consumer on kafkajs that prints what it owns as JSON lines and commits on command: the commands are those of
// members/confluent_member.py.
import { createInterface } from 'node:readline';
import kafkajs from 'kafkajs';

const [brokers, groupId, topic, name] = process.argv.slice(2);
const say = (kind, more = {}) => console.log(JSON.stringify({ kind, name, ...more }));

const kafka = new kafkajs.Kafka({
  clientId: name,
  brokers: brokers.split(','),
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 100 },
});
const consumer = kafka.consumer({
  groupId,
  sessionTimeout: 3_000,
  rebalanceTimeout: 6_000,
  heartbeatInterval: 300,
  maxWaitTimeInMs: 300,
});
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
  say('owns', { partitions: payload.memberAssignment[topic] ?? [] }),
);
consumer.on(consumer.events.REBALANCING, () => say('stops'));
let commits = 0;
consumer.on(consumer.events.COMMIT_OFFSETS, () => void commits++);
await consumer.connect();
await consumer.subscribe({ topics: [topic] });
await consumer.run({ autoCommit: false, eachMessage: async () => undefined });

for await (const line of createInterface({ input: process.stdin })) {
  const [command, partition, offset] = line.split(' ');
  try {
    if (command === 'commit') {
      const before = commits;
      await consumer.commitOffsets([{ topic, partition: Number(partition), offset }]);
      if (commits === before) throw new Error('the consumer has crashed: nothing was committed');
      say('committed', { partition: Number(partition), offset: Number(offset) });
    } else {
      const admin = kafka.admin();
      await admin.connect();
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
      await admin.disconnect();
      const entry = found.partitions.find((each) => each.partition === Number(partition));
      say('found', { partition: Number(partition), offset: Number(entry?.offset ?? -1) });
    }
  } catch (error) {
    say('error', { error: error.type ?? error.message });
  }
}
await consumer.disconnect();
say('left');
