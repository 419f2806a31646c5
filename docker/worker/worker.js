// The example worker of compose.yaml. Each partition is a tenant, with a counter in PostgreSQL and one in Redis: its owner counts up,
// under the token of its lease, and both stores refuse whoever was the owner before.
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { Records } from 'quorate/locking';
import { RedisStore } from 'quorate/locking/redis';
import { ddl, PostgresStore } from 'quorate/locking/sql';
import { createWorker } from 'quorate/worker';

const { BROKERS, DATABASE_URL, REDIS_URL, HEALTH_PORT = '8080' } = process.env;
const TABLES = { tables: { counters: { table: 'counters', fields: { count: 'INTEGER' } } }, seals: true };

const pool = new pg.Pool({ connectionString: DATABASE_URL });
const redis = new Redis(REDIS_URL);
for (const error of [pool, redis]) error.on('error', ({ message }) => console.error(message));
await createTables();
const stores = [new PostgresStore(pool, TABLES), new RedisStore(redis, { prefix: 'tenants:' })];

const worker = createWorker({
  brokers: BROKERS.split(','),
  group: 'counters',
  topics: ['tenants'],
  clientId: hostname(),
  createTopics: { partitions: 8 },
  stores,
  stopOn: ['SIGTERM', 'SIGINT'],
  onPartition: countUp,
});

async function countUp(lease) {
  const id = `tenant-${lease.partition}`;
  const counters = stores.map((store) => new Records(store, 'counters'));
  for (const counter of counters) await counter.tryInsert(id, { count: 0 }, { fence: lease });
  for (let position = lease.position ?? 0n; !lease.signal.aborted;) {
    for (const counter of counters) {
      const found = await counter.read(id);
      await counter.update(found, { count: found.value.count + 1 }, { fence: lease });
    }
    await lease.commit((position += 1n));
    await sleep(1_000, undefined, { signal: lease.signal });
  }
}

/** Of several that start at once one makes them. */
async function createTables() {
  const client = await pool.connect();
  try {
    await client.query('SELECT pg_advisory_lock(1)');
    const { rows } = await client.query("SELECT to_regclass('counters') AS counters");
    if (rows[0].counters === null)
      for (const statement of ddl('postgres', TABLES)) await client.query(statement);
    await client.query('SELECT pg_advisory_unlock(1)');
  } finally {
    client.release();
  }
}

worker.on('rebalanced', ({ epoch }) =>
  console.log(`owns tenants[${worker.owned().map(({ partition }) => partition)}] in epoch ${epoch}`),
);
worker.on('error', ({ error }) => console.error(error.message));
await worker.start();

/** For the health check: it is a member, and the coordinator has answered it lately. */
const health = createServer((_, response) => {
  const now = worker.health();
  response.statusCode = now.state === 'working' ? 200 : 503;
  response.end(JSON.stringify(now));
}).listen(Number(HEALTH_PORT));
health.unref();
worker.on('lost', ({ leases, why }) => console.error(`has lost ${leases.length} partitions: ${why}`));
process.once('SIGTERM', async () => {
  await worker.stop();
  redis.disconnect();
  await pool.end();
});
