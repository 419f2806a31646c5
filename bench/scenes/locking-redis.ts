import { Redis } from 'ioredis';
import { Records } from '../../src/locking/index.js';
import { RedisStore } from '../../src/locking/redis/index.js';
import { findOwnService } from '../../test/harness/services.js';
import { alternate, type Update } from '../alternate.js';
import type { SceneContext } from './load.js';
import { BENCH_FENCE, changesOf, type Order, ORDER_FIELDS } from './order.js';

const ROUNDS = { rounds: 60, burst: 250 };
const IN_FLIGHT = 64;
const VERSION = 'version';

/** The same as text, as one would write it by hand. */
const textOf = (i: number): Record<string, string> => {
  const order = changesOf(i);
  return Object.fromEntries(
    ORDER_FIELDS.map((name) => {
      const value = order[name];
      return [name, value instanceof Date ? String(value.getTime()) : String(value)];
    }),
  );
};

type Way = 'plain' | 'idle' | 'versioned' | 'fenced' | 'watched';

/** The same update with and without a guard, one after the other on one connection; and as people write it by hand. */
export async function benchLockingRedis({ report }: SceneContext): Promise<void> {
  report.title('Guarded updates in Redis: one connection, loopback, 8 fields of some 200 bytes');
  const { service, missing } = await findOwnService('redis');
  if (service === undefined) {
    report.title(`Skipped: ${missing}`);
    return;
  }
  const client = new Redis(service.url);
  try {
    const ways = await waysToUpdate(client);
    const micros = await alternate(ways, ROUNDS);
    const plain = micros.plain;
    report.add({ name: 'HSET, no check', value: plain, unit: 'us' });
    report.add({ name: 'update by version', value: micros.versioned, unit: 'us' });
    report.add({
      name: 'update by version / HSET',
      value: micros.versioned / plain,
      unit: 'x',
      target: { kind: 'at most', value: 1.15 },
    });
    report.add({
      name: 'a script that does nothing with these fields / HSET',
      value: micros.idle / plain,
      unit: 'x',
    });
    report.add({ name: 'update by version, token and seal / HSET', value: micros.fenced / plain, unit: 'x' });
    report.add({ name: 'WATCH, HGET, MULTI, HSET, EXEC', value: micros.watched, unit: 'us' });
    report.add({
      name: 'WATCH, HGET, MULTI, HSET, EXEC / update by version',
      value: micros.watched / micros.versioned,
      unit: 'x',
      target: { kind: 'at least', value: 1.5 },
    });
    await throughput(client, report.add.bind(report));
  } finally {
    client.disconnect();
    await service.stop();
  }
}

async function waysToUpdate(client: Redis): Promise<Record<Way, Update>> {
  const store = new RedisStore(client, { prefix: 'bench:' });
  const orders = new Records<Order>(store, 'orders');
  const order = { ...changesOf(0), customer: 'c-77' };
  const fence = BENCH_FENCE;
  await store.seal(fence);
  const versions = { a: await orders.insert('a', order), b: await orders.insert('b', order, { fence }) };
  await client.hset('plain', textOf(0));
  await client.hset('watched', { ...textOf(0), [VERSION]: '1' });
  let watchedVersion = 1;
  const idle = (await client.script('LOAD', 'return 1')) as string;
  return {
    plain: (i) => client.hset('plain', textOf(i)),
    idle: (i) => client.evalsha(idle, 1, 'plain', ...Object.entries(textOf(i)).flat()),
    versioned: async (i) => {
      versions.a = await orders.update({ id: 'a', version: versions.a }, changesOf(i));
    },
    fenced: async (i) => {
      versions.b = await orders.update({ id: 'b', version: versions.b }, changesOf(i), { fence });
    },
    watched: async (i) => {
      await client.watch('watched');
      if ((await client.hget('watched', VERSION)) !== String(watchedVersion)) throw new Error('a conflict');
      const next = { ...textOf(i), [VERSION]: String(++watchedVersion) };
      if ((await client.multi().hset('watched', next).exec()) === null) throw new Error('a conflict');
    },
  };
}

/** Many at once, on one connection: each on a record of its own. */
async function throughput(client: Redis, add: SceneContext['report']['add']): Promise<void> {
  const orders = new Records<Order>(new RedisStore(client, { prefix: 'bench:' }), 'many');
  const order = changesOf(0);
  const versions = await Promise.all(
    Array.from({ length: IN_FLIGHT }, (_, i) => orders.insert(String(i), order)),
  );
  const each: Record<'plain' | 'versioned', Update> = {
    plain: () => Promise.all(versions.map((_, i) => client.hset(`plain-${i}`, textOf(i)))),
    versioned: () =>
      Promise.all(
        versions.map(async (version, i) => {
          versions[i] = await orders.update({ id: String(i), version }, changesOf(i));
        }),
      ),
  };
  const micros = await alternate(each, ROUNDS);
  add({ name: `HSET, ${IN_FLIGHT} in flight`, value: (IN_FLIGHT / micros.plain) * 1e6, unit: '/s' });
  add({
    name: `update by version, ${IN_FLIGHT} in flight`,
    value: (IN_FLIGHT / micros.versioned) * 1e6,
    unit: '/s',
  });
  add({
    name: `update by version / HSET, ${IN_FLIGHT} in flight`,
    value: micros.versioned / micros.plain,
    unit: 'x',
  });
}
