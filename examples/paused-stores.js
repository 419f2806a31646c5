// The stores of `npm run demo:paused`: each opened for guarded writes (a RecordStore of quorate/locking) and for blind ones.
import { QuorateStore } from 'quorate/locking';
import { RedisStore } from 'quorate/locking/redis';
import { ddl, PostgresStore, SqliteStore } from 'quorate/locking/sql';

/** better-sqlite3, or the SQLite that newer Nodes have built in. Undefined: neither is there. */
export async function sqliteModule() {
  try {
    const { default: Database } = await import('better-sqlite3');
    // Its native part is looked for when the first database is opened.
    new Database(':memory:').close();
    return (file) => new Database(file);
  } catch {
    try {
      const { DatabaseSync } = await import('node:sqlite');
      return (file) => new DatabaseSync(file);
    } catch {
      return undefined;
    }
  }
}

const tablesOf = (prefix) => ({
  accounts: { table: `${prefix}accounts`, fields: { balance: 'INTEGER' } },
  journal: { table: `${prefix}journal`, fields: { writer: 'TEXT', token: 'TEXT', amount: 'INTEGER' } },
});
const options = (prefix) => ({ tables: tablesOf(prefix), seals: true, fencesTable: `${prefix}fences` });
const newId = () => `${Date.now()}-${Math.random()}`;

async function openSqlite({ name, file }) {
  const open = await sqliteModule();
  const database = open(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 2000');
  return {
    name,
    records: new SqliteStore(database, options('')),
    async prepare() {
      for (const statement of ddl('sqlite', options(''))) database.exec(statement);
    },
    async writeBlindly(id, balance, { writer, token, amount }) {
      database
        .prepare('UPDATE accounts SET balance = ?, version = version + 1 WHERE id = ?')
        .run(balance, id);
      database
        .prepare('INSERT INTO journal (id, version, writer, token, amount) VALUES (?, 1, ?, ?, ?)')
        .run(newId(), writer, token, amount);
    },
    async journal() {
      return database.prepare('SELECT writer, token, amount FROM journal').all();
    },
    async close() {
      database.close();
    },
  };
}

async function openPostgres({ name, url, prefix }) {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: url });
  return {
    name,
    records: new PostgresStore(pool, options(prefix)),
    async prepare() {
      for (const statement of ddl('postgres', options(prefix))) await pool.query(statement);
    },
    async writeBlindly(id, balance, { writer, token, amount }) {
      await pool.query(`UPDATE ${prefix}accounts SET balance = $1, version = version + 1 WHERE id = $2`, [
        balance,
        id,
      ]);
      await pool.query(
        `INSERT INTO ${prefix}journal (id, version, writer, token, amount) VALUES ($1, 1, $2, $3, $4)`,
        [newId(), writer, token, amount],
      );
    },
    async journal() {
      return (await pool.query(`SELECT writer, token, amount FROM ${prefix}journal`)).rows;
    },
    async close() {
      await pool.end();
    },
    async drop() {
      for (const table of ['accounts', 'journal', 'fences']) await pool.query(`DROP TABLE ${prefix}${table}`);
    },
  };
}

async function openRedis({ name, url, prefix }) {
  const { Redis } = await import('ioredis');
  const redis = new Redis(url);
  const records = new RedisStore(redis, { prefix });
  return {
    name,
    records,
    // The blind writer does not know versions; a hash it writes is the same hash for every reader.
    writeBlindly: (id, balance, line) => overwrite(records, id, balance, line),
    async journal() {
      const keys = await redis.keys(`${prefix}*:r:journal:*`);
      const ids = keys.map((key) => key.slice(key.lastIndexOf(':') + 1));
      return (await records.read('journal', ids)).flatMap((record) => (record ? [record.value] : []));
    },
    async close() {
      redis.disconnect();
    },
    async drop() {
      const keys = await redis.keys(`${prefix}*`);
      if (keys.length > 0) await redis.del(keys);
    },
  };
}

async function openQuorate({ name, urls, space }) {
  const records = new QuorateStore({ urls, space });
  return {
    name,
    records,
    writeBlindly: (id, balance, line) => overwrite(records, id, balance, line),
    async journal() {
      const response = await fetch(`${urls[0]}/records/${space}?prefix=journal/&limit=1000`);
      return (await response.json()).records.map(({ value }) => value);
    },
    async close() {},
  };
}

/** Last writer wins: takes whatever version is there, and no fence. */
async function overwrite(records, id, balance, line) {
  for (;;) {
    const [account] = await records.read('accounts', [id]);
    const { version } = account;
    const [outcome] = await records.write(
      [{ kind: 'update', resource: 'accounts', id, version, changes: { balance } }],
      'each',
    );
    if (outcome.kind === 'written') break;
  }
  await records.write([{ kind: 'insert', resource: 'journal', id: newId(), value: line }], 'each');
}

const OPEN = { sqlite: openSqlite, postgres: openPostgres, redis: openRedis, quorate: openQuorate };
/** `[{ kind, name, ... }]` -> stores, in that order. */
export const openStores = (descriptions) =>
  Promise.all(descriptions.map((description) => OPEN[description.kind](description)));
