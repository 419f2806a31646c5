import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Cluster, type NatMap, Redis } from 'ioredis';
import { AggregateChange, OutcomeUnknownError, Records } from '../../src/locking/index.js';
import {
  CrossSlotError,
  RedisStore,
  tagByResource,
  tagByScope,
  UnconfirmedWriteError,
} from '../../src/locking/redis/index.js';
import { declareWith } from '../harness/describe-with-service.js';
import { RedisCluster } from '../harness/redis-cluster.js';
import { storeConformance } from '../harness/store-conformance.js';
import { ownersInterleaved, storeRace, type Writer } from '../harness/store-races.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { sleep } from '../harness/waiting.js';

jest.setTimeout(60_000);

interface Account {
  readonly [field: string]: number;
  readonly balance: number;
}

/** Records named `scope|name` stand where the seal of their scope does. */
const tags = tagByScope((_, id) => id.split('|')[0]!);

declareWith(await RedisCluster.find(), 'Redis Cluster', (service) => {
  const clients: Cluster[] = [];
  const connect = (options: { natMap?: NatMap } = {}): Cluster => {
    const client = new Cluster(service.seeds, options);
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  afterAll(() => clients.forEach((client) => client.disconnect()));
  const open = (): Promise<Writer> => {
    const client = connect();
    return Promise.resolve({ store: new RedisStore(client), close: async () => void (await client.quit()) });
  };

  storeConformance('Redis Cluster', async () => ({ ...(await open()), main: 'accounts', part: 'lines' }));
  storeRace('accounts', open, { writers: 8, durationMs: 1_500 });
  ownersInterleaved('accounts', open);

  describe('a store over a cluster', () => {
    let client: Cluster;
    let store: RedisStore;
    let accounts: Records<Account>;
    beforeAll(() => {
      client = connect();
      store = new RedisStore(client, { tags });
      accounts = new Records<Account>(store, 'accounts');
    });
    const scopes = ['g/t/0', 'g/t/1', 'g/t/2', 'g/t/3', 'g/t/4', 'g/t/5'];

    it('spreads partitions over the nodes, each with its seal beside its records', async () => {
      for (const scope of scopes) {
        const fence = { scope, token: 7n };
        await store.seal(fence);
        await accounts.insert(`${scope}|a`, { balance: 0 }, { fence });
        const part = new AggregateChange<Account>(
          store,
          'accounts',
          { id: `${scope}|a`, version: 1 },
          { fence },
        );
        expect(await part.set({ balance: 1 }).insert('lines', `${scope}|l`, { n: 1 }).commit()).toBe(2);
        const stale = { fence: { scope, token: 6n } };
        const late = await accounts.tryUpdate({ id: `${scope}|a`, version: 2 }, { balance: 9 }, stale);
        expect(late).toEqual({ kind: 'stale-epoch', scope, token: 6n, current: 7n });
      }
      const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()));
      expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(1);
    });

    it('writes to many nodes when every write stands for itself, and refuses it as one transaction', async () => {
      const ids = scopes.map((scope) => `${scope}|spread`);
      for (const id of ids) await accounts.insert(id, { balance: 0 });
      await accounts.touch({ id: ids[2]!, version: 1 });
      const updates = ids.map((id) => ({ record: { id, version: 1 }, changes: { balance: 5 } }));
      await expect(accounts.bulkUpdate(updates, 'all-or-nothing')).rejects.toThrow(CrossSlotError);
      const outcomes = await accounts.bulkUpdate(updates, 'each');
      expect(outcomes.map(({ kind }) => kind === 'written')).toEqual([true, true, false, true, true, true]);
      const found = await accounts.findAll(ids);
      expect(found.map((record) => record!.value.balance)).toEqual([5, 5, 0, 5, 5, 5]);
    });

    it('can tag by resource', async () => {
      const byTopic = new RedisStore(client, { tags: tagByResource((scope) => scope.split('/')[1]!) });
      const bills = new Records<Account>(byTopic, 'bills');
      await byTopic.seal({ scope: 'g/bills/0', token: 3n });
      const under = (token: bigint): object => ({ fence: { scope: 'g/bills/0', token } });
      expect(await bills.tryInsert('b', { balance: 0 }, under(2n))).toMatchObject({ kind: 'stale-epoch' });
      expect(await bills.insert('b', { balance: 0 }, under(3n))).toBe(1);
    });

    it('works on when the nodes forget their scripts', async () => {
      const id = 'g/t/1|flushed';
      let version = await accounts.insert(id, { balance: 0 });
      for (let i = 1; i <= 3; i++) {
        await Promise.all(client.nodes('master').map((node) => node.script('FLUSH')));
        version = await accounts.update({ id, version }, { balance: i });
      }
      expect(await accounts.read(id)).toMatchObject({ version: 4, value: { balance: 3 } });
    });

    it('a slot moves to another node under load: nothing is lost, nothing happens twice', async () => {
      const id = 'g/t/9|moving';
      await accounts.insert(id, { balance: 0 });
      let moving = true;
      let successes = 0;
      const writers = Array.from({ length: 6 }, async () => {
        const own = new Records<Account>(new RedisStore(connect(), { tags }), 'accounts');
        while (moving) {
          const record = await own.read(id);
          const { kind } = await own.tryUpdate(record, { balance: record.value.balance + 1 });
          if (kind === 'written') successes++;
          else expect(kind).toBe('version-conflict');
        }
      });
      await sleep(200);
      await service.moveSlotOf('{g/t/9}');
      await sleep(300);
      moving = false;
      await Promise.all(writers);
      expect(await accounts.read(id)).toMatchObject({
        version: 1 + successes,
        value: { balance: successes },
      });
    });
  });

  describe('that is to confirm its writes', () => {
    /** There are no replicas to wait for, so every write is carried out and unconfirmed: where WAIT went is what matters. */
    const confirm = { replicas: 1, timeoutMs: 20 };
    const askedOf = async (port: number): Promise<number> => {
      const client = new Redis(port, '127.0.0.1');
      const stats = await client.info('commandstats');
      client.disconnect();
      return Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };

    it('asks the node that carried it out, also when the slot has moved to another', async () => {
      const id = 'g/t/7|confirmed';
      const store = new RedisStore(connect(), { tags, confirm });
      const accounts = new Records<Account>(store, 'accounts');
      const beside = new Records<Account>(new RedisStore(connect(), { tags }), 'accounts');
      await expect(accounts.insert(id, { balance: 0 })).rejects.toThrow(UnconfirmedWriteError);
      for (let version = 1; version <= 2; version++) {
        const [owner, ...others] = await service.ownerOf('{g/t/7}');
        const before = await Promise.all([owner, ...others].map(askedOf));
        // The second time, this client does not know yet that the slot has moved.
        await expect(accounts.update({ id, version }, { balance: version })).rejects.toThrow(
          /0 of 1 replicas/,
        );
        const after = await Promise.all([owner, ...others].map(askedOf));
        expect(after[0]).toBeGreaterThan(before[0]!);
        if (version === 1) {
          expect(after.slice(1)).toEqual(before.slice(1));
          await service.moveSlotOf('{g/t/7}');
        }
      }
      expect(await beside.read(id)).toMatchObject({ version: 3, value: { balance: 2 } });
    });

    it('waits while the slot is between two nodes, and writes once', async () => {
      const id = 'g/t/8|between';
      const accounts = new Records<Account>(new RedisStore(connect(), { tags, confirm }), 'accounts');
      const beside = new Records<Account>(new RedisStore(connect(), { tags }), 'accounts');
      await beside.insert(id, { balance: 0 });
      let writing = Promise.resolve<unknown>(undefined);
      await service.moveSlotOf('{g/t/8}', async () => {
        writing = accounts.update({ id, version: 1 }, { balance: 1 }).catch((error: unknown) => error);
        // Long enough to be sent on at least once.
        await sleep(250);
        expect((await beside.read(id)).version).toBe(1);
      });
      expect(await writing).toBeInstanceOf(UnconfirmedWriteError);
      expect(await beside.read(id)).toMatchObject({ version: 2, value: { balance: 1 } });
    });

    it('writes of several partitions at once go to their nodes, each in its own pipeline', async () => {
      const store = new RedisStore(connect(), { tags, confirm });
      const ids = ['g/t/0', 'g/t/1', 'g/t/2', 'g/t/3'].map((scope) => `${scope}|many`);
      const accounts = new Records<Account>(store, 'accounts');
      const inserts = await Promise.allSettled(ids.map((id) => accounts.insert(id, { balance: 0 })));
      for (const settled of inserts) expect(settled).toMatchObject({ reason: { code: 'outcome-unknown' } });
      expect((await accounts.findAll(ids)).map((record) => record?.version)).toEqual([1, 1, 1, 1]);
    });
  });

  describe('behind connections that break', () => {
    const proxies = new Map<number, TcpProxy>();
    beforeAll(async () => {
      for (const port of service.ports) proxies.set(port, await TcpProxy.open(port));
    });
    afterAll(async () => {
      for (const proxy of proxies.values()) await proxy.close();
    });

    it('a write whose answer is lost is sent again by the cluster client, and happens once', async () => {
      const natMap = Object.fromEntries(
        service.ports.map((port) => [
          `127.0.0.1:${port}`,
          { host: '127.0.0.1', port: proxies.get(port)!.port },
        ]),
      );
      const accounts = new Records<Account>(new RedisStore(connect({ natMap }), { tags }), 'accounts');
      const beside = new Records<Account>(new RedisStore(connect(), { tags }), 'accounts');
      const [owner] = await service.ownerOf('{g/t/3}');
      const proxy = proxies.get(owner)!;
      for (const others of [0, 7, 8]) {
        const id = `g/t/3|lost-${others}`;
        await accounts.insert(id, { balance: 0 });
        expect(await accounts.update({ id, version: 1 }, { balance: 0 })).toBe(2);
        const lost = proxy.swallowNextAnswer();
        const answer = accounts.update({ id, version: 2 }, { mine: 1 });
        proxy.refuse(true);
        await lost;
        let version = 3;
        for (let i = 0; i < others; i++) version = await beside.update({ id, version }, { balance: i });
        proxy.refuse(false);
        if (others < 8) expect(await answer).toBe(3);
        else await expect(answer).rejects.toThrow(OutcomeUnknownError);
        expect(await beside.read(id)).toMatchObject({ version: 3 + others, value: { mine: 1 } });
      }
    });
  });
});
