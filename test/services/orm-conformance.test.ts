import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Records, StaleEpochError } from '../../src/locking/index.js';
import { type SqlConnection, SqlStore } from '../../src/locking/sql/index.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { storeConformance } from '../harness/store-conformance.js';
import { account, type Account, fenceOf, fresh } from '../harness/store-under-test.js';
import { MYSQL_ORMS, type OpenOrm, type Orm, POSTGRES_ORMS, SQLITE_ORMS } from './orms.js';
import { openMysql, openPostgres, openSqlite, type SqlDatabase } from './sql-databases.js';

jest.setTimeout(60_000);

const CONNECTIONS_MAX = 8;

interface Place {
  readonly database: SqlDatabase<unknown>;
  readonly url: string;
}

/** Every promise of the port over every adapter, and its use inside a transaction of the ORM. */
function adapters(orms: Readonly<Record<string, OpenOrm>>, openPlace: () => Promise<Place>): void {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace();
  });
  afterAll(() => place.database.close());

  describe.each(Object.entries(orms))('%s', (name, openOrm) => {
    let orm: Orm;
    let store: SqlStore;
    beforeAll(async () => {
      orm = await openOrm({ url: place.url, max: CONNECTIONS_MAX });
      store = new SqlStore(orm.driver, place.database.dialect, place.database.options);
    });
    afterAll(() => orm.close());

    storeConformance(name, () =>
      Promise.resolve({ store, main: 'accounts', part: 'lines', close: () => Promise.resolve() }),
    );

    it('writes in a transaction that was begun with the ORM: all of it stays, or nothing', async () => {
      const [kept, dropped] = [fresh('a'), fresh('a')];
      const insert = async (connection: SqlConnection, id: string): Promise<void> => {
        await new Records<Account>(store.within(connection), 'accounts').insert(id, account(1));
      };
      await orm.begun((connection) => insert(connection, kept));
      const changedMind = new Error('changed my mind');
      const rolledBack = orm.begun(async (connection) => {
        await insert(connection, dropped);
        throw changedMind;
      });
      await expect(rolledBack).rejects.toThrow(changedMind);
      const found = await new Records<Account>(store, 'accounts').findAll([kept, dropped]);
      expect(found.map((record) => record?.version)).toEqual([1, undefined]);
    });

    it('holds a fence for a transaction that writes by hand, and tells a stale one', async () => {
      const scope = fresh('g/t/0');
      await store.seal(fenceOf(scope, 2n ** 62n + 1n));
      const hold = (token: bigint): Promise<void> =>
        orm.begun((connection) => store.holdFence(connection, fenceOf(scope, token)));
      await hold(2n ** 62n + 1n);
      await expect(hold(2n ** 62n)).rejects.toThrow(StaleEpochError);
    });
  });
}

/** Names that want quoting, and hold what could be taken for a placeholder. */
const AWKWARD = { id: 'Id "$1"?', version: 'row ?version', fence: 'epoch$2' } as const;

await describeWithService('postgres', 'PostgreSQL through', (service) => {
  adapters(POSTGRES_ORMS, async () => ({
    database: await openPostgres(service.url, AWKWARD),
    url: service.url,
  }));
});

await describeWithService('mysql', 'MySQL or MariaDB through', (service) => {
  adapters(MYSQL_ORMS, async () => ({ database: await openMysql(service.url), url: service.url }));
});

describe('SQLite through', () => {
  adapters(SQLITE_ORMS, () => {
    const database = openSqlite();
    return Promise.resolve({ database, url: database.file });
  });
});
