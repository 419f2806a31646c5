// One worker in a process of its own, on quorate/worker or on kafkajs: argv is { client, name, brokers, group, topic, heartbeatMs,
// writeMs }. With `writeMs` it pretends to write for each partition that it owns, and tells of the first write and of the last.
import kafkajs from 'kafkajs';
import { createWorker } from 'quorate/worker';

const options = JSON.parse(process.argv[2]);
const { client, name, brokers, group, topic, heartbeatMs, writeMs } = options;
const SESSION_MS = 10_000;
let heartbeats = 0;

/** The same clock in all processes of a machine. */
const now = () => performance.timeOrigin + performance.now();
/** partition -> ends the work on it */
const working = new Map();
function begin(partition) {
  let last;
  const write = () => {
    if (last === undefined) process.send({ kind: 'took', name, partition, at: now() });
    last = now();
  };
  write();
  const timer = writeMs > 0 ? setInterval(write, writeMs) : undefined;
  working.set(partition, () => {
    clearInterval(timer);
    working.delete(partition);
    process.send({ kind: 'gave', name, partition, at: last });
  });
}
const endAll = () => [...working.values()].forEach((end) => end());

const CLIENTS = {
  'quorate/worker': () => {
    const worker = createWorker({
      brokers,
      group,
      topics: [topic],
      clientId: name,
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: heartbeatMs,
      async onPartition({ partition, signal }) {
        begin(partition);
        await new Promise((ended) => signal.addEventListener('abort', ended));
        working.get(partition)();
      },
    });
    let isStarted = false;
    return {
      join: async () => {
        if (isStarted) return worker.resume();
        isStarted = true;
        await worker.start();
      },
      leave: () => worker.pause('the benchmark says so'),
    };
  },
  kafkajs: () => {
    const kafka = new kafkajs.Kafka({ clientId: name, brokers, logLevel: kafkajs.logLevel.NOTHING });
    let consumer;
    return {
      join: async () => {
        consumer = kafka.consumer({
          groupId: group,
          sessionTimeout: SESSION_MS,
          heartbeatInterval: heartbeatMs,
          maxWaitTimeInMs: heartbeatMs,
        });
        consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
          endAll();
          for (const partition of payload.memberAssignment[topic] ?? []) begin(partition);
        });
        consumer.on(consumer.events.REBALANCING, endAll);
        consumer.on(consumer.events.HEARTBEAT, () => heartbeats++);
        await consumer.connect();
        await consumer.subscribe({ topics: [topic] });
        await consumer.run({ autoCommit: false, eachMessage: async () => undefined });
      },
      leave: async () => {
        endAll();
        await consumer.disconnect();
      },
    };
  },
};

const { join, leave } = CLIENTS[client]();
process.on('message', async ({ id, what }) => {
  if (what === 'join') await join();
  if (what === 'leave') await leave();
  const { user, system } = process.cpuUsage();
  process.send({
    kind: 'done',
    id,
    heartbeats,
    cpuMicros: user + system,
    rssBytes: process.memoryUsage.rss(),
  });
});
process.on('disconnect', () => process.exit(0));
process.send({ kind: 'ready' });
