import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { type Random, seededRandom } from '../../src/kernel/index.js';
import {
  AggregateChange,
  type Fence,
  MemoryStore,
  Records,
  RecordExistsError,
  StaleEpochError,
  VersionConflictError,
  type WriteOperation,
} from '../../src/locking/index.js';
import { CrossSlotError, RedisStore, tagByScope } from '../../src/locking/redis/index.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { storeConformance } from '../harness/store-conformance.js';
import { ownersInterleaved, storeRace, type Writer } from '../harness/store-races.js';

jest.setTimeout(30_000);

interface Account {
  readonly [field: string]: string | number;
  readonly balance: number;
}

await describeWithService('redis', 'Redis', ({ url }) => {
  const open = (): Promise<Writer> => {
    const client = new Redis(url);
    return Promise.resolve({ store: new RedisStore(client), close: async () => void (await client.quit()) });
  };
  storeConformance('Redis', async () => ({ ...(await open()), main: 'accounts', part: 'lines' }));
  storeRace('accounts', open);
  ownersInterleaved('accounts', open);

  describe('a Redis store', () => {
    let client: Redis;
    beforeAll(() => {
      client = new Redis(url);
    });
    afterAll(() => client.quit());

    let unique = 0;
    const prefixed = (options = {}): { store: RedisStore; prefix: string; accounts: Records<Account> } => {
      const prefix = `${process.pid}-${Date.now()}-${unique++}:`;
      const store = new RedisStore(client, { ...options, prefix });
      return { store, prefix, accounts: new Records<Account>(store, 'accounts') };
    };

    it('gives every kind of value back, typed', async () => {
      const records = new Records(prefixed().store, 'things');
      const value = {
        ...{ text: '5', number: 5, big: 2n ** 70n, yes: true, none: null, at: new Date(1.7e12) },
        ...{ bytes: new Uint8Array([0, 255, 128]), empty: '', '~odd {name}': 'x' },
      };
      await records.insert('a', value);
      expect((await records.read('a')).value).toStrictEqual(value);
      await records.update({ id: 'a', version: 1 }, { number: -0.5, text: 'now a text' });
      expect((await records.read('a')).value).toStrictEqual({ ...value, number: -0.5, text: 'now a text' });
    });

    it('keeps a record as a hash that reads well by hand', async () => {
      const { prefix, accounts } = prefixed();
      await accounts.insert('7', { balance: 5, owner: 'ada' }, { fence: { scope: 's', token: 4n } });
      const hash = await client.hgetall(`${prefix}{all}:r:accounts:7`);
      expect(hash).toMatchObject({ balance: '5', owner: 'ada', '@version': '1', '@fence': '4' });
    });

    it('keeps the hash compact, however often it changes', async () => {
      const { prefix, accounts } = prefixed();
      let version = await accounts.insert('7', { balance: 0 });
      for (let i = 1; i <= 1_100; i++) version = await accounts.update({ id: '7', version }, { balance: i });
      expect(await client.object('ENCODING', `${prefix}{all}:r:accounts:7`)).toBe('listpack');
    });

    it('works on when the server forgets its scripts', async () => {
      const { accounts, store } = prefixed();
      let version = await accounts.insert('7', { balance: 0 });
      await client.script('FLUSH');
      version = await accounts.update({ id: '7', version }, { balance: 1 });
      await client.script('FLUSH');
      expect(await accounts.touch({ id: '7', version })).toBe(3);
      await client.script('FLUSH');
      await store.seal({ scope: 's', token: 1n });
      expect(await accounts.read('7')).toMatchObject({ version: 3, value: { balance: 1 } });
    });

    it('works with ioredis options that change answers and batching', async () => {
      const other = new Redis(url, {
        ...{ enableAutoPipelining: true, keyPrefix: 'app:', replyMapping: 'resp3', stringNumbers: true },
      });
      const accounts = new Records<Account>(new RedisStore(other), `accounts-${process.pid}-${Date.now()}`);
      await accounts.insert('7', { balance: 5 });
      await client.script('FLUSH');
      expect(await accounts.update({ id: '7', version: 1 }, { balance: 6 })).toBe(2);
      expect(await accounts.read('7')).toMatchObject({ version: 2, value: { balance: 6 } });
      await other.quit();
    });

    it('writes thousands of fields at once', async () => {
      const records = new Records(prefixed().store, 'wide');
      const wide = (value: number): Record<string, number> =>
        Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`f${i}`, value]));
      await records.insert('a', wide(1));
      expect(await records.update({ id: 'a', version: 1 }, wide(2))).toBe(2);
      expect((await records.read('a')).value).toEqual(wide(2));
    });

    it('refuses tokens and values that it cannot keep, before anything is sent', async () => {
      const { accounts } = prefixed();
      const negative = { fence: { scope: 's', token: -1n } };
      await expect(accounts.insert('7', { balance: 0 }, negative)).rejects.toThrow(RangeError);
      const nested = { balance: 0, inner: {} } as unknown as Account;
      await expect(accounts.insert('7', nested)).rejects.toThrow(TypeError);
      await expect(accounts.insert('7', { balance: 0, half: '\ud83e' })).rejects.toThrow(/escape/);
      expect(await accounts.find('7')).toBeUndefined();
    });

    it('passes on what the server itself refuses, and nothing has changed', async () => {
      const { prefix, accounts } = prefixed();
      await client.set(`${prefix}{all}:r:accounts:7`, 'not a hash');
      await accounts.insert('8', { balance: 0 });
      const both = [{ record: { id: '8', version: 1 }, changes: { balance: 1 } }];
      both.push({ record: { id: '7', version: 1 }, changes: { balance: 1 } });
      await expect(accounts.bulkUpdate(both, 'each')).rejects.toThrow(/WRONGTYPE/);
      await expect(accounts.update({ id: '7', version: 1 }, { balance: 1 })).rejects.toThrow(/WRONGTYPE/);
      expect(await accounts.read('8')).toMatchObject({ version: 1, value: { balance: 0 } });
    });

    describe('remembers a deleted record', () => {
      const under = (token: bigint): { fence: Fence } => ({ fence: { scope: 's', token } });

      it('so that its fence never goes down', async () => {
        const { accounts } = prefixed();
        await accounts.insert('7', { balance: 0 }, under(8n));
        await accounts.delete({ id: '7', version: 1 }, under(9n));
        await expect(accounts.insert('7', { balance: 0 }, under(8n))).rejects.toThrow(StaleEpochError);
        const version = await accounts.insert('7', { balance: 0 });
        expect(await accounts.read('7')).toEqual({ id: '7', version, fence: 9n, value: { balance: 0 } });
      });

      it('so that a version from before the deletion never fits again', async () => {
        const { accounts } = prefixed();
        await accounts.insert('7', { balance: 1, owner: 'old' });
        await accounts.delete({ id: '7', version: 1 });
        expect(await accounts.tryUpdate({ id: '7', version: 1 }, { balance: 2 })).toEqual({
          kind: 'not-found',
        });
        expect(await accounts.insert('7', { balance: 3 })).toBe(3);
        await expect(accounts.update({ id: '7', version: 1 }, { balance: 2 })).rejects.toThrow(
          VersionConflictError,
        );
        await expect(accounts.insert('7', { balance: 4 })).rejects.toThrow(RecordExistsError);
        expect(await accounts.read('7')).toMatchObject({ version: 3, value: { balance: 3 } });
      });

      it('for ever, or as long as it is told, and a new record stays', async () => {
        const { prefix, accounts } = prefixed({ tombstoneMs: 60_000 });
        const key = `${prefix}{all}:r:accounts:7`;
        await accounts.insert('7', { balance: 0 });
        await accounts.delete({ id: '7', version: 1 });
        expect(await client.pttl(key)).toBeGreaterThan(50_000);
        await accounts.insert('7', { balance: 0 });
        expect(await client.pttl(key)).toBe(-1);
        const lasting = prefixed();
        await lasting.accounts.insert('7', { balance: 0 });
        await lasting.accounts.delete({ id: '7', version: 1 });
        expect(await client.pttl(`${lasting.prefix}{all}:r:accounts:7`)).toBe(-1);
      });
    });

    it('refuses a transaction across hash tags, and sends nothing', async () => {
      const { store, accounts } = prefixed({ tags: tagByScope((_, id) => id.split('|')[0]!) });
      await accounts.insert('s1|a', { balance: 0 });
      const change = new AggregateChange(store, 'accounts', { id: 's1|a', version: 1 });
      await expect(change.insert('lines', 's2|b', { n: 1 }).commit()).rejects.toThrow(CrossSlotError);
      const elsewhere = { fence: { scope: 's2', token: 1n } };
      await expect(accounts.touch({ id: 's1|a', version: 1 }, elsewhere)).rejects.toThrow(CrossSlotError);
      await expect(accounts.update({ id: 's1|a', version: 1 }, { balance: 1 }, elsewhere)).rejects.toThrow(
        CrossSlotError,
      );
      expect((await accounts.read('s1|a')).version).toBe(1);
    });

    it('does what the store in memory does, for any batch', async () => {
      const seed = Number(process.env['SEED'] ?? Date.now() % 1e9);
      const random = seededRandom(seed);
      for (let life = 0; life < 60; life++) {
        const { store } = prefixed();
        const memory = new MemoryStore();
        const deleted = new Set<string>();
        for (let i = 0; i < 25; i++) {
          const batch = Array.from({ length: 1 + random.below(6) }, () => anyWrite(random, deleted));
          const mode = random.pick(['each', 'all-or-nothing'] as const);
          const seal = { scope: random.pick(SCOPES), token: BigInt(random.below(12)) };
          if (random.chance(0.1)) expect(await store.trySeal(seal)).toEqual(await memory.trySeal(seal));
          const replay = { replay: `SEED=${seed}`, life, i, batch };
          expect({ ...replay, outcomes: await store.write(batch, mode) }).toEqual({
            ...replay,
            outcomes: await memory.write(batch, mode),
          });
        }
        expect(await store.read('r', IDS)).toEqual(await memory.read('r', IDS));
      }
    });
  });
});

const IDS = ['a', 'b', 'c', 'd'];
const SCOPES = ['s1', 's2'];

/** Often right: small versions and tokens. Once deleted, an id gets no insertion and no token: memory remembers nothing. */
function anyWrite(random: Random, deleted: Set<string>): WriteOperation {
  const id = random.pick(IDS);
  const fenced = !deleted.has(id) && random.chance(0.5);
  const fence = { scope: random.pick(SCOPES), token: BigInt(random.below(12)) };
  const head = { resource: 'r', id, ...(fenced ? { fence } : {}) };
  const changes = { [random.pick(['x', 'y'])]: random.below(100) };
  const kind = random.pick(['insert', 'update', 'update', 'update', 'touch', 'check', 'delete'] as const);
  if (kind === 'insert' && !deleted.has(id)) return { kind, value: changes, ...head };
  const version = 1 + random.below(6);
  if (kind === 'delete' && random.chance(0.2)) {
    deleted.add(id);
    return { kind, version, ...head };
  }
  return kind === 'touch' || kind === 'check'
    ? { kind, version, ...head }
    : { kind: 'update', version, changes, ...head };
}
