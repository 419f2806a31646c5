// What the workers of `npm run demo:paused` do with a partition: for each deposit read an account, compute for a while, and write the
// new balance with a line in a journal, to every store. `--fencing off` writes as most code does: whatever was computed, without
// asking whether the partition is still ours.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { AggregateChange, LockingError, Records } from 'quorate/locking';
import { openStores } from './paused-stores.js';

export const { values } = parseArgs({
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
export const fenced = values.fencing === 'on';
export const stores = await openStores(JSON.parse(values.stores));
const workMs = Number(values['work-ms']);
export const say = (event) => process.stdout.write(`${JSON.stringify({ name: values.name, ...event })}\n`);

/** Until the partition is taken away. The stores were sealed with the fence, if it is to count. */
export async function workOn(fence) {
  const { partition } = fence;
  say({ kind: 'owns', partition, token: String(fence.token) });
  for (const { records } of stores)
    await new Records(records, 'accounts').tryInsert('acct-0', { balance: 0 });
  for (let step = 1; !fence.signal.aborted; step++) {
    await deposit(fence, step);
    await sleep(20);
  }
  say({ kind: 'stops', partition, why: fence.signal.reason.message });
}

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
    const line = { writer: values.name, token: String(fence.token), amount: 10 };
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

/**
 * Balance and journal in one transaction, if the account is as it was read and the partition is still ours. Who passes the lease
 * itself as the fence is refused here already; this shows that the store refuses, too.
 */
async function writeFenced({ records }, account, balance, line, fence) {
  const options = { fence: { scope: fence.scope, token: fence.token, owner: fence.owner } };
  const change = new AggregateChange(records, 'accounts', account, options);
  change.set({ balance }).insert('journal', `${line.writer}-${Date.now()}-${Math.random()}`, line);
  await change.commit();
}
