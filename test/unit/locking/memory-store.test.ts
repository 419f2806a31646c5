import { describe, expect, it } from '@jest/globals';
import { MemoryStore, OutcomeUnknownError, Records } from '../../../src/locking/index.js';
import { storeConformance } from '../../harness/store-conformance.js';

storeConformance('memory', () =>
  Promise.resolve({
    store: new MemoryStore(),
    main: 'accounts',
    part: 'lines',
    close: () => Promise.resolve(),
  }),
);

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
