import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Attributes, type MeterProvider, metrics } from '@opentelemetry/api';
import {
  Fenced,
  type HeldFence,
  LOCKING_CHANNEL,
  type LockingEvent,
  MemoryStore,
  observed,
  OutcomeUnknownError,
  Records,
  RetryOnConflict,
  runFenced,
  StaleEpochError,
  withCurrentFence,
} from '../../../src/locking/index.js';

interface Account {
  readonly balance: number;
}

const events: LockingEvent[] = [];
const listen = (event: unknown): void => void events.push(event as LockingEvent);
beforeEach(() => {
  events.length = 0;
  subscribe(LOCKING_CHANNEL, listen);
});
afterEach(() => {
  unsubscribe(LOCKING_CHANNEL, listen);
  metrics.disable();
});

/** Notes what is counted, as `name{label=value}`. */
function countInto(counted: Map<string, number>): void {
  const createCounter = (name: string): object => ({
    add: (value: number, labels: Attributes) => {
      const key = `${name}${JSON.stringify(labels)}`;
      counted.set(key, (counted.get(key) ?? 0) + value);
    },
  });
  metrics.setGlobalMeterProvider({ getMeter: () => ({ createCounter }) } as unknown as MeterProvider);
}

describe('an observed store', () => {
  it('does what the store does, without an SDK', async () => {
    const accounts = new Records<Account>(observed(new MemoryStore()), 'accounts');
    await accounts.insert('a', { balance: 1 });
    expect(await accounts.update({ id: 'a', version: 1 }, { balance: 2 })).toBe(2);
    expect(events).toEqual([]);
  });

  it('counts and publishes conflicts, fenced writes and lost answers', async () => {
    const counted = new Map<string, number>();
    countInto(counted);
    const memory = new MemoryStore();
    const store = observed(memory);
    const accounts = new Records<Account>(store, 'accounts');
    await accounts.insert('a', { balance: 1 });
    await accounts.tryInsert('a', { balance: 1 });
    await accounts.tryUpdate({ id: 'a', version: 9 }, { balance: 2 });
    await store.seal({ scope: 's', token: 5n });
    await accounts.tryUpdate({ id: 'a', version: 1 }, { balance: 2 }, { fence: { scope: 's', token: 4n } });
    await store.trySeal({ scope: 's', token: 4n });
    memory.faults.afterWrite = () => {
      throw new Error('cut');
    };
    await expect(accounts.touch({ id: 'a', version: 1 })).rejects.toThrow(OutcomeUnknownError);
    const of = { store: 'memory', resource: 'accounts', id: 'a' };
    const stale = { kind: 'fenced', store: 'memory', scope: 's', token: 4n, current: 5n };
    expect(events).toEqual([
      { kind: 'conflict', ...of, expected: null, actual: 1 },
      { kind: 'conflict', ...of, expected: 9, actual: 1 },
      { ...stale, resource: 'accounts', id: 'a' },
      stale,
      { kind: 'outcome-unknown', store: 'memory', error: expect.any(OutcomeUnknownError) as unknown },
    ]);
    const labels = '{"store":"memory","resource":"accounts"}';
    expect(Object.fromEntries(counted)).toEqual({
      [`quorate.locking.writes${labels}`]: 5,
      [`quorate.locking.conflicts${labels}`]: 2,
      [`quorate.locking.fenced_writes${labels}`]: 1,
      'quorate.locking.fenced_writes{"store":"memory"}': 1,
      'quorate.locking.unknown_outcomes{"store":"memory"}': 1,
    });
  });

  it('counts into an SDK that starts later', async () => {
    const accounts = new Records<Account>(observed(new MemoryStore()), 'accounts');
    await accounts.insert('a', { balance: 1 });
    const counted = new Map<string, number>();
    countInto(counted);
    await accounts.touch({ id: 'a', version: 1 });
    expect([...counted.values()]).toEqual([1]);
  });
});

class Bank {
  readonly accounts: Records<Account>;
  reads = 0;
  constructor(readonly store: MemoryStore) {
    this.accounts = new Records(withCurrentFence(observed(store)), 'accounts');
  }

  @RetryOnConflict({ attempts: 4, backoffMs: 0 })
  async add(id: string, amount: number): Promise<number> {
    const record = await this.accounts.read(id);
    // Somebody else is faster the first two times.
    if (++this.reads <= 2) await new Records<Account>(this.store, 'accounts').touch(record);
    return this.accounts.update(record, { balance: record.value.balance + amount });
  }

  @Fenced()
  async addFor(_message: { readonly fence: HeldFence }, id: string): Promise<number> {
    return this.accounts.touch({ id, version: 1 });
  }

  @Fenced((_id: string, partition: { readonly owned: HeldFence }) => partition.owned)
  async addOf(id: string, _partition: { readonly owned: HeldFence } | object): Promise<number> {
    await Promise.resolve();
    return this.accounts.touch({ id, version: 1 });
  }
}

describe('@RetryOnConflict', () => {
  it('reads again and tries again, counted and published', async () => {
    const counted = new Map<string, number>();
    countInto(counted);
    const bank = new Bank(new MemoryStore());
    await bank.accounts.insert('a', { balance: 1 });
    expect(await bank.add('a', 5)).toBe(4);
    expect((await bank.accounts.read('a')).value.balance).toBe(6);
    expect(events.map(({ kind }) => kind)).toEqual(['conflict', 'retry', 'conflict', 'retry']);
    expect(counted.get('quorate.locking.retries{"reason":"version-conflict"}')).toBe(2);
  });

  it('stops when the partition that it works for is lost', async () => {
    const bank = new Bank(new MemoryStore());
    await bank.accounts.insert('a', { balance: 1 });
    const fence = { scope: 's', token: 1n, signal: AbortSignal.abort(new Error('lost')) };
    await expect(runFenced(fence, () => bank.add('a', 5))).rejects.toThrow('lost');
  });
});

describe('@Fenced', () => {
  it('makes the writes of a method under the fence among its arguments', async () => {
    const bank = new Bank(new MemoryStore());
    await bank.accounts.insert('a', { balance: 1 });
    await bank.accounts.insert('b', { balance: 1 });
    await bank.addFor({ fence: { scope: 's', token: 3n } }, 'a');
    await bank.addOf('b', { owned: { scope: 's', token: 4n } });
    const found = await bank.accounts.findAll(['a', 'b']);
    expect(found.map((record) => record!.fence)).toEqual([3n, 4n]);
  });

  it('keeps calls that run at once apart, and an explicit fence as it is', async () => {
    const bank = new Bank(new MemoryStore());
    await bank.store.seal({ scope: 's', token: 4n });
    for (const id of ['a', 'b', 'c']) await bank.accounts.insert(id, { balance: 1 });
    const [late, present] = await Promise.allSettled([
      bank.addOf('a', { owned: { scope: 's', token: 3n } }),
      bank.addOf('b', { owned: { scope: 's', token: 4n } }),
    ]);
    expect(late).toMatchObject({ status: 'rejected', reason: expect.any(StaleEpochError) as unknown });
    expect(present.status).toBe('fulfilled');
    await runFenced({ scope: 's', token: 3n }, () =>
      bank.accounts.touch({ id: 'c', version: 1 }, { fence: { scope: 'other', token: 9n } }),
    );
    expect((await bank.accounts.read('c')).fence).toBe(9n);
  });

  it('writes nothing without a fence, or when this process knows better than the store', async () => {
    const bank = new Bank(new MemoryStore());
    await bank.accounts.insert('a', { balance: 1 });
    await expect(bank.addOf('a', {})).rejects.toThrow(/addOf is @Fenced/);
    const assertOwned = (): void => {
      throw new Error('not ours');
    };
    const fence = { scope: 's', token: 9n, assertOwned };
    await expect(bank.addFor({ fence }, 'a')).rejects.toThrow('not ours');
    await expect(runFenced(fence, () => bank.accounts.touch({ id: 'a', version: 1 }))).rejects.toThrow(
      'not ours',
    );
    expect((await bank.accounts.read('a')).version).toBe(1);
  });
});
