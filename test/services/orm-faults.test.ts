import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  type Fence,
  LockingError,
  OutcomeUnknownError,
  Records,
  type WriteOperation,
  type WriteOutcome,
} from '../../src/locking/index.js';
import { type SqlDriver, SqlStore } from '../../src/locking/sql/index.js';
import { onlyLostCommitIsUnknown, type Transaction } from '../harness/cut-transactions.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { LossyProxy } from '../harness/lossy-proxy.js';
import { freePorts } from '../harness/tcp-ports.js';
import { account, type Account, fresh } from '../harness/store-under-test.js';
import { eventually, sleep, within } from '../harness/waiting.js';
import { MYSQL_ORMS, type OpenOrm, type Orm, POSTGRES_ORMS } from './orms.js';
import { openMysql, openPostgres, type SqlDatabase } from './sql-databases.js';

jest.setTimeout(30_000);

/** One would do, but for Drizzle: it loses every connection on which BEGIN was lost. */
const CONNECTIONS_MAX = 4;

/** A server with two neighbours who lock what the ORM wants to write. */
interface Place {
  readonly database: SqlDatabase<unknown>;
  readonly url: string;
  /** Tells a request that carries a statement from the chatter of the protocol. */
  readonly isStatement: (bytes: Buffer) => boolean;
  /** Somebody else's transaction. Nobody but a store is made the victim of a deadlock. */
  begin(): Promise<Neighbour>;
  /** Comes back when somebody waits for a lock of somebody else; gives who. */
  waiting(): Promise<number>;
  kill(who: number): Promise<unknown>;
}
interface Neighbour {
  lock(id: string): Promise<void>;
  commit(): Promise<void>;
}

/** What the network and the server may do to a write that goes through an ORM. */
function faults(orms: Readonly<Record<string, OpenOrm>>, openPlace: () => Promise<Place>): void {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace();
    const accounts = place.database.options.tables['accounts']!.table!;
    await place.database.execute(`CREATE UNIQUE INDEX ${accounts}_owner ON ${accounts} (owner)`);
    await place.database.execute(`ALTER TABLE ${accounts} ADD CHECK (balance < 1000)`);
  });
  afterAll(() => place.database.close());

  describe.each(Object.entries(orms))('%s', (_, openOrm) => {
    const fence: Fence = { scope: fresh('g/t/0'), token: 4n };
    let proxy: LossyProxy;
    let orm: Orm;
    let store: SqlStore;
    let accounts: Records<Account>;
    let direct: Records<Account>;
    let transactions = 0;
    beforeAll(async () => {
      const { hostname, port } = new URL(place.url);
      proxy = await LossyProxy.open({ host: hostname, port: Number(port) });
      orm = await openOrm({ url: proxy.through(place.url), max: CONNECTIONS_MAX });
      const counting: SqlDriver = {
        ...orm.driver,
        transaction: (work) => {
          transactions++;
          return orm.driver.transaction(work);
        },
      };
      store = new SqlStore(counting, place.database.dialect, place.database.options);
      accounts = new Records(store, 'accounts');
      direct = new Records(place.database.store, 'accounts');
    });
    afterAll(async () => {
      await orm.close();
      await proxy.close();
    });
    afterEach(() => proxy.disarm());

    const insert = async (): Promise<string> => {
      const id = fresh('f');
      await direct.insert(id, { ...account(), owner: id }, { fence });
      return id;
    };
    /** The ORM may still hold a connection that was cut: it finds out, and makes another. */
    const recovered = (): Promise<true> =>
      eventually('the ORM has a connection again', 10_000, async () => {
        const [outcome] = await Promise.allSettled([store.fenceOf('nobody')]);
        return outcome.status === 'fulfilled';
      });
    const refusal = async (promise: Promise<unknown>): Promise<unknown> => {
      const [outcome] = await Promise.allSettled([promise]);
      expect(outcome.status).toBe('rejected');
      return (outcome as PromiseRejectedResult).reason;
    };

    it.each(['request', 'answer'] as const)('a write whose %s is lost is unknown', async (cut) => {
      const id = await insert();
      await recovered();
      proxy.arm(cut, place.isStatement);
      const change = accounts.update({ id, version: 1 }, { balance: 1 }, { fence });
      await expect(change).rejects.toThrow(OutcomeUnknownError);
      expect((await direct.read(id)).version).toBe(cut === 'answer' ? 2 : 1);
    });

    it.each(['request', 'answer'] as const)(
      'in a transaction only a COMMIT whose %s is lost is unknown; before, nothing has happened',
      async (cut) => {
        const { isStatement } = place;
        const begin = async (): Promise<Transaction> => {
          const [a, b] = [await insert(), await insert()];
          await recovered();
          const operations: WriteOperation[] = [
            { kind: 'update', resource: 'accounts', id: a, version: 1, changes: { balance: 1 }, fence },
            { kind: 'delete', resource: 'accounts', id: b, version: 1, fence },
          ];
          return {
            write: () => store.write(operations, 'all-or-nothing'),
            wasUpdated: async () => (await direct.read(a)).version === 2,
            wasDeleted: async () => (await direct.find(b)) === undefined,
          };
        };
        await onlyLostCommitIsUnknown({ proxy, isStatement, cut, statementsMin: 4, begin });
      },
    );

    it('a connection that is killed while its write waits: unknown, never a success or a conflict', async () => {
      const id = await insert();
      await recovered();
      const neighbour = await place.begin();
      await neighbour.lock(id);
      const change = refusal(accounts.update({ id, version: 1 }, { balance: 1 }, { fence }));
      await place.kill(await place.waiting());
      expect(await within('the end of the write', 10_000, change)).toBeInstanceOf(OutcomeUnknownError);
      await neighbour.commit();
      expect((await direct.read(id)).version).toBe(1);
      await recovered();
      expect(await accounts.update({ id, version: 1 }, { balance: 1 }, { fence })).toBe(2);
    });

    it('a key of another column that is taken is the error of the ORM, and nothing was written', async () => {
      const [id, other] = [await insert(), await insert()];
      await recovered();
      const changes = { owner: other };
      const inserted = fresh('f');
      const update = { kind: 'update', resource: 'accounts', id, version: 1, changes, fence } as const;
      const touch = { kind: 'touch', resource: 'accounts', id: other, version: 1, fence } as const;
      for (const attempt of [
        () => accounts.update({ id, version: 1 }, changes, { fence }),
        () => accounts.insert(inserted, { ...account(), owner: other }, { fence }),
        () => store.write([touch, update], 'all-or-nothing'),
      ]) {
        const error = await refusal(attempt());
        expect(error).toBeInstanceOf(Error);
        expect(error).not.toBeInstanceOf(LockingError);
      }
      expect((await direct.findAll([id, other, inserted])).map((found) => found?.version)).toEqual([
        1,
        1,
        undefined,
      ]);
    });

    it('what the server refuses is the error of the ORM, and nothing was written', async () => {
      const id = await insert();
      await recovered();
      const error = await refusal(accounts.update({ id, version: 1 }, { balance: 1000 }, { fence }));
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toBeInstanceOf(LockingError);
      expect((await direct.read(id)).version).toBe(1);
    });

    it('a deadlock is begun again', async () => {
      const [first, second] = [await insert(), await insert()].sort() as [string, string];
      await recovered();
      const neighbour = await place.begin();
      await neighbour.lock(second);
      transactions = 0;
      const touches = [first, second].map(
        (id) => ({ kind: 'touch', resource: 'accounts', id, version: 1 }) as const,
      );
      const batch = store.write(touches, 'all-or-nothing');
      await place.waiting();
      await within('the lock that the store had to give up', 10_000, neighbour.lock(first));
      await neighbour.commit();
      const written: WriteOutcome = { kind: 'written', version: 2 };
      expect(await within('the end of the batch', 10_000, batch)).toEqual([written, written]);
      expect(transactions).toBe(2);
    });
  });

  it.each(Object.entries(orms))('%s: no server, no doubt', async (name, openOrm) => {
    const [port] = await freePorts(1);
    const nowhere = new URL(place.url);
    nowhere.port = String(port);
    const [opened] = await Promise.allSettled([openOrm({ url: nowhere.href, max: 1 })]);
    // TypeORM connects when it is opened.
    if (opened.status === 'rejected') return expect(name).toBe('TypeORM');
    const store = new SqlStore(opened.value.driver, place.database.dialect, place.database.options);
    const [outcome] = await Promise.allSettled([
      new Records<Account>(store, 'accounts').insert('x', account()),
    ]);
    await opened.value.close();
    expect(outcome.status).toBe('rejected');
    expect((outcome as PromiseRejectedResult).reason).not.toBeInstanceOf(LockingError);
  });
}

await describeWithService('postgres', 'PostgreSQL behind a bad network, through', (service) => {
  faults(POSTGRES_ORMS, async () => {
    const database = await openPostgres(service.url);
    const table = database.options.tables['accounts']!.table!;
    const url = new URL(service.url);
    url.searchParams.set('options', '-c deadlock_timeout=100ms');
    return {
      database,
      url: url.href,
      // Q: a simple query. P or B: parse or bind. Not the first packet of a connection, which has no type.
      isStatement: (bytes) => 'QPB'.includes(String.fromCharCode(bytes[0]!)),
      begin: async () => {
        const client = await database.client.connect();
        await client.query(`BEGIN; SET LOCAL deadlock_timeout = '1min'`);
        return {
          lock: async (id) => {
            await client.query(`SELECT 1 FROM ${table} WHERE id = $1 FOR UPDATE`, [id]);
          },
          commit: async () => {
            await client.query('COMMIT');
            client.release();
          },
        };
      },
      waiting: () =>
        eventually('somebody waits for a lock', 10_000, async () => {
          const { rows } = await database.client.query<{ pid: number }>(
            `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`,
            [`%${table}%`],
          );
          return rows[0]?.pid;
        }),
      kill: (who) => database.client.query('SELECT pg_terminate_backend($1)', [who]),
    };
  });
});

await describeWithService('mysql', 'MySQL or MariaDB behind a bad network, through', (service) => {
  faults(MYSQL_ORMS, async () => {
    const database = await openMysql(service.url);
    const [table, lines] = ['accounts', 'lines'].map((name) => database.options.tables[name]!.table!);
    return {
      database,
      url: service.url,
      // COM_QUERY or COM_STMT_EXECUTE; the first packet of a connection has the sequence number 1.
      isStatement: (bytes) => bytes[3] === 0 && (bytes[4] === 0x03 || bytes[4] === 0x17),
      begin: async () => {
        const connection = await database.client.getConnection();
        await connection.beginTransaction();
        // Of a deadlock the one that has written less is the victim.
        for (let i = 0; i < 20; i++) {
          await connection.query(`INSERT INTO ${lines} (id) VALUES (?)`, [fresh('l')]);
        }
        return {
          lock: async (id) => {
            await connection.query(`SELECT 1 FROM ${table} WHERE id = ? FOR UPDATE`, [id]);
          },
          commit: async () => {
            await connection.commit();
            connection.release();
          },
        };
      },
      waiting: () =>
        eventually('somebody waits for a lock', 10_000, async () => {
          // The list is renewed only when nobody has looked at it for a tenth of a second.
          await sleep(150);
          const [rows] = await database.client.query(
            `SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx ` +
              `WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE ?`,
            [`%${table}%`],
          );
          return (rows as { id: number }[])[0]?.id;
        }),
      kill: (who) => database.client.query(`KILL CONNECTION ${who}`),
    };
  });
});
