// A worker that prints what it owns: npm run worker -- --group billing --topic tenants --name a
// The same on kafkajs is worker-kafkajs.js.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createWorker } from 'quorate/worker';

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

const say = (event, text) => {
  if (values.events) console.log(JSON.stringify({ at: Date.now(), name, ...event }));
  else if (text !== undefined) console.log(`${new Date().toTimeString().slice(0, 8)}  ${name}  ${text}`);
};

const worker = createWorker({
  brokers: values.brokers.split(','),
  group,
  topics: [topic],
  clientId: name,
  sessionTimeoutMs: Number(values['session-ms']),
  createTopics: { partitions: 8 },
  stopOn: ['SIGINT', 'SIGTERM'],
  onPartition: workOn,
});

/** A topic here is a set of partitions without records: the work is yours. This one just counts, and commits how far it is. */
async function workOn(lease) {
  const { partition, epoch: generation, signal } = lease;
  say({ kind: 'takes', partition, generation });
  try {
    for (let position = lease.position ?? 0n; ;) {
      await sleep(Number(values['commit-ms']), undefined, { signal });
      position += 1n;
      await lease.commit(position);
      say({ kind: 'committed', partition, offset: Number(position), generation });
    }
  } finally {
    // Whatever it was that ended it: nothing is done for the partition from here on.
    say({ kind: 'gives', partition });
  }
}

const list = () => `${topic}[${worker.owned().map(({ partition }) => partition)}]`;
worker.on('rebalanced', ({ epoch }) =>
  say({ kind: 'generation', generation: epoch }, `owns ${list()} in generation ${epoch}`),
);
worker.on('revoked', ({ leases, why }) => say({}, `gives up ${leases.length} partitions: ${why}`));
worker.on('lost', ({ leases, why }) => say({}, `has lost ${leases.length} partitions: ${why}`));
worker.on('error', ({ error }) => say({ kind: 'problem', error: error.message }, error.message));

await worker.start().catch(({ message }) => {
  console.error(`${message}. Start replicas with npm start`);
  process.exit(1);
});
