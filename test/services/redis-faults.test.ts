import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import {
  AggregateChange,
  LockingError,
  OutcomeUnknownError,
  Records,
  VersionConflictError,
} from '../../src/locking/index.js';
import { RedisStore } from '../../src/locking/redis/index.js';
import { describeWithOwnService } from '../harness/describe-with-service.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { eventually, sleep } from '../harness/waiting.js';

jest.setTimeout(60_000);

interface Account {
  readonly [field: string]: number;
}

type Options = RedisOptions & { readonly replyMapping?: 'legacy' };

/** What a record remembers of its own changes; more than that, and it cannot tell any more who made a version. */
const REMEMBERED = 8;

await describeWithOwnService('redis', 'Redis behind a connection that breaks', (service) => {
  let direct: Redis;
  let proxy: TcpProxy;
  const clients: Redis[] = [];
  let prefix: string;
  let unique = 0;
  beforeAll(async () => {
    const { hostname, port } = new URL(service.url);
    proxy = await TcpProxy.open(Number(port), hostname);
    direct = new Redis(service.url);
    direct.on('error', () => undefined);
    // The server shall know the scripts: the answer that is lost is that of the write, not that it has to be sent in full.
    const store = new RedisStore(direct, { prefix: 'warm:' });
    await new Records<Account>(store, 'r').insert('a', {});
    await new Records<Account>(store, 'r').update({ id: 'a', version: 1 }, { n: 1 });
    await store.seal({ scope: 's', token: 1n });
  });
  beforeEach(() => {
    prefix = `${process.pid}-${Date.now()}-${unique++}:`;
    proxy.refuse(false);
  });
  afterEach(() => clients.splice(0).forEach((client) => client.disconnect()));
  afterAll(async () => {
    direct.disconnect();
    await proxy.close();
  });

  /** Through the proxy, with the default options of ioredis unless others are given. Connected and used once. */
  const through = (options: Options = {}): Promise<RedisStore> =>
    connected(`redis://127.0.0.1:${proxy.port}`, options);
  const connected = async (url: string, options: Options): Promise<RedisStore> => {
    const client = new Redis(url, options);
    client.on('error', () => undefined);
    clients.push(client);
    await client.ping();
    // The first thing that it sends is the write under test.
    return new RedisStore(client, { prefix, eviction: 'ignore' });
  };
  const accountsOf = (store: RedisStore): Records<Account> => new Records<Account>(store, 'accounts');
  const beside = (): Records<Account> => accountsOf(new RedisStore(direct, { prefix }));

  describe('a lost answer, after which ioredis sends the write again', () => {
    const under = { fence: { scope: 's', token: 7n } };
    const change = (store: RedisStore): AggregateChange<Account> =>
      new AggregateChange<Account>(store, 'accounts', { id: 'a', version: 1 })
        .set({ n: 2 })
        .insert('lines', 'l', { n: 1 })
        .delete('accounts', { id: 'b', version: 1 });
    const writes: Record<string, (store: RedisStore) => Promise<unknown>> = {
      'an update': (store) => accountsOf(store).update({ id: 'a', version: 1 }, { n: 2 }),
      'an update under a fence': (store) =>
        accountsOf(store).update({ id: 'a', version: 1 }, { n: 2 }, under),
      'an insert': (store) => accountsOf(store).insert('c', { n: 1 }),
      'a delete': (store) => accountsOf(store).delete({ id: 'a', version: 1 }),
      'a touch': (store) => accountsOf(store).touch({ id: 'a', version: 1 }),
      'an aggregate': (store) => change(store).commit(),
      'a batch of which a part fails': (store) =>
        accountsOf(store).bulkUpdate(
          [
            { record: { id: 'a', version: 1 }, changes: { n: 2 } },
            { record: { id: 'b', version: 0 }, changes: { n: 2 } },
            { record: { id: 'a', version: 2 }, changes: { n: 3 } },
            { record: { id: 'a', version: 1 }, changes: { n: 4 } },
          ],
          'each',
        ),
      'a seal': (store) => store.seal({ scope: 's', token: 9n, owner: 'me' }),
    };

    it.each(Object.entries(writes))(
      '%s happens once, and is answered as if nothing had been lost',
      async (_, write) => {
        const run = async (lost: boolean): Promise<unknown> => {
          prefix = `${prefix}${lost}:`;
          for (const id of ['a', 'b']) await beside().insert(id, { n: 1 });
          const store = await through();
          if (lost) void proxy.swallowNextAnswer();
          const answer = await write(store);
          const found = await beside().findAll(['a', 'b', 'c']);
          return { answer, found, lines: await store.read('lines', ['l']), seal: await store.fenceOf('s') };
        };
        expect(await run(true)).toEqual(await run(false));
      },
    );

    it.each([1, 2, REMEMBERED - 1])('is recognized behind %i later changes of others', async (others) => {
      expect(await updateThen(others)).toBe(2);
      expect(await beside().read('a')).toMatchObject({ version: 2 + others, value: { mine: 1 } });
    });

    it('is reported as unknown when too many others came after it', async () => {
      const error = await updateThen(REMEMBERED).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(OutcomeUnknownError);
      expect((await beside().read('a')).value).toMatchObject({ mine: 1 });
    });

    it('is recognized behind a deletion', async () => {
      expect(await updateThen(0, (version) => beside().delete({ id: 'a', version }))).toBe(2);
      expect(await beside().find('a')).toBeUndefined();
    });

    it('is recognized although a later owner has sealed meanwhile', async () => {
      const later = new RedisStore(direct, { prefix });
      expect(await updateThen(0, () => later.seal({ scope: 's', token: 8n }), under)).toBe(2);
    });

    it('is reported as unknown when the server refuses the second copy', async () => {
      const forbid = (what: string): Promise<unknown> => direct.call('ACL', 'SETUSER', 'default', what);
      const answer = updateThen(0, () => forbid('-evalsha')).finally(() => forbid('+evalsha'));
      await expect(answer).rejects.toThrow(OutcomeUnknownError);
      await expect(answer).rejects.toMatchObject({
        cause: { message: expect.stringMatching(/NOPERM/) as unknown },
      });
    });

    /** The first copy is carried out, others change the record, and only then can the second copy arrive. */
    async function updateThen(
      others: number,
      then: (version: number) => Promise<unknown> = () => Promise.resolve(),
      options = {},
    ): Promise<number> {
      await beside().insert('a', { n: 1 });
      const store = await through();
      const lost = proxy.swallowNextAnswer();
      const answer = accountsOf(store).update({ id: 'a', version: 1 }, { mine: 1 }, options);
      proxy.refuse(true);
      await lost;
      let version = 2;
      for (let i = 0; i < others; i++) version = await beside().update({ id: 'a', version }, { n: i });
      await then(version);
      proxy.refuse(false);
      return answer;
    }
  });

  describe('a write that is stuck on its way, and sent again over another connection', () => {
    const stuck = async <T>(
      write: (accounts: Records<Account>) => Promise<T>,
      meanwhile: () => Promise<unknown> = () => Promise.resolve(),
    ): Promise<{ answer: PromiseSettledResult<T>; deliver: () => Promise<void> }> => {
      const accounts = accountsOf(await through());
      const held = proxy.hold();
      proxy.refuse(true);
      const answer = write(accounts);
      await eventually('the write is on its way', 5_000, () => held.bytes() > 0);
      await meanwhile();
      held.cut();
      proxy.refuse(false);
      const [settled] = await Promise.allSettled([answer]);
      return {
        answer: settled,
        deliver: async () => {
          held.deliver();
          await sleep(50);
        },
      };
    };
    const fulfilled = (value: unknown): object => ({ status: 'fulfilled', value });

    it('does nothing when it arrives late', async () => {
      await beside().insert('a', { n: 1 });
      const { answer, deliver } = await stuck((accounts) =>
        accounts.update({ id: 'a', version: 1 }, { n: 2 }),
      );
      expect(answer).toEqual(fulfilled(2));
      await beside().update({ id: 'a', version: 2 }, { n: 3 });
      await deliver();
      expect(await beside().read('a')).toMatchObject({ version: 3, value: { n: 3 } });
    });

    it('an insert does not bring back what was deleted after it', async () => {
      const { answer, deliver } = await stuck((accounts) => accounts.insert('a', { n: 1 }));
      expect(answer).toEqual(fulfilled(1));
      let version = 1;
      for (; version < 3 * REMEMBERED;) version = await beside().update({ id: 'a', version }, { n: version });
      await beside().delete({ id: 'a', version });
      await deliver();
      expect(await beside().find('a')).toBeUndefined();
    });

    it('a conflict is believed when the record shows that no copy was carried out', async () => {
      await beside().insert('a', { n: 1 });
      const { answer, deliver } = await stuck(
        (accounts) => accounts.update({ id: 'a', version: 1 }, { n: 2 }),
        () => beside().update({ id: 'a', version: 1 }, { n: 9 }),
      );
      expect(answer).toMatchObject({
        status: 'rejected',
        reason: expect.any(VersionConflictError) as unknown,
      });
      await deliver();
      expect(await beside().read('a')).toMatchObject({ version: 2, value: { n: 9 } });
    });

    it('that an id is taken is not believed: a late copy may find it free', async () => {
      const { answer, deliver } = await stuck(
        (accounts) => accounts.insert('a', { n: 2 }),
        () => beside().insert('a', { n: 9 }),
      );
      expect(answer).toMatchObject({
        status: 'rejected',
        reason: expect.any(OutcomeUnknownError) as unknown,
      });
      await beside().delete({ id: 'a', version: 1 });
      await deliver();
      expect((await beside().find('a'))?.value).toEqual({ n: 2 });
    });
  });

  describe('other ways to lose an answer', () => {
    it.each([
      ['is told not to send again', { autoResendUnfulfilledCommands: false }],
      ['gives up at the first loss', { maxRetriesPerRequest: 0 }],
      ['does not reconnect', { retryStrategy: () => null }],
    ])('ioredis %s: the outcome is unknown', async (_, options) => {
      await beside().insert('a', { n: 1 });
      const accounts = accountsOf(await through(options));
      void proxy.swallowNextAnswer();
      await expect(accounts.update({ id: 'a', version: 1 }, { n: 2 })).rejects.toThrow(OutcomeUnknownError);
      expect((await beside().read('a')).version).toBe(2);
    });

    it('what was never sent fails with the error of ioredis', async () => {
      const offline = new Redis({
        port: 1,
        lazyConnect: true,
        enableOfflineQueue: false,
        retryStrategy: () => null,
      });
      offline.on('error', () => undefined);
      await expect(accountsOf(new RedisStore(offline)).insert('a', { n: 1 })).rejects.toThrow(
        /enableOfflineQueue/,
      );
      offline.disconnect();
      await eventually('it has ended', 5_000, () => offline.status === 'end');
      const ended = accountsOf(new RedisStore(offline)).insert('a', { n: 1 });
      await expect(ended).rejects.not.toThrow(LockingError);
    });

    it('the server stands still: unknown after the timeout, and it happens when it goes on', async () => {
      await beside().insert('a', { n: 1 });
      const patient = accountsOf(await through());
      const hasty = accountsOf(await through({ commandTimeout: 200 }));
      await service.pause();
      const late = patient.update({ id: 'a', version: 1 }, { n: 2 });
      await expect(hasty.insert('b', { n: 1 })).rejects.toThrow(OutcomeUnknownError);
      await service.resume();
      expect(await late).toBe(2);
      await eventually('it has happened', 5_000, async () => (await beside().find('b')) !== undefined);
    });

    it('the connection is cut while the server stands still: both copies arrive, one counts', async () => {
      await beside().insert('a', { n: 1 });
      const accounts = accountsOf(await through());
      await service.pause();
      const answer = accounts.update({ id: 'a', version: 1 }, { n: 2 });
      await sleep(50);
      const held = proxy.hold();
      held.cut();
      await sleep(300);
      await service.resume();
      expect(await answer).toBe(2);
      await sleep(50);
      expect(await beside().read('a')).toMatchObject({ version: 2, value: { n: 2 } });
    });
  });

  it('the server is killed under load: every answer is right or unknown, and no write is refused wrongly', async () => {
    const retry = { maxRetriesPerRequest: 1, retryStrategy: () => 20 };
    const open = (_: unknown, i: number): Promise<RedisStore> =>
      i % 2 === 0 ? connected(service.url, retry) : through({ ...retry, commandTimeout: 500 });
    const outcomes = new Map<string, number>();
    const stores = await Promise.all(Array.from({ length: 8 }, open));
    await Promise.all(
      stores.map(async (store, writer) => {
        const accounts = accountsOf(store);
        let version = await accounts.insert(`a${writer}`, { n: 0 });
        for (let outcome = 'done'; outcome === 'done';) {
          outcome = await accounts
            .update({ id: `a${writer}`, version }, { n: version })
            .then((next) => ((version = next), 'done'), codeOf);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          if (writer === 0 && version === 200) await service.kill();
        }
      }),
    );
    expect([...outcomes.keys()].sort()).toEqual(['done', 'outcome-unknown']);
    expect(outcomes.get('outcome-unknown')).toBe(stores.length);
  });
});

const codeOf = (error: unknown): string => {
  if (error instanceof LockingError) return error.code;
  throw error;
};
