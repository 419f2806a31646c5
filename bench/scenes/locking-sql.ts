import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'mysql2/promise';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Records, type RecordStore } from '../../src/locking/index.js';
import {
  ddl,
  type DialectName,
  MysqlStore,
  PostgresStore,
  SqliteStore,
  type SqlStoreOptions,
} from '../../src/locking/sql/index.js';
import { findOwnService } from '../../test/harness/services.js';
import { alternate, type Update } from '../alternate.js';
import type { Figure } from '../report.js';
import type { SceneContext } from './load.js';
import { BENCH_FENCE, changesOf, type Order, ORDER_FIELDS } from './order.js';

const FIELDS: { readonly [K in DialectName]: Readonly<Record<string, string>> } = {
  postgres: {
    ...{ customer: 'text', state: 'text', total: 'bigint', currency: 'text', carrier: 'text' },
    ...{ tracking: 'text', paidAt: 'timestamptz', gift: 'boolean', note: 'text' },
  },
  mysql: {
    ...{ customer: 'TEXT', state: 'TEXT', total: 'BIGINT', currency: 'TEXT', carrier: 'TEXT' },
    ...{ tracking: 'TEXT', paidAt: 'DATETIME(3)', gift: 'BOOLEAN', note: 'TEXT' },
  },
  sqlite: {
    ...{ customer: 'TEXT', state: 'TEXT', total: 'INTEGER', currency: 'TEXT', carrier: 'TEXT' },
    ...{ tracking: 'TEXT', paidAt: 'TEXT', gift: 'INTEGER', note: 'TEXT' },
  },
};

/** One connection to one database: what one does with it by hand, and a store over it. */
interface Hand {
  readonly dialect: DialectName;
  execute(sql: string): Promise<unknown>;
  /** A prepared statement. */
  run(sql: string, values: readonly unknown[]): Promise<unknown>;
  /** The `version` of the row that was found. */
  versionOf(sql: string, values: readonly unknown[]): Promise<number>;
  store(options: SqlStoreOptions): RecordStore;
  /** Whether a commit is on disk before it is answered, as the database has it when it was just installed. */
  sync(on: boolean): Promise<unknown>;
  /** What the driver takes for a moment and for a truth. */
  readonly spell: (value: Order[string]) => unknown;
  close(): Promise<void>;
}

const openPostgres = async (url: string): Promise<Hand> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const names = new Map<string, string>();
  const query = (text: string, values: readonly unknown[]) => {
    if (!names.has(text)) names.set(text, `by_hand_${names.size}`);
    return client.query<{ version: string }>({ text, values: values as unknown[], name: names.get(text)! });
  };
  return {
    dialect: 'postgres',
    execute: (sql) => client.query(sql),
    run: query,
    versionOf: async (sql, values) => Number((await query(sql, values)).rows[0]!.version),
    store: (options) => new PostgresStore(client, options),
    sync: async (on) => {
      await client.query(`ALTER SYSTEM SET fsync = ${on ? 'on' : 'off'}`);
      await client.query('SELECT pg_reload_conf()');
    },
    spell: (value) => value,
    close: () => client.end(),
  };
};

const openMysql = async (url: string): Promise<Hand> => {
  const connection = await createConnection(url);
  return {
    dialect: 'mysql',
    execute: (sql) => connection.query(sql),
    run: (sql, values) => connection.execute(sql, values as string[]),
    versionOf: async (sql, values) => {
      const [rows] = await connection.execute(sql, values as string[]);
      return (rows as { version: number }[])[0]!.version;
    },
    store: (options) => new MysqlStore(connection, options),
    sync: async (on) => {
      await connection.query(`SET GLOBAL innodb_flush_log_at_trx_commit = ${on ? 1 : 0}`);
      // MySQL 8 keeps a log for replicas unless it is told not to.
      await connection.query(`SET GLOBAL sync_binlog = ${on ? 1 : 0}`);
    },
    spell: (value) => value,
    close: () => connection.end(),
  };
};

const openSqlite = (): Hand => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-bench-'));
  const database = new Database(join(directory, 'bench.db'));
  database.pragma('journal_mode = WAL');
  const statements = new Map<string, Database.Statement>();
  const prepared = (sql: string): Database.Statement => {
    let statement = statements.get(sql);
    if (statement === undefined) statements.set(sql, (statement = database.prepare(sql)));
    return statement;
  };
  return {
    dialect: 'sqlite',
    execute: (sql) => Promise.resolve(database.exec(sql)),
    run: (sql, values) => Promise.resolve(prepared(sql).run(...values)),
    versionOf: (sql, values) =>
      Promise.resolve((prepared(sql).get(...values) as { version: number }).version),
    store: (options) => new SqliteStore(database, options),
    // In WAL mode better-sqlite3 syncs at checkpoints only.
    sync: (on) => Promise.resolve(database.pragma(`synchronous = ${on ? 'NORMAL' : 'OFF'}`)),
    spell: (value) =>
      typeof value === 'boolean' ? Number(value) : value instanceof Date ? value.toISOString() : value,
    close: () => {
      database.close();
      rmSync(directory, { recursive: true });
      return Promise.resolve();
    },
  };
};

/** The same update of one row without a check, as this library guards it, and as people guard it by hand. */
async function waysToUpdate(hand: Hand): Promise<Record<Way, Update>> {
  const { dialect, spell } = hand;
  const quote = (name: string): string => (dialect === 'mysql' ? `\`${name}\`` : `"${name}"`);
  const place = (position: number): string => (dialect === 'postgres' ? `$${position}` : '?');
  const set = ORDER_FIELDS.map((name, i) => `${quote(name)} = ${place(i + 1)}`).join(', ');
  const idAt = place(ORDER_FIELDS.length + 1);
  const valuesOf = (i: number, ...more: unknown[]): readonly unknown[] => {
    const order = changesOf(i);
    return [...ORDER_FIELDS.map((name) => spell(order[name])), ...more];
  };
  const update = `UPDATE orders SET ${set} WHERE id = ${idAt}`;
  const counted = `UPDATE orders SET ${set}, version = version + 1 WHERE id = ${idAt}`;
  const held = `SELECT version FROM orders WHERE id = ${place(1)}${dialect === 'sqlite' ? '' : ' FOR UPDATE'}`;
  const begin = dialect === 'sqlite' ? 'BEGIN IMMEDIATE' : 'BEGIN';

  const plainStore = hand.store({});
  const sealingStore = hand.store({ seals: true });
  const [orders, sealed] = [plainStore, sealingStore].map((store) => new Records<Order>(store, 'orders'));
  await sealingStore.seal(BENCH_FENCE);
  const guarded = async (id: string, records: Records<Order>, fenced: boolean): Promise<Update> => {
    const options = fenced ? { fence: BENCH_FENCE } : {};
    let version = await records.insert(id, { ...changesOf(0), customer: 'c-77' }, options);
    return async (i) => {
      version = await records.update({ id, version }, changesOf(i), options);
    };
  };
  for (const id of ['plain', 'held']) await orders!.insert(id, changesOf(0));
  let version = 1;
  return {
    plain: (i) => hand.run(update, valuesOf(i, 'plain')),
    versioned: await guarded('versioned', orders!, false),
    fenced: await guarded('fenced', orders!, true),
    sealed: await guarded('sealed', sealed!, true),
    held: async (i) => {
      await hand.execute(begin);
      if ((await hand.versionOf(held, ['held'])) !== version) throw new Error('a conflict');
      await hand.run(counted, valuesOf(i, 'held'));
      await hand.execute('COMMIT');
      version++;
    },
  };
}

type Way = 'plain' | 'versioned' | 'fenced' | 'sealed' | 'held';

const AT_MOST = { kind: 'at most', value: 1.15 } as const;
const AT_LEAST = { kind: 'at least', value: 1.5 } as const;
const ROUNDS = { rounds: 60, burst: 200 };

/** The promises are made for the database as it is when it was just installed; without syncing is for comparison. */
async function compare(hand: Hand, database: string, report: SceneContext['report']): Promise<void> {
  const tables = { orders: { fields: FIELDS[hand.dialect] } };
  for (const statement of ddl(hand.dialect, { tables })) await hand.execute(statement);
  const ways = await waysToUpdate(hand);
  for (const synced of [true, false]) {
    await hand.sync(synced);
    report.title(`${database}, ${synced ? 'syncing to disk as by default' : 'not syncing to disk'}`);
    const { plain, versioned, fenced, sealed, held } = await alternate(ways, ROUNDS);
    const ratio = (name: string, value: number, target?: Figure['target']): void =>
      report.add({ name, value, unit: 'x', ...(synced && target !== undefined ? { target } : {}) });
    report.add({ name: 'UPDATE by id, no check', value: plain, unit: 'us' });
    report.add({ name: 'update by version', value: versioned, unit: 'us' });
    ratio('update by version / UPDATE', versioned / plain, AT_MOST);
    ratio('update by version and token / UPDATE', fenced / plain);
    ratio('update by version, token and seal / UPDATE', sealed / plain);
    report.add({ name: 'BEGIN, SELECT and hold, UPDATE, COMMIT', value: held, unit: 'us' });
    ratio('BEGIN ... COMMIT / update by version', held / versioned, AT_LEAST);
  }
}

const SERVERS = [
  { kind: 'postgres', name: 'PostgreSQL', open: openPostgres },
  { kind: 'mysql', name: 'MariaDB', open: openMysql },
  { kind: 'mysql8', name: 'MySQL 8', open: openMysql },
] as const;

/** Guarded updates of the SQL stores: 8 fields of some 200 bytes, one connection, loopback. */
export async function benchLockingSql({ report }: SceneContext): Promise<void> {
  const measure = async (hand: Hand, name: string): Promise<void> => {
    try {
      await compare(hand, `Guarded updates in ${name}`, report);
    } finally {
      await hand.close();
    }
  };
  await measure(openSqlite(), 'SQLite (better-sqlite3, WAL)');
  for (const { kind, name, open } of SERVERS) {
    const { service, missing } = await findOwnService(kind);
    if (service === undefined) {
      report.title(`Guarded updates in ${name} skipped: ${missing}`);
      continue;
    }
    try {
      await measure(await open(service.url), name);
    } finally {
      await service.stop();
    }
  }
}
