import Database from 'better-sqlite3';
import { createPool, type PoolConnection, type ResultSetHeader } from 'mysql2/promise';
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

export function postgresHand(url: string): Hand {
  const pool = new pg.Pool({ connectionString: url });
  const changeBy =
    (client: pg.Pool | pg.PoolClient): Hand['change'] =>
    async (sql, params = []) =>
      (await client.query(sql, [...params])).rowCount ?? 0;
  return {
    dialect: 'postgres',
    change: changeBy(pool),
    open: (options) => new PostgresStore(pool, options),
    holding: async (options, fence, work) => {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await new PostgresStore(pool, options).holdFence(PostgresStore.connection(client), fence);
        const result = await work(changeBy(client));
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
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
    change: changeBy(pool),
    open: (options) => new MysqlStore(pool, options),
    holding: async (options, fence, work) => {
      const connection = await pool.getConnection();
      try {
        await connection.beginTransaction();
        await new MysqlStore(pool, options).holdFence(MysqlStore.connection(connection), fence);
        const result = await work(changeBy(connection));
        await connection.commit();
        return result;
      } catch (error) {
        await connection.rollback();
        throw error;
      } finally {
        connection.release();
      }
    },
    close: async () => {
      await pool.query(`DROP DATABASE ${database}`);
      await pool.end();
    },
  };
}

const asText = (value: SqlValue): unknown => (typeof value === 'bigint' ? String(value) : value);

export function sqliteHand(): Hand {
  const database = new Database(':memory:');
  const change: Hand['change'] = (sql, params = []) =>
    Promise.resolve().then(() => database.prepare(sql).run(...params).changes);
  return {
    dialect: 'sqlite',
    change,
    open: (options) => new SqliteStore(database, options),
    holding: async (options, fence, work) => {
      database.exec('BEGIN IMMEDIATE');
      try {
        new SqliteStore(database, options).holdFence(fence);
        const result = await work(change);
        database.exec('COMMIT');
        return result;
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => Promise.resolve(void database.close()),
  };
}
