// worker.js on kafkajs: node examples/worker-kafkajs.js --group billing --topic tenants --name a
import { parseArgs } from 'node:util';
import kafkajs from 'kafkajs';

const { values } = parseArgs({
  options: {
    group: { type: 'string', default: 'billing' },
    topic: { type: 'string', default: 'tenants' },
    name: { type: 'string', default: `worker-${process.pid}` },
    brokers: { type: 'string', default: '127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094' },
    'session-ms': { type: 'string', default: '6000' },
    'commit-ms': { type: 'string', default: '1000' },
    /** Prints JSON lines for a program that watches. */
    events: { type: 'boolean', default: false },
  },
});
const { group, topic, name } = values;
const sessionTimeout = Number(values['session-ms']);

const say = (event, text) => {
  if (values.events) console.log(JSON.stringify({ at: Date.now(), name, ...event }));
  else if (text !== undefined) console.log(`${new Date().toTimeString().slice(0, 8)}  ${name}  ${text}`);
};

const kafka = new kafkajs.Kafka({
  clientId: name,
  brokers: values.brokers.split(','),
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 150, retries: 100 },
});
const consumer = kafka.consumer({
  groupId: group,
  sessionTimeout,
  heartbeatInterval: 500,
  rebalanceTimeout: sessionTimeout,
  maxWaitTimeInMs: 500,
});

let owned = [];
let generation = -1;
/** Each is told: whoever watches sees who works on what. */
function own(partitions) {
  for (const partition of owned) say({ kind: 'gives', partition });
  owned = partitions;
  for (const partition of owned) say({ kind: 'takes', partition });
}
/** How far the pretended work on each partition has come. */
const done = new Map();

consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  own(payload.memberAssignment[topic] ?? []);
  // kafkajs tells the generation in the events of heartbeats and commits only (groupGenerationId).
  say({}, `owns ${topic}[${owned.join(',')}]`);
});
consumer.on(consumer.events.REBALANCING, () => {
  own([]);
  say({}, 'stops: the group rebalances');
});
consumer.on(consumer.events.HEARTBEAT, ({ payload }) => {
  if (payload.groupGenerationId === generation) return;
  generation = payload.groupGenerationId;
  say({ kind: 'generation', generation }, `is in generation ${generation}`);
});
consumer.on(consumer.events.CRASH, ({ payload }) => {
  // The worker stops; kafkajs starts again by itself, as another member.
  own([]);
  say(
    { kind: 'crashed', error: payload.error.message },
    `lost its coordinator (${payload.error.message}), looks for the next`,
  );
});

/**
 * partition -> { offset, generation } of the last commit that the coordinator acknowledged. kafkajs' commitOffsets also
 * resolves, with nothing committed, while its consumer has crashed and has not started again: only this event counts.
 */
const acknowledged = new Map();
consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
  for (const { topic: name, partitions } of payload.topics) {
    if (name !== topic) continue;
    for (const { partition, offset } of partitions)
      acknowledged.set(partition, { offset: Number(offset), generation: payload.groupGenerationId });
  }
});

await consumer.connect().catch(({ message }) => {
  console.error(`no replica answers at ${values.brokers} (${message}): start them with npm start`);
  process.exit(1);
});
await consumer.subscribe({ topics: [topic] });
await consumer.run({ autoCommit: false, eachMessage: async () => undefined });

/** A topic here is a set of partitions without records: the work is yours. This one just counts, and commits how far it is. */
let working = true;
const work = (async () => {
  while (working) {
    await new Promise((resolve) => setTimeout(resolve, Number(values['commit-ms'])));
    for (const partition of owned) {
      let offset = 0;
      try {
        if (!done.has(partition)) done.set(partition, await committed(partition));
        offset = done.get(partition) + 1;
        acknowledged.delete(partition);
        await consumer.commitOffsets([{ topic, partition, offset: String(offset) }]);
        const commit = acknowledged.get(partition);
        if (commit?.offset !== offset) throw new Error('the consumer has crashed: nothing was committed');
        done.set(partition, offset);
        say({ kind: 'committed', partition, offset, generation: commit.generation });
      } catch (error) {
        // Not ours any more, or its outcome is unknown: what counts is what the group remembers.
        done.delete(partition);
        say({ kind: 'problem', partition, error: error.message });
        break;
      }
    }
    for (const partition of [...done.keys()]) if (!owned.includes(partition)) done.delete(partition);
  }
})();

async function committed(partition) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const offset = Number(found?.partitions.find((entry) => entry.partition === partition)?.offset ?? -1);
    return Math.max(0, offset);
  } finally {
    await admin.disconnect();
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    working = false;
    await work;
    await consumer.disconnect();
    own([]);
    say({}, 'left');
    process.exit(0);
  });
}
