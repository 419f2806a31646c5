// The worker of `npm run demo:paused`. It owns a partition, and for each deposit it reads an account, computes for a while
// and writes the new balance with a line in a journal, to every store. `--fencing off` writes as most code does: whatever was
// computed, without asking whether the partition is still ours.
import { parseArgs } from 'node:util';
import kafkajs from 'kafkajs';
import { AggregateChange, LockingError, NotOwnedError, Records, StaleEpochError } from 'quorate/locking';
import { fencesOf } from 'quorate/locking/kafkajs';
import { openStores } from './paused-stores.js';

const { values } = parseArgs({
  options: {
    name: { type: 'string' },
    brokers: { type: 'string' },
    urls: { type: 'string' },
    group: { type: 'string' },
    topic: { type: 'string' },
    fencing: { type: 'string', default: 'on' },
    stores: { type: 'string' },
    'session-ms': { type: 'string', default: '3000' },
    'work-ms': { type: 'string', default: '300' },
  },
});
const { name, group, topic } = values;
const workMs = Number(values['work-ms']);
const fenced = values.fencing === 'on';
const say = (event) => process.stdout.write(`${JSON.stringify({ name, ...event })}\n`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const stores = await openStores(JSON.parse(values.stores));
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

/** One deposit, in every store: read, compute, write. Where the process is stopped in between, time passes unseen. */
async function deposit(fence, step) {
  const accounts = new Map();
  for (const store of stores) {
    const record = await new Records(store.records, 'accounts').find('acct-0');
    accounts.set(store, record ?? undefined);
  }
  say({ kind: 'computes', step });
  await sleep(workMs);
  for (const store of stores) {
    const account = accounts.get(store);
    const balance = (account?.value.balance ?? 0) + 10;
    const line = { writer: name, token: String(fence.token), amount: 10 };
    try {
      if (fenced) await writeFenced(store, account, balance, line, fence);
      else await store.writeBlindly('acct-0', balance, line);
      say({ kind: 'wrote', step, store: store.name, balance, token: line.token });
    } catch (error) {
      if (!(error instanceof LockingError)) throw error;
      say({ kind: 'refused', step, store: store.name, error: error.name, message: error.message });
    }
  }
}

/** Balance and journal in one transaction, if the account is as it was read and the partition is still ours. */
async function writeFenced({ records }, account, balance, line, fence) {
  const options = { fence: { scope: fence.scope, token: fence.token, owner: fence.owner } };
  const change = new AggregateChange(records, 'accounts', account, options);
  change.set({ balance }).insert('journal', `${line.writer}-${Date.now()}-${Math.random()}`, line);
  await change.commit();
}

async function workOn(partition) {
  const fence = await fences.ready(topic, partition);
  say({ kind: 'owns', partition, token: String(fence.token) });
  if (fenced) {
    // A new owner seals first, then reads: from here on every write of the old owner is refused. Throws StaleEpochError.
    for (const { records } of stores) await records.seal(fence);
  }
  for (const { records } of stores)
    await new Records(records, 'accounts').tryInsert('acct-0', { balance: 0 });
  for (let step = 1; !fence.signal.aborted; step++) {
    await deposit(fence, step);
    await sleep(20);
  }
  say({ kind: 'stops', partition, why: fence.signal.reason.message });
}

/** What is under way; the stores are closed when it has come to its end. */
const working = new Set();
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  for (const partition of payload.memberAssignment[topic] ?? []) {
    const work = workOn(partition)
      .catch((error) => {
        // The partition was lost before the work began; its next owner does it.
        const lost = error instanceof NotOwnedError || error instanceof StaleEpochError;
        if (!lost) say({ kind: 'failed', message: error.message });
      })
      .finally(() => working.delete(work));
    working.add(work);
  }
});
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
