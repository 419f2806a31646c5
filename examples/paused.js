// npm run demo:paused: a worker is stopped (SIGSTOP) between reading an account and writing it. Its session runs out, another
// worker takes over, and then the first one wakes (SIGCONT) and writes what it had computed. With fencing every store refuses
// it; without, the deposits of the other one are gone. Prints what happened, and exits 0 if both runs went as they must.
//
//   npm run demo:paused [-- --redis redis://... --postgres postgres://... --kafkajs]
//
// SQL is SQLite in a temporary file unless a PostgreSQL is named. Redis is the one named, or a redis-server started for the
// demo; where there is none, Quorate's own records take its place.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openStores, sqliteModule } from './paused-stores.js';
import { ended, freePorts, Stage } from './stage.js';

const TOPIC = 'ledger';
const SESSION_MS = 3_000;
const DEPOSITS_BEFORE = 3;
const DEPOSITS_AFTER = 5;
const { values: options } = parseArgs({
  options: {
    redis: { type: 'string', default: process.env.QUORATE_DEMO_REDIS_URL },
    postgres: { type: 'string', default: process.env.QUORATE_DEMO_POSTGRES_URL },
    /** The workers are on kafkajs instead of quorate/worker. */
    kafkajs: { type: 'boolean', default: false },
  },
});
const WORKER = options.kafkajs ? 'examples/paused-worker-kafkajs.js' : 'examples/paused-worker.js';
const problems = [];
const stage = new Stage(20_000);
const { say, sleep } = stage;

/** What a worker said, and the worker itself. */
class Worker {
  events = [];
  constructor(name, args) {
    this.name = name;
    this.process = stage.start([WORKER, '--name', name, ...args], (line) => {
      const event = JSON.parse(line);
      this.events.push(event);
      this.tell(event);
    });
  }
  all(kind) {
    return this.events.filter((event) => event.kind === kind);
  }
  tell({ kind, store, error, message, partition, token, balance, why }) {
    if (kind === 'owns') say(this.name, `owns ${TOPIC}[${partition}] with token ${token}`);
    else if (kind === 'wrote') say(this.name, `${store.padEnd(10)} balance ${balance}, token ${token}`);
    else if (kind === 'refused') say(this.name, `${store.padEnd(10)} REFUSED: ${error}: ${message}`);
    else if (kind === 'stops') say(this.name, `stops: ${why}`);
    else if (kind === 'failed') problems.push(`${this.name}: ${message}`);
  }
}

/** One worker works, is stopped, another takes over, the first wakes. Gives what the stores hold in the end. */
async function run(fencing, { brokers, urls }, descriptions) {
  say('demo', `--- fencing ${fencing} ---`);
  const group = `bank-${fencing}`;
  const common = ['--brokers', brokers.join(','), '--urls', urls.join(','), '--group', group];
  const args = [...common, '--topic', TOPIC, '--fencing', fencing, '--session-ms', SESSION_MS];
  const all = [...args, '--stores', JSON.stringify(descriptions)];
  for (const store of await openStores(descriptions)) {
    await store.prepare?.();
    await store.close();
  }
  const anna = new Worker('anna', all);
  const written = (worker, deposits) => worker.all('wrote').length >= deposits * descriptions.length;
  await stage.eventually('anna has made deposits', () => written(anna, DEPOSITS_BEFORE));
  const computing = anna.all('computes').length;
  await stage.eventually('anna computes the next one', () => anna.all('computes').length > computing);
  anna.process.kill('SIGSTOP');
  say('demo', 'anna is stopped (SIGSTOP) between reading the account and writing it');

  const bert = new Worker('bert', all);
  await stage.eventually('bert takes over', () => bert.all('owns').length > 0);
  await stage.eventually('bert has made deposits', () => written(bert, DEPOSITS_AFTER));
  const before = anna.events.length;
  say('demo', 'anna wakes (SIGCONT) and goes on as if nothing had happened');
  anna.process.kill('SIGCONT');
  await stage.eventually(
    'anna has tried to write',
    () =>
      anna.events.slice(before).filter(({ kind }) => kind === 'wrote' || kind === 'refused').length >=
      descriptions.length,
  );
  await sleep(300);
  for (const worker of [anna, bert]) worker.process.kill('SIGTERM');
  await Promise.all([anna, bert].map((worker) => ended(worker.process)));
  return Promise.all(descriptions.map((description) => inspect(description, { anna, bert })));
}

/** Every deposit is 10 and has a line in the journal, so the balance must be 10 times the lines. */
async function inspect(description, { anna, bert }) {
  const [store] = await openStores([description]);
  const [account] = await store.records.read('accounts', ['acct-0']);
  const lines = await store.journal();
  const takenOverAt = bert.all('owns')[0].token;
  const [old] = anna.all('owns');
  const result = {
    store: store.name,
    balance: Number(account.value.balance),
    lines: lines.length,
    tokens: `${old.token} -> ${takenOverAt}`,
    refusals: anna.all('refused').filter(({ store: name }) => name === store.name),
  };
  await store.drop?.();
  await store.close();
  return result;
}

function table(results) {
  const rows = [
    ['store', 'tokens', 'journal lines', 'expected balance', 'balance', 'old owner refused'],
    ...results.map(({ store, tokens, lines, balance, refusals }) => [
      store,
      tokens,
      String(lines),
      String(10 * lines),
      balance === 10 * lines ? String(balance) : `${balance}  WRONG by ${balance - 10 * lines}`,
      refusals.length > 0 ? refusals[0].error : 'no',
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  console.log();
  for (const row of rows) console.log(`  ${row.map((cell, i) => cell.padEnd(widths[i])).join('   ')}`);
  console.log();
}

async function startRedis(directory) {
  const port = await freePorts(1);
  const server = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory],
    { stdio: 'ignore' },
  );
  const started = await new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.once('spawn', () => resolve(true));
  });
  return started ? { server, url: `redis://127.0.0.1:${port}` } : undefined;
}

async function demo(directory) {
  const cluster = await stage.startCluster(join(directory, 'cluster'));
  const redis = options.redis === undefined ? await startRedis(directory) : { url: options.redis };
  if (redis === undefined)
    say('demo', "there is no redis-server: Quorate's own records take the place of Redis");
  const sqlite = options.postgres === undefined ? await sqliteModule() : undefined;
  if (options.postgres === undefined && sqlite === undefined)
    say('demo', 'there is no SQLite (npm rebuild better-sqlite3, or Node 22): one store less');
  const unique = `demo${process.pid}`;
  const storesOf = (fencing) => [
    ...(options.postgres === undefined
      ? sqlite === undefined
        ? []
        : [{ kind: 'sqlite', name: 'SQLite', file: join(directory, `${fencing}.db`) }]
      : [{ kind: 'postgres', name: 'PostgreSQL', url: options.postgres, prefix: `${unique}_${fencing}_` }]),
    redis === undefined
      ? { kind: 'quorate', name: 'Quorate', urls: cluster.urls, space: `demo-${fencing}` }
      : { kind: 'redis', name: 'Redis', url: redis.url, prefix: `${unique}:${fencing}:` },
  ];
  try {
    await fetch(`${cluster.urls[0]}/topics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: TOPIC, partitions: 1 }),
    });
    const fenced = await run('on', cluster, storesOf('on'));
    table(fenced);
    for (const { store, balance, lines, refusals } of fenced) {
      if (balance !== 10 * lines) problems.push(`${store}: with fencing the balance is wrong`);
      if (!refusals.some(({ error }) => error === 'StaleEpochError'))
        problems.push(`${store}: the old owner was not refused`);
    }
    const unfenced = await run('off', cluster, storesOf('off'));
    table(unfenced);
    for (const { store, balance, lines } of unfenced)
      if (balance === 10 * lines)
        problems.push(`${store}: without fencing nothing went wrong, so this shows nothing`);
  } finally {
    redis?.server?.kill('SIGTERM');
  }
  cluster.cluster.kill('SIGTERM');
  await ended(cluster.cluster);
}

await stage.perform(
  demo,
  problems,
  'With fencing the old owner changed no row. Without, deposits were lost.',
);
