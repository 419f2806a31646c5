import { afterAll, beforeAll, describe, jest } from '@jest/globals';
import type pg from 'pg';
import { MysqlStore, PostgresStore } from '../../src/locking/sql/index.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { storeConformance } from '../harness/store-conformance.js';
import { MYSQL_SERVERS, openMysql, openPostgres, openSqlite, type SqlDatabase } from './sql-databases.js';

jest.setTimeout(60_000);

/** Columns and types that an existing table may have. */
const RENAMED = { id: 'Id "x"', version: 'row version', fence: 'epoch' } as const;
const under = <C>(database: SqlDatabase<C>, store = database.store) => ({
  store,
  main: 'accounts',
  part: 'lines',
  close: () => Promise.resolve(),
});

await describeWithService('postgres', 'PostgreSQL', (service) => {
  let plain: SqlDatabase<pg.Pool>;
  let renamed: SqlDatabase<pg.Pool>;
  let client: pg.PoolClient;
  beforeAll(async () => {
    plain = await openPostgres(service.url);
    renamed = await openPostgres(service.url, RENAMED);
    client = await plain.client.connect();
  });
  afterAll(async () => {
    client.release();
    await plain.close();
    await renamed.close();
  });

  storeConformance('a pool', () => Promise.resolve(under(plain)));
  storeConformance('other column names, no prepared statements', () =>
    Promise.resolve(
      under(renamed, new PostgresStore(renamed.client, { ...renamed.options, prepare: false })),
    ),
  );
  storeConformance('one client', () =>
    Promise.resolve(under(plain, new PostgresStore(client, plain.options))),
  );
});

for (const [kind, name] of MYSQL_SERVERS) {
  await describeWithService(kind, name, (service) => {
    let plain: Awaited<ReturnType<typeof openMysql>>;
    let renamed: typeof plain;
    let connection: Awaited<ReturnType<(typeof plain)['client']['getConnection']>>;
    beforeAll(async () => {
      plain = await openMysql(service.url);
      renamed = await openMysql(service.url, RENAMED);
      connection = await plain.client.getConnection();
    });
    afterAll(async () => {
      connection.release();
      await plain.close();
      await renamed.close();
    });

    storeConformance('a pool', () => Promise.resolve(under(plain)));
    storeConformance('other column names, no prepared statements', () =>
      Promise.resolve(under(renamed, new MysqlStore(renamed.client, { ...renamed.options, prepare: false }))),
    );
    storeConformance('one connection', () =>
      Promise.resolve(under(plain, new MysqlStore(connection, plain.options))),
    );
  });
}

describe('SQLite', () => {
  storeConformance('better-sqlite3', () => {
    const database = openSqlite();
    return Promise.resolve({ ...under(database), close: () => database.close() });
  });
  storeConformance('better-sqlite3, other column names', () => {
    const database = openSqlite(RENAMED);
    return Promise.resolve({ ...under(database), close: () => database.close() });
  });
});
