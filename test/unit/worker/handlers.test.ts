import { describe, expect, it } from '@jest/globals';
import { type Fence, MemoryStore, Records } from '../../../src/locking/index.js';
import { Handlers } from '../../../src/worker/handlers.js';
import { checkedOptions, type WorkerOptions } from '../../../src/worker/options.js';
import { placeOutside } from '../../../src/worker/place.js';
import { RunningLease } from '../../../src/worker/running-lease.js';
import type { Lease } from '../../../src/worker/types.js';

const CLUSTER_FORMED = 1_700_000_000n << 21n;
const LATER_CLUSTER_FORMED = 1_800_000_000n << 21n;

function leaseOf(token: bigint): RunningLease {
  const held = { id: 1, topic: 't', partition: 0, epoch: 1, token, memberId: 'a' };
  return new RunningLease(held, {
    group: 'g',
    now: () => performance.now(),
    madeAt: placeOutside(leaseOf),
    sessionEndsAt: () => Number.POSITIVE_INFINITY,
    commit: () => new Promise(() => undefined),
    committed: () => Promise.resolve(null),
  });
}
const handlersOf = (options: Partial<WorkerOptions>, failed: (error: Error) => void): Handlers =>
  new Handlers(
    checkedOptions({
      brokers: ['127.0.0.1:1'],
      group: 'g',
      topics: ['t'],
      restartMs: 1,
      onPartition: () => undefined,
      ...options,
    }),
    { failed, ended: () => Promise.resolve() },
  );

describe('the handler of a lease', () => {
  it('does not begin while a store knows tokens that this cluster never gave, and the error says so', async () => {
    const store = new MemoryStore();
    await store.seal({ scope: 'g/t/0', token: LATER_CLUSTER_FORMED + 5n, owner: 'elsewhere' });
    const lease = leaseOf(CLUSTER_FORMED + 9n);
    let begun = 0;
    const errors: Error[] = [];
    const running = handlersOf({ stores: [store], onPartition: () => void begun++ }, (error) => {
      errors.push(error);
      if (errors.length === 2) lease.ends('lost', 'enough', 0);
    }).run(lease);
    await running;
    expect(begun).toBe(0);
    expect(errors[0]).toMatchObject({ code: 'SEAL_REFUSED', fatal: false });
    expect(errors[0]!.message).toMatch(
      /lease of g\/t\/0 cannot begin.*a token that the cluster of this worker never gave/,
    );
  });

  it('is sealed again when a store has forgotten its seal, which is told', async () => {
    const stores = [new MemoryStore(), new MemoryStore()];
    // The first forgets, as a cache does that evicts.
    const forgetful = {
      seal: (fence: Fence) => stores[0]!.seal(fence),
      fenceOf: (scope: string) => stores[0]!.fenceOf(scope),
    };
    const lease = leaseOf(CLUSTER_FORMED + 9n);
    const errors: Error[] = [];
    let begins: (() => void) | undefined;
    const begun = new Promise<void>((resolve) => (begins = resolve));
    const handlers = handlersOf(
      {
        stores: [forgetful],
        onPartition: async ({ signal }) => {
          begins!();
          await new Promise((ended) => signal.addEventListener('abort', ended));
        },
      },
      (error) => errors.push(error),
    );
    const running = handlers.run(lease);
    await begun;
    await handlers.checkSeals();
    expect(errors).toEqual([]);
    stores.shift();
    expect(await stores[0]!.fenceOf('g/t/0')).toBeNull();
    await handlers.checkSeals();
    expect(errors).toMatchObject([{ code: 'FENCE_FORGOTTEN' }]);
    expect(await stores[0]!.fenceOf('g/t/0')).toBe(lease.token);
    await handlers.checkSeals();
    expect(errors).toHaveLength(1);
    lease.ends('lost', 'enough', 0);
    await running;
  });

  describe('that waits is found by its last use of the lease', () => {
    const lastUseOf = async (onPartition: WorkerOptions['onPartition'], said: RegExp): Promise<string> => {
      const lease = leaseOf(CLUSTER_FORMED);
      const handlers = handlersOf({ stores: [new MemoryStore()], onPartition }, () => undefined);
      void handlers.run(lease);
      while (!said.test(lease.lastUse())) await new Promise((resume) => setImmediate(resume));
      lease.ends('lost', 'enough', 0);
      return lease.lastUse();
    };
    const never = (): Promise<void> => new Promise(() => undefined);

    it('a commit, with the functions that wait for it', async () => {
      const deeper = async (each: Lease): Promise<void> => {
        await new Promise(setImmediate);
        await each.commit(7);
      };
      const text = await lastUseOf(async (each) => {
        await deeper(each);
      }, /commit/);
      expect(text).toMatch(/called commit\(7\) \d+ ms ago.*(\n +at .*handlers\.test\.ts.*){2}\n/);
    });

    it('a write of a store', async () => {
      const records = new Records<{ n: number }>(new MemoryStore(), 'counters');
      const text = await lastUseOf(async (each) => {
        await records.insert('1', { n: 1 }, { fence: each });
        await never();
      }, /token/);
      expect(text).toMatch(/wrote with its token \d+ ms ago[^]*\n +at .*handlers\.test\.ts/);
    });

    it('where it took the signal, when it used nothing else', async () => {
      const text = await lastUseOf(async ({ signal }) => {
        await never();
        signal.throwIfAborted();
      }, /signal/);
      expect(text).toMatch(/read its signal \d+ ms ago.*\n +at .*handlers\.test\.ts/);
    });

    it('where its worker was made, when it used nothing', async () => {
      const text = await lastUseOf(never, /begun \d+ ms ago/);
      expect(text).toMatch(/has not used its lease. Its worker was made here:\n +at .*handlers\.test\.ts/);
    });
  });
});
