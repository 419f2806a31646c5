import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPool, type Pool as MysqlPool } from 'mysql2/promise';
import pg from 'pg';
import type { RecordStore } from '../../src/locking/index.js';
import {
  type DialectName,
  MysqlStore,
  PostgresStore,
  type SqlStoreOptions,
  SqliteStore,
  type TableDefinition,
} from '../../src/locking/sql/index.js';
import type { ServiceKind } from '../harness/services.js';
import { prepared } from './sql-tables.js';

/** One dialect, two servers: every suite runs against both. */
export const MYSQL_SERVERS = [
  ['mysql', 'MySQL or MariaDB'],
  ['mysql8', 'MySQL 8'],
] as const satisfies readonly (readonly [ServiceKind, string])[];

/** A database with the tables of the conformance suite. */
export interface SqlDatabase<C> {
  readonly dialect: DialectName;
  /** What a store is opened over: a pool or a database. */
  readonly client: C;
  readonly options: Required<SqlStoreOptions>;
  readonly store: RecordStore;
  execute(sql: string): Promise<unknown>;
  /** The column `n` of the only row. */
  count(sql: string): Promise<number>;
  close(): Promise<void>;
}

export async function openPostgres(
  url: string,
  more: Partial<TableDefinition> = {},
  pool: pg.PoolConfig = {},
): Promise<SqlDatabase<pg.Pool>> {
  const client = new pg.Pool({ connectionString: url, max: 40, ...pool });
  // A connection that ends while it is idle is no failure of a test.
  client.on('error', () => undefined);
  const { options, create, drop } = prepared('postgres', more);
  for (const statement of create) await client.query(statement);
  return {
    dialect: 'postgres',
    client,
    options,
    store: new PostgresStore(client, options),
    execute: (sql) => client.query(sql),
    count: async (sql) => Number((await client.query<{ n: string }>(sql)).rows[0]!.n),
    close: async () => {
      for (const statement of drop) await client.query(statement);
      await client.end();
    },
  };
}

export async function openMysql(
  url: string,
  more: Partial<TableDefinition> = {},
  isolation = 'REPEATABLE READ',
): Promise<SqlDatabase<MysqlPool>> {
  const client = createPool({ uri: url, connectionLimit: 40 });
  // Queued on the new connection before anything else.
  client.on('connection', (connection) => {
    void connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${isolation}`);
  });
  const { options, create, drop } = prepared('mysql', more);
  for (const statement of create) await client.query(statement);
  return {
    dialect: 'mysql',
    client,
    options,
    store: new MysqlStore(client, options),
    execute: (sql) => client.query(sql),
    count: async (sql) => Number(((await client.query(sql))[0] as { n: number }[])[0]!.n),
    close: async () => {
      for (const statement of drop) await client.query(statement);
      await client.end();
    },
  };
}

export interface SqliteFile extends SqlDatabase<Database.Database> {
  readonly file: string;
}

export function openSqlite(more: Partial<TableDefinition> = {}): SqliteFile {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-sqlite-'));
  const file = join(directory, 'test.db');
  const client = new Database(file);
  client.pragma('journal_mode = WAL');
  const { options, create } = prepared('sqlite', more);
  for (const statement of create) client.exec(statement);
  return {
    dialect: 'sqlite',
    client,
    file,
    options,
    store: new SqliteStore(client, options),
    execute: (sql) => Promise.resolve(client.exec(sql)),
    count: (sql) => Promise.resolve((client.prepare(sql).get() as { n: number }).n),
    close: () => {
      client.close();
      rmSync(directory, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}
