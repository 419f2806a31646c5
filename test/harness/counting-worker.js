// A process with one worker of quorate/worker, for tests that kill it. Its store is the process that forked it, which checks every
// token: argv is { name, topic } and options of createWorker. When it is told to, it blocks its event loop, or leaves and joins again.
import { setTimeout as sleep } from 'node:timers/promises';
import { StaleEpochError } from 'quorate/locking';
import { createWorker } from 'quorate/worker';

const { name, topic, ...options } = JSON.parse(process.argv[2]);
const PAUSE_MS = 50;

const waiting = new Map();
let nextId = 1;
const ask = (body) =>
  new Promise((resolve) => {
    const id = nextId++;
    waiting.set(id, resolve);
    process.send({ id, name, ...body });
  });
function keepsTheLoopBusy(ms) {
  for (const end = performance.now() + ms; performance.now() < end;);
}
async function rejoin(times) {
  for (let done = 0; done < times; done++) {
    await worker.pause();
    const joined = new Promise((resolve) => {
      const off = worker.on('rebalanced', () => resolve(off()));
    });
    worker.resume();
    await joined;
  }
  process.send({ kind: 'rejoined', name });
}
process.on('message', ({ id, current, blockMs, rejoins }) => {
  if (rejoins !== undefined) return void rejoin(rejoins);
  if (blockMs !== undefined) return keepsTheLoopBusy(blockMs);
  waiting.get(id)(current);
  waiting.delete(id);
});
process.on('disconnect', () => process.exit(0));

async function toStore(kind, { scope, token }, body = {}) {
  const current = await ask({ kind, scope, token: String(token), ...body });
  if (current !== undefined) throw new StaleEpochError(scope, token, BigInt(current));
}

const worker = createWorker({
  ...options,
  topics: [topic],
  clientId: name,
  stores: [{ seal: (fence) => toStore('seal', fence) }],
  async onPartition(lease) {
    let position = lease.position ?? 0n;
    await ask({ kind: 'begins', partition: lease.partition, position: String(position) });
    while (!lease.signal.aborted) {
      position += 1n;
      await toStore('write', lease, { partition: lease.partition });
      await lease.commit(position);
      await ask({ kind: 'committed', partition: lease.partition, position: String(position) });
      await sleep(PAUSE_MS);
    }
  },
});
worker.on('error', ({ error }) =>
  process.send({ kind: 'problem', name, code: error.code, text: error.message }),
);
for (const event of ['assigned', 'revoked', 'lost'])
  worker.on(event, () => process.send({ kind: 'owns', name, count: worker.owned().length }));
process.once('SIGTERM', async () => {
  await worker.stop();
  process.exit(0);
});
worker.on('rebalanced', ({ epoch }) => process.send({ kind: 'rebalanced', name, epoch }));
await worker.start();
process.send({ kind: 'started', name });
