// The worker of `npm run demo:paused -- --kafkajs`.
import kafkajs from 'kafkajs';
import { NotOwnedError, StaleEpochError } from 'quorate/locking';
import { fencesOf } from 'quorate/locking/kafkajs';
import { fenced, say, stores, values, workOn } from './paused-deposits.js';

const { name, group, topic } = values;
const kafka = new kafkajs.Kafka({
  clientId: name,
  brokers: values.brokers.split(','),
  logLevel: kafkajs.logLevel.NOTHING,
});
const sessionTimeout = Number(values['session-ms']);
const consumer = kafka.consumer({
  groupId: group,
  sessionTimeout,
  heartbeatInterval: sessionTimeout / 10,
  maxWaitTimeInMs: 200,
});
const fences = fencesOf(consumer, { urls: values.urls.split(','), sessionTimeoutMs: sessionTimeout });

/** What is under way; the stores are closed when it has come to its end. */
const working = new Set();
fences.on('owned', ({ fences: owned }) => {
  for (const fence of owned) {
    const work = own(fence)
      .catch((error) => {
        // The partition was lost before the work began; its next owner does it.
        const lost = error instanceof NotOwnedError || error instanceof StaleEpochError;
        if (!lost) say({ kind: 'failed', message: error.message });
      })
      .finally(() => working.delete(work));
    working.add(work);
  }
});
async function own(fence) {
  // A new owner seals first, then reads: from here on every write of the old owner is refused. Throws StaleEpochError.
  if (fenced) for (const { records } of stores) await records.seal(fence);
  await workOn(fence);
}
await consumer.connect();
await consumer.subscribe({ topics: [topic] });
await consumer.run({ eachMessage: async () => {} });

process.on('SIGTERM', async () => {
  fences.close();
  await Promise.all(working);
  await consumer.disconnect();
  await Promise.all(stores.map((store) => store.close()));
  process.exit(0);
});
