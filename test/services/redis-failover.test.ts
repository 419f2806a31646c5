import { afterAll, afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  AggregateChange,
  LockingError,
  OutcomeUnknownError,
  Records,
  StaleEpochError,
  VersionConflictError,
} from '../../src/locking/index.js';
import {
  CannotConfirmError,
  type ConfirmOptions,
  RedisStore,
  UnconfirmedWriteError,
} from '../../src/locking/redis/index.js';
import { declareWith } from '../harness/describe-with-service.js';
import { programWithWaitaof, RedisServer, type RedisServerOptions } from '../harness/redis-server.js';
import { directoryOf } from '../harness/service-binaries.js';
import type { Found, Stoppable } from '../harness/services.js';
import { storeConformance } from '../harness/store-conformance.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { eventually, within } from '../harness/waiting.js';

jest.setTimeout(60_000);

interface Account {
  readonly [field: string]: number;
}

/** A master, its replica, and what stands before them. */
class Pair {
  readonly #clients: Redis[] = [];
  private constructor(
    readonly master: RedisServer,
    readonly replica: RedisServer,
    /** Between the replica and its master. */
    readonly link: TcpProxy,
    /** Between the clients and whoever is the master. */
    readonly front: TcpProxy,
  ) {}

  static async start(options: RedisServerOptions = {}): Promise<Pair> {
    const [master, replica] = await Promise.all([RedisServer.start(options), RedisServer.start(options)]);
    const [link, front] = await Promise.all([TcpProxy.open(master.port), TcpProxy.open(master.port)]);
    await replica.replicate(link.port);
    // A replica is in step up to a second before it gets, and acknowledges, what its master writes next.
    await master.client.set('first', '1');
    expect(await master.client.wait(1, 20_000)).toBe(1);
    return new Pair(master, replica, link, front);
  }

  /** A store with a connection of its own, through the front. */
  store(confirm?: ConfirmOptions): RedisStore {
    const client = new Redis(this.front.port, '127.0.0.1', { retryStrategy: () => 20 });
    client.on('error', () => undefined);
    this.#clients.push(client);
    return new RedisStore(client, confirm === undefined ? {} : { confirm });
  }

  cutLink(): void {
    this.link.refuse(true);
    this.link.cutAll();
  }

  /** The master is gone, the replica takes its place, and clients are led there. */
  async failOver(): Promise<void> {
    await this.master.kill();
    await this.replica.promote();
    this.front.leadTo(this.replica.port);
    this.front.cutAll();
  }

  async stop(): Promise<void> {
    await Promise.all([this.master.kill(), this.replica.kill(), this.link.close(), this.front.close()]);
    this.#clients.forEach((client) => client.disconnect());
  }
}

/** For what shall fail. */
const CONFIRM = { replicas: 1, timeoutMs: 300 };
/** For what shall succeed, or end before: longer than any of these tests may take. */
const PATIENT = { replicas: 1, timeoutMs: 50_000 };
const SCOPE = 's';
const under = (token: bigint) => ({ fence: { scope: SCOPE, token } });
const accountsOf = (store: RedisStore): Records<Account> => new Records<Account>(store, 'accounts');
/** Straight at a server. */
const on = (server: RedisServer): Records<Account> => accountsOf(new RedisStore(server.client));
const nothingToStop: Stoppable = { stop: () => Promise.resolve() };
const found: Found<Stoppable> =
  directoryOf('redis-server') === undefined
    ? { missing: 'no redis-server on this machine. Install it (apt-get install redis-server).' }
    : { service: nothingToStop };

declareWith(found, 'Redis with a replica', () => {
  describe('that is well', () => {
    let well: Pair | undefined;
    afterAll(() => well?.stop());
    storeConformance('confirmed writes', async () => ({
      store: (well = await Pair.start()).store({ replicas: 1, timeoutMs: 50_000 }),
      ...{ main: 'accounts', part: 'lines' },
      close: () => Promise.resolve(),
    }));
  });

  describe('that may fail', () => {
    let pair: Pair;
    beforeEach(async () => {
      pair = await Pair.start();
    });
    afterEach(() => pair.stop());

    it('a confirmed write, and a confirmed seal, survive that the replica takes over', async () => {
      const store = pair.store(PATIENT);
      const accounts = accountsOf(store);
      await store.seal({ scope: SCOPE, token: 8n });
      await accounts.insert('a', { n: 1 }, under(8n));
      await accounts.update({ id: 'a', version: 1 }, { n: 2 }, under(8n));
      await pair.failOver();
      expect(await on(pair.replica).read('a')).toEqual({ id: 'a', version: 2, fence: 8n, value: { n: 2 } });
      await expect(on(pair.replica).insert('b', { n: 1 }, under(7n))).rejects.toThrow(StaleEpochError);
    });

    describe.each<[string, () => void]>([
      ['stands still', () => pair.replica.pause()],
      ['is cut off', () => pair.cutLink()],
    ])('while the replica %s', (_, fail) => {
      const writes: Record<string, (store: RedisStore) => Promise<unknown>> = {
        'an update': (store) => accountsOf(store).update({ id: 'a', version: 1 }, { n: 2 }),
        'an insert': (store) => accountsOf(store).insert('b', { n: 1 }),
        'an aggregate': (store) =>
          new AggregateChange<Account>(store, 'accounts', { id: 'a', version: 1 })
            .set({ n: 2 })
            .insert('lines', 'l', { n: 1 })
            .commit(),
        'a batch of which a part is refused': (store) =>
          accountsOf(store).bulkUpdate(
            [
              { record: { id: 'a', version: 7 }, changes: { n: 9 } },
              { record: { id: 'a', version: 1 }, changes: { n: 2 } },
            ],
            'each',
          ),
        'a seal': (store) => store.seal({ scope: SCOPE, token: 9n }),
      };
      it.each(Object.entries(writes))('%s is unknown in time, and says why', async (_, write) => {
        const store = pair.store(CONFIRM);
        await accountsOf(pair.store(PATIENT)).insert('a', { n: 1 });
        fail();
        const error = await within(
          'an answer',
          3_000,
          write(store).catch((reason: unknown) => reason),
        );
        expect(error).toBeInstanceOf(OutcomeUnknownError);
        expect(error).toBeInstanceOf(UnconfirmedWriteError);
        expect((error as Error).message).toMatch(
          /only 0 of 1 replicas had it within 300 ms.*failover.*touch/,
        );
      });

      it('refusals and checks stay what they are', async () => {
        const store = pair.store(CONFIRM);
        const accounts = accountsOf(store);
        await accountsOf(pair.store(PATIENT)).insert('a', { n: 1 }, under(8n));
        fail();
        const late = { id: 'a', version: 9 };
        await expect(accounts.update(late, { n: 2 })).rejects.toThrow(VersionConflictError);
        await expect(accounts.delete(late, under(8n))).rejects.toThrow(VersionConflictError);
        await expect(accounts.update({ id: 'a', version: 1 }, { n: 2 }, under(7n))).rejects.toThrow(
          StaleEpochError,
        );
        const stale = { kind: 'stale-epoch', scope: SCOPE, token: 7n, current: 9n };
        await expect(store.seal({ scope: SCOPE, token: 9n })).rejects.toThrow(UnconfirmedWriteError);
        expect(await store.trySeal({ scope: SCOPE, token: 7n })).toEqual(stale);
        const check = { kind: 'check', resource: 'accounts', id: 'a', version: 1 } as const;
        expect(await store.write([check], 'each')).toEqual([{ kind: 'written', version: 1 }]);
      });
    });

    it('a touch when the replica is back confirms what was not', async () => {
      const accounts = accountsOf(pair.store(PATIENT));
      const hasty = accountsOf(pair.store(CONFIRM));
      await accounts.insert('a', { n: 1 });
      pair.replica.pause();
      await expect(hasty.update({ id: 'a', version: 1 }, { n: 2 })).rejects.toThrow(UnconfirmedWriteError);
      pair.replica.resume();
      expect(await accounts.touch({ id: 'a', version: 2 })).toBe(3);
      await pair.failOver();
      expect(await on(pair.replica).read('a')).toMatchObject({ version: 3, value: { n: 2 } });
    });

    it('many writers wait together, not one after the other', async () => {
      const accounts = accountsOf(pair.store(PATIENT));
      const ids = Array.from({ length: 60 }, (_, i) => `w${i}`);
      await Promise.all(ids.map((id) => accounts.insert(id, { n: 1 })));
      expect(await waits(pair.master)).toBeLessThan(ids.length / 2);
      pair.replica.pause();
      const hasty = accountsOf(pair.store(CONFIRM));
      const writing = ids.map((id) => hasty.update({ id, version: 1 }, { n: 2 }));
      const results = await within('all answers', 10 * CONFIRM.timeoutMs, Promise.allSettled(writing));
      for (const result of results) expect(result).toMatchObject({ reason: { code: 'outcome-unknown' } });
    });

    it('the connection is lost while copies are waited for: WAIT is not asked again without its write', async () => {
      const accounts = accountsOf(pair.store(PATIENT));
      await accounts.insert('a', { n: 1 });
      // The server has this script as well now, so the next update is written at once.
      await accounts.update({ id: 'a', version: 1 }, { n: 2 });
      pair.replica.pause();
      const answer = accounts.update({ id: 'a', version: 2 }, { n: 3 });
      await eventually('it is written', 5_000, async () => (await on(pair.master).read('a')).version === 3);
      pair.front.cutAll();
      // On a new connection WAIT counts this replica, which does not have the write.
      await expect(within('an answer', 3_000, answer)).rejects.toThrow(OutcomeUnknownError);
    });

    it('the answer is lost, and a copy of the write is recognized: unknown, although a replica is there', async () => {
      const accounts = accountsOf(pair.store(PATIENT));
      await accounts.insert('a', { n: 1 });
      void pair.front.swallowNextAnswer();
      await expect(accounts.update({ id: 'a', version: 1 }, { n: 2 })).rejects.toThrow(/connection was lost/);
      expect(await on(pair.master).read('a')).toMatchObject({ version: 2 });
      expect(await accounts.update({ id: 'a', version: 2 }, { n: 3 })).toBe(3);
    });

    it('clients are moved to the new master under load: what was answered as written is there', async () => {
      const accounts = accountsOf(pair.store({ replicas: 1, timeoutMs: 100 }));
      const third = await RedisServer.start();
      let going = true;
      const written = new Map<string, string[]>();
      const outcomes = new Set<string>();
      const count = (): number => [...written.values()].flat().length;
      const writers = Array.from({ length: 6 }, async (_, writer) => {
        const id = `a${writer}`;
        const done: string[] = [];
        written.set(id, done);
        for (let i = 0; going; i++) {
          const outcome = await onceMore(accounts, id, `w${i}`).catch(codeOf);
          if (outcome === 'written') done.push(`w${i}`);
          outcomes.add(outcome);
        }
      });
      try {
        await eventually('writes are confirmed', 10_000, () => outcomes.has('written'));
        // The replica falls behind, so the master has writes that will be lost.
        pair.cutLink();
        await eventually('writes are not confirmed', 10_000, () => outcomes.has('outcome-unknown'));
        await pair.failOver();
        const before = count();
        await third.replicate(pair.replica.port);
        await eventually('the new master has confirmed writes of its own', 10_000, () => count() > before);
      } finally {
        going = false;
        await Promise.all(writers);
        await third.kill();
      }
      const kept = await on(pair.replica).findAll([...written.keys()]);
      kept.forEach((record, i) => {
        const names = new Set(Object.keys(record?.value ?? {}));
        const lost = written.get(`a${i}`)!.filter((name) => !names.has(name));
        expect({ id: `a${i}`, lost }).toEqual({ id: `a${i}`, lost: [] });
      });
    });

    it('works on when the server forgets its scripts', async () => {
      const store = pair.store(PATIENT);
      const accounts = accountsOf(store);
      await accounts.insert('a', { n: 1 });
      await pair.master.client.script('FLUSH');
      expect(await accounts.update({ id: 'a', version: 1 }, { n: 2 })).toBe(2);
      await pair.master.client.script('FLUSH');
      expect(await store.seal({ scope: SCOPE, token: 8n })).toEqual({ kind: 'sealed', previous: null });
    });

    it.each<[string, ConfirmOptions, (server: RedisServer) => Promise<unknown>]>([
      ['WAITAOF', { masterDisk: true, timeoutMs: 100 }, () => Promise.resolve()],
      ['WAIT', CONFIRM, ({ client }) => client.call('ACL', 'SETUSER', 'default', '-wait')],
    ])('a server that cannot do %s says so before anything is written', async (command, confirm, forbid) => {
      await forbid(pair.master);
      const accounts = accountsOf(pair.store(confirm));
      const inserted = accounts.insert('a', { n: 1 });
      await expect(inserted).rejects.toThrow(CannotConfirmError);
      await expect(inserted).rejects.toThrow(new RegExp(`refuses ${command} .*Nothing was written`));
      expect(await on(pair.master).find('a')).toBeUndefined();
    });

    it('a server that could, and cannot any more: unknown, with its words', async () => {
      const accounts = accountsOf(pair.store(PATIENT));
      await accounts.insert('a', { n: 1 });
      await pair.master.client.call('ACL', 'SETUSER', 'default', '-wait');
      const updated = accounts.update({ id: 'a', version: 1 }, { n: 2 });
      await expect(updated).rejects.toThrow(UnconfirmedWriteError);
      await expect(updated).rejects.toThrow(/WAIT failed \(NOPERM/);
    });

    it('without `confirm`, a failover can forget the newest fence; the owner that seals again closes that', async () => {
      const store = pair.store();
      const accounts = accountsOf(store);
      await accounts.insert('a', { n: 0 });
      await store.seal({ scope: SCOPE, token: 7n });
      await eventually(
        'the replica has it',
        5_000,
        async () => (await on(pair.replica).find('a')) !== undefined,
      );
      pair.cutLink();
      await store.seal({ scope: SCOPE, token: 8n });
      expect(await accounts.update({ id: 'a', version: 1 }, { n: 8 }, under(8n))).toBe(2);
      await expect(accounts.insert('b', { n: 7 }, under(7n))).rejects.toThrow(StaleEpochError);

      await pair.failOver();
      // The new owner's write is gone, and so is what refused the owner before.
      expect(await accounts.read('a')).toMatchObject({ version: 1, fence: null });
      expect(await accounts.update({ id: 'a', version: 1 }, { n: 7 }, under(7n))).toBe(2);

      expect(await store.seal({ scope: SCOPE, token: 8n })).toEqual({ kind: 'sealed', previous: 7n });
      await expect(accounts.update({ id: 'a', version: 2 }, { n: 7 }, under(7n))).rejects.toThrow(
        StaleEpochError,
      );
      expect(await accounts.update({ id: 'a', version: 2 }, { n: 8 }, under(8n))).toBe(3);
    });
  });
});

const waitaof = await programWithWaitaof();
declareWith(
  waitaof === undefined
    ? { missing: 'no Redis 7.2 or Valkey on this machine. Get one (bash scripts/fetch-valkey.sh).' }
    : { service: nothingToStop },
  'a server with WAITAOF',
  () => {
    let pair: Pair;
    afterEach(() => pair.stop());
    const start = (onDisk: boolean): Promise<Pair> => Pair.start({ program: waitaof!, onDisk });

    it('a write that is on the disks of both survives, and one that is not on the replica is unknown', async () => {
      pair = await start(true);
      const store = pair.store({ masterDisk: true, replicaDisks: 1, timeoutMs: 20_000 });
      expect(await accountsOf(store).insert('a', { n: 1 })).toBe(1);
      expect(await store.seal({ scope: SCOPE, token: 8n })).toMatchObject({ kind: 'sealed' });
      pair.cutLink();
      const hasty = accountsOf(pair.store({ masterDisk: true, replicaDisks: 1, timeoutMs: 100 }));
      await expect(hasty.touch({ id: 'a', version: 1 })).rejects.toThrow(
        /on the disks of only 0 of 1 replicas/,
      );
      const alone = accountsOf(pair.store({ masterDisk: true, timeoutMs: 20_000 }));
      expect(await alone.touch({ id: 'a', version: 2 })).toBe(3);
      await pair.failOver();
      expect(await on(pair.replica).read('a')).toMatchObject({ version: 1 });
      await expect(on(pair.replica).insert('b', { n: 1 }, under(7n))).rejects.toThrow(StaleEpochError);
    });

    it('waits for disks and for more replicas than disks', async () => {
      pair = await start(true);
      const accounts = accountsOf(pair.store({ replicas: 1, masterDisk: true, timeoutMs: 20_000 }));
      expect(await accounts.insert('a', { n: 1 })).toBe(1);
      const hasty = accountsOf(pair.store({ replicas: 2, masterDisk: true, timeoutMs: 100 }));
      await expect(hasty.touch({ id: 'a', version: 1 })).rejects.toThrow(/only 1 of 2 replicas/);
    });

    it('a master without a file says so before anything is written', async () => {
      pair = await start(false);
      const accounts = accountsOf(pair.store({ masterDisk: true, timeoutMs: 100 }));
      await expect(accounts.insert('a', { n: 1 })).rejects.toThrow(/appendonly/);
      expect(await on(pair.master).find('a')).toBeUndefined();
    });
  },
);

/** How often WAIT was asked for, without the probe. */
async function waits({ client }: RedisServer): Promise<number> {
  return Number(/cmdstat_wait:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]) - 1;
}

/** Puts a field more into a record that others may have changed, or a failover; makes it when it is not there. */
async function onceMore(accounts: Records<Account>, id: string, name: string): Promise<string> {
  const record = await accounts.find(id);
  if (record === undefined) await accounts.insert(id, { [name]: 1 });
  else await accounts.update(record, { [name]: 1 });
  return 'written';
}

const codeOf = (error: unknown): string => {
  if (error instanceof LockingError) return error.code;
  throw error;
};
