import { describe, expect, it } from '@jest/globals';
import { type Fence, MemoryStore, NotOwnedError, StaleEpochError } from '../../../src/locking/index.js';
import type { PartitionFence } from '../../../src/locking/kafkajs/index.js';
import { WorkLoops, type WorkOptions } from '../../../src/locking/kafkajs/work-loops.js';

const SCOPE = 'g/t/0';
function fenceOf(token: bigint): { readonly fence: PartitionFence; readonly end: () => void } {
  const controller = new AbortController();
  const { signal } = controller;
  const fence = {
    topic: 't',
    partition: 0,
    scope: SCOPE,
    owner: 'me',
    token,
    signal,
    assertOwned: () => undefined,
  };
  return { fence, end: () => controller.abort(new NotOwnedError(SCOPE, 'the group is rebalancing')) };
}
const ended = ({ signal }: PartitionFence): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));

/** The loops of one handler, and what failed. */
function loopsOf(handler: (fence: PartitionFence) => Promise<void>, options: WorkOptions = {}) {
  const failures: Error[] = [];
  const loops = new WorkLoops(handler, { restartMs: 1, ...options }, (error) => failures.push(error));
  return { loops, failures };
}

describe('the work loop of a partition', () => {
  it('begins when its last one has settled, and not before', async () => {
    const log: string[] = [];
    let settle = (): void => undefined;
    const { loops } = loopsOf(async (fence) => {
      log.push(`begins ${fence.token}`);
      await ended(fence);
      if (fence.token === 1n) await new Promise<void>((resolve) => (settle = resolve));
      log.push(`ends ${fence.token}`);
    });
    const [first, second] = [fenceOf(1n), fenceOf(2n)];
    loops.begin(first.fence);
    await new Promise(setImmediate);
    first.end();
    loops.begin(second.fence);
    await new Promise(setImmediate);
    expect(log).toEqual(['begins 1']);
    settle();
    await new Promise(setImmediate);
    expect(log).toEqual(['begins 1', 'ends 1', 'begins 2']);
    second.end();
    await loops.settled();
    expect(log.at(-1)).toBe('ends 2');
  });

  it('is left out when its time has passed before the last one has settled', async () => {
    const begun: bigint[] = [];
    let settle = (): void => undefined;
    const { loops } = loopsOf(async ({ token }) => {
      begun.push(token);
      if (token === 1n) await new Promise<void>((resolve) => (settle = resolve));
    });
    const [first, second] = [fenceOf(1n), fenceOf(2n)];
    loops.begin(first.fence);
    await new Promise(setImmediate);
    loops.begin(second.fence);
    second.end();
    settle();
    await loops.settled();
    expect(begun).toEqual([1n]);
  });

  it('seals, tells what a handler throws, and runs it again from a new seal', async () => {
    const store = new MemoryStore();
    const seals: bigint[] = [];
    const stores = [{ seal: (fence: Fence) => store.seal(fence).then(() => seals.push(fence.token)) }];
    let runs = 0;
    const { loops, failures } = loopsOf(
      () => (++runs < 3 ? Promise.reject(new Error(`run ${runs}`)) : Promise.resolve()),
      { stores },
    );
    loops.begin(fenceOf(4n).fence);
    await loops.settled();
    expect(failures.map(({ message }) => message)).toEqual(['run 1', 'run 2']);
    expect(seals).toEqual([4n, 4n, 4n]);
    expect(await store.fenceOf(SCOPE)).toBe(4n);
  });

  it('does not begin while a store knows a later owner', async () => {
    const store = new MemoryStore();
    await store.seal({ scope: SCOPE, token: 9n });
    let runs = 0;
    const { fence, end } = fenceOf(4n);
    const { loops, failures } = loopsOf(() => Promise.resolve(void runs++), { stores: [store] });
    loops.begin(fence);
    while (failures.length < 2) await new Promise(setImmediate);
    end();
    await loops.settled();
    expect(runs).toBe(0);
    expect(failures[0]).toBeInstanceOf(StaleEpochError);
  });

  it('has not failed when it stops because its signal has aborted', async () => {
    const { fence, end } = fenceOf(1n);
    const { loops, failures } = loopsOf(async (each) => {
      await ended(each);
      throw each.signal.reason;
    });
    loops.begin(fence);
    await new Promise(setImmediate);
    end();
    await loops.settled();
    expect(failures).toEqual([]);
  });
});
