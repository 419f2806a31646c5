// The worker of `npm run demo:paused`, on quorate/worker. The same on kafkajs is paused-worker-kafkajs.js.
import { createWorker } from 'quorate/worker';
import { fenced, say, stores, values, workOn } from './paused-deposits.js';

const worker = createWorker({
  brokers: values.brokers.split(','),
  group: values.group,
  topics: [values.topic],
  clientId: values.name,
  sessionTimeoutMs: Number(values['session-ms']),
  // Sealed before each lease begins: from then on they refuse every write of the owner before.
  stores: fenced ? stores.map(({ records }) => records) : [],
  onPartition: workOn,
});
worker.on('error', ({ error, lease }) => {
  // Without a lease it is a request, which is tried again.
  if (lease !== undefined) say({ kind: 'failed', message: error.message });
});
await worker.start();

process.once('SIGTERM', async () => {
  await worker.stop();
  await Promise.all(stores.map((store) => store.close()));
  process.exit(0);
});
