import Database from 'better-sqlite3';
import {
  createPool,
  type Pool,
  type PoolConnection,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise';
import pg from 'pg';
import type { Fence, RecordStore } from '../../src/locking/index.js';
import {
  type DialectName,
  MysqlStore,
  PostgresStore,
  SqliteStore,
  type SqlStoreOptions,
  type SqlValue,
} from '../../src/locking/sql/index.js';
import { freshTable } from './sql-tables.js';

/** A database as somebody uses it who writes statements by hand beside the stores. */
export interface Hand {
  readonly dialect: DialectName;
  /** False: MySQL before 8.0.29, whose triggers cannot be made only if they are missing. */
  readonly triggersMayRepeat: boolean;
  /** How many rows it changed. */
  change(sql: string, params?: readonly SqlValue[]): Promise<number>;
  open(options: SqlStoreOptions): RecordStore;
  /** A transaction by hand, whose first statement holds the fence. */
  holding<R>(
    options: SqlStoreOptions,
    fence: Fence,
    work: (change: Hand['change']) => Promise<R>,
  ): Promise<R>;
  close(): Promise<void>;
}

async function committed<R>(
  begin: string,
  change: Hand['change'],
  work: (change: Hand['change']) => Promise<R>,
): Promise<R> {
  await change(begin);
  try {
    const result = await work(change);
    await change('COMMIT');
    return result;
  } catch (error) {
    await change('ROLLBACK');
    throw error;
  }
}

export function postgresHand(url: string): Hand {
  const pool = new pg.Pool({ connectionString: url });
  const changeBy =
    (client: pg.Pool | pg.PoolClient): Hand['change'] =>
    async (sql, params = []) =>
      (await client.query(sql, [...params])).rowCount ?? 0;
  return {
    dialect: 'postgres',
    triggersMayRepeat: true,
    change: changeBy(pool),
    open: (options) => new PostgresStore(pool, options),
    holding: async (options, fence, work) => {
      const client = await pool.connect();
      const result = committed('BEGIN', changeBy(client), async (change) => {
        await new PostgresStore(pool, options).holdFence(PostgresStore.connection(client), fence);
        return work(change);
      });
      return result.finally(() => client.release());
    },
    close: () => pool.end(),
  };
}

export async function mysqlHand(url: string): Promise<Hand> {
  // A database of its own: MySQL takes no triggers in the one that it keeps for itself.
  const database = freshTable('hand');
  const pool = createPool({ uri: url, flags: ['-FOUND_ROWS'] });
  await pool.query(`CREATE DATABASE ${database}`);
  pool.on('connection', (connection) => void connection.query(`USE ${database}`));
  await pool.query(`USE ${database}`);
  const changeBy =
    (connection: Pick<PoolConnection, 'query'>): Hand['change'] =>
    async (sql, params = []) =>
      (await connection.query<ResultSetHeader>(sql, params.map(asText)))[0].affectedRows;
  return {
    dialect: 'mysql',
    triggersMayRepeat: await triggersMayRepeat(pool),
    change: changeBy(pool),
    open: (options) => new MysqlStore(pool, options),
    holding: async (options, fence, work) => {
      const connection = await pool.getConnection();
      const result = committed('BEGIN', changeBy(connection), async (change) => {
        await new MysqlStore(pool, options).holdFence(MysqlStore.connection(connection), fence);
        return work(change);
      });
      return result.finally(() => connection.release());
    },
    close: async () => {
      await pool.query(`DROP DATABASE ${database}`);
      await pool.end();
    },
  };
}

async function triggersMayRepeat(pool: Pool): Promise<boolean> {
  const [rows] = await pool.query<RowDataPacket[]>('SELECT VERSION() AS version');
  const version = String(rows[0]!['version']);
  if (version.includes('MariaDB')) return true;
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  return major > 8 || (major === 8 && (minor > 0 || patch >= 29));
}

const asText = (value: SqlValue): unknown => (typeof value === 'bigint' ? String(value) : value);

export function sqliteHand(): Hand {
  const database = new Database(':memory:');
  const change: Hand['change'] = (sql, params = []) =>
    Promise.resolve().then(() => database.prepare(sql).run(...params).changes);
  return {
    dialect: 'sqlite',
    triggersMayRepeat: true,
    change,
    open: (options) => new SqliteStore(database, options),
    holding: (options, fence, work) =>
      committed('BEGIN IMMEDIATE', change, () => {
        new SqliteStore(database, options).holdFence(fence);
        return work(change);
      }),
    close: () => Promise.resolve(void database.close()),
  };
}
