import type { Pool as MysqlPool2 } from 'mysql2/promise';
import pg from 'pg';
import type { MysqlPool, PgPool } from '../../src/locking/sql/index.js';

/** Called with the text of every statement before it is sent. */
export type BeforeStatement = (sql: string) => Promise<void> | void;

/** A pool on which a test sees, and can hold up, what is sent. */
export function hookedPg(pool: pg.Pool, before: BeforeStatement): PgPool {
  return {
    totalCount: 0,
    connect: async () => {
      const client = await pool.connect();
      return {
        query: async (config) => {
          await before(config.text);
          return client.query(config);
        },
        getTypeParser: (oid, format) =>
          pg.types.getTypeParser(oid, format as 'text') as (value: never) => unknown,
        release: (error) => client.release(error),
        on: (event, listener) => client.on(event, listener),
        removeListener: (event, listener) => client.removeListener(event, listener),
      };
    },
  };
}

export function hookedMysql(pool: MysqlPool2, before: BeforeStatement): MysqlPool {
  return {
    getConnection: async () => {
      const connection = await pool.getConnection();
      return {
        query: async (options) => {
          await before(options.sql);
          return connection.query(options);
        },
        execute: async (options) => {
          await before(options.sql);
          return connection.execute(options);
        },
        release: () => connection.release(),
        destroy: () => connection.destroy(),
      };
    },
  };
}
