import { describe, expect, it } from '@jest/globals';
import { MemoryStore, OutcomeUnknownError, Records, StaleEpochError } from '../../../src/locking/index.js';
import { storeConformance } from '../../harness/store-conformance.js';

storeConformance('memory', () =>
  Promise.resolve({
    store: new MemoryStore(),
    main: 'accounts',
    part: 'lines',
    close: () => Promise.resolve(),
  }),
);

describe('records', () => {
  it('seal a scope through their store, and throw when a later owner has', async () => {
    const records = new Records(new MemoryStore(), 'r');
    const fence = (token: bigint): { scope: string; token: bigint } => ({ scope: 'g/t/0', token });
    expect(await records.seal(fence(7n))).toMatchObject({ previous: null });
    await expect(records.seal(fence(6n))).rejects.toThrow(StaleEpochError);
    expect(await records.trySeal(fence(6n))).toMatchObject({ kind: 'stale-epoch', current: 7n });
    await expect(records.insert('a', { n: 1 }, { fence: fence(6n) })).rejects.toThrow(StaleEpochError);
  });
});

describe('faults of the memory store', () => {
  it('a lost answer is reported as unknown, and the write happened', async () => {
    const store = new MemoryStore();
    const records = new Records<{ n: number }>(store, 'r');
    store.faults = {
      afterWrite: () => {
        throw new Error('connection lost');
      },
    };
    await expect(records.insert('a', { n: 1 })).rejects.toThrow(OutcomeUnknownError);
    expect((await records.read('a')).value.n).toBe(1);
  });
});
