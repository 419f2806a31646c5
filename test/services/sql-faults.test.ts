import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import {
  type Fence,
  LockingError,
  OutcomeUnknownError,
  Records,
  type RecordStore,
  type WriteOperation,
} from '../../src/locking/index.js';
import { MysqlStore, PostgresStore } from '../../src/locking/sql/index.js';
import { onlyLostCommitIsUnknown, type Transaction } from '../harness/cut-transactions.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { LossyProxy } from '../harness/lossy-proxy.js';
import { eventually, sleep, within } from '../harness/waiting.js';
import { MYSQL_SERVERS, openMysql, openPostgres, type SqlDatabase } from './sql-databases.js';

jest.setTimeout(120_000);

interface Account extends Record<string, string | number | null> {
  readonly balance: number;
}

interface Lossy {
  readonly database: SqlDatabase<unknown>;
  /** Over one connection that goes through the proxy. */
  readonly store: RecordStore;
  readonly proxy: LossyProxy;
  /** Tells a request that carries a statement of the store from the chatter of the protocol. */
  readonly isStatement: (bytes: Buffer) => boolean;
  /** Locks the record in a transaction of somebody else; gives what ends it. */
  lock(id: string): Promise<() => Promise<void>>;
  /** Ends (or only interrupts) whoever waits for that lock. */
  stopWaiting(how: 'kill' | 'interrupt'): Promise<void>;
  close(): Promise<void>;
}

/** The faults of the network and of the server, for any of the two. */
function faults(open: () => Promise<Lossy>): void {
  let lossy: Lossy;
  let behind: Records<Account>;
  let direct: Records<Account>;
  let unique = 0;
  const fence: Fence = { scope: `faults-${process.pid}-${Date.now()}`, token: 4n };
  beforeAll(async () => {
    lossy = await open();
    behind = new Records(lossy.store, 'accounts');
    direct = new Records(lossy.database.store, 'accounts');
  });
  afterAll(() => lossy.close());

  const fresh = async (): Promise<string> => {
    const id = `f-${unique++}`;
    await behind.insert(id, { balance: 0 }, { fence });
    // Once more, so that statements are prepared on this connection.
    await behind.update({ id, version: 1 }, { balance: 0 }, { fence });
    return id;
  };

  /** The outcome of a write that waits for a lock while `meanwhile` is done to it. */
  const waiting = async (
    id: string,
    meanwhile: () => Promise<void>,
  ): Promise<PromiseSettledResult<unknown>> => {
    const release = await lossy.lock(id);
    const settled = Promise.allSettled([behind.tryUpdate({ id, version: 2 }, { balance: 1 }, { fence })]);
    try {
      await meanwhile();
    } finally {
      await release();
    }
    return (await within('the end of a write that waited', 10_000, settled))[0];
  };

  it('an answer that is lost is unknown, and the write stands', async () => {
    const id = await fresh();
    lossy.proxy.arm('answer', lossy.isStatement);
    await expect(behind.update({ id, version: 2 }, { balance: 1 }, { fence })).rejects.toThrow(
      OutcomeUnknownError,
    );
    expect(await direct.read(id)).toMatchObject({ version: 3, value: { balance: 1 } });
  });

  it('a request that is lost is unknown as well, and nothing was written', async () => {
    const id = await fresh();
    lossy.proxy.arm('request', lossy.isStatement);
    await expect(behind.update({ id, version: 2 }, { balance: 1 }, { fence })).rejects.toThrow(
      OutcomeUnknownError,
    );
    expect(await direct.read(id)).toMatchObject({ version: 2 });
  });

  it.each(['request', 'answer'] as const)(
    'in a transaction only a COMMIT whose %s is lost is unknown; before, nothing has happened',
    async (cut) => {
      const { proxy, isStatement, store } = lossy;
      const begin = async (): Promise<Transaction> => {
        const [a, b] = [await fresh(), await fresh()];
        const operations: WriteOperation[] = [
          { kind: 'update', resource: 'accounts', id: a, version: 2, changes: { balance: 1 }, fence },
          { kind: 'insert', resource: 'lines', id: `${a}-1`, value: { balance: 2 }, fence },
          { kind: 'delete', resource: 'accounts', id: b, version: 2, fence },
        ];
        return {
          write: () => store.write(operations, 'all-or-nothing'),
          wasUpdated: async () => (await direct.read(a)).version === 3,
          wasDeleted: async () => (await direct.find(b)) === undefined,
        };
      };
      await onlyLostCommitIsUnknown({ proxy, isStatement, cut, statementsMin: 5, begin });
    },
  );

  it('a connection that is killed while its statement waits: never success, never conflict', async () => {
    const id = await fresh();
    const outcome = await waiting(id, () => lossy.stopWaiting('kill'));
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'outcome-unknown' } });
    expect(await direct.read(id)).toMatchObject({ version: 2 });
    expect(await behind.update({ id, version: 2 }, { balance: 1 }, { fence })).toBe(3);
  });

  it('a statement that the server gives up is definite: its own error, and nothing was written', async () => {
    const id = await fresh();
    const outcome = await waiting(id, () => lossy.stopWaiting('interrupt'));
    expect(outcome).toMatchObject({ status: 'rejected' });
    expect((outcome as PromiseRejectedResult).reason).not.toBeInstanceOf(LockingError);
    expect(await direct.read(id)).toMatchObject({ version: 2 });
  });

  it('a waiting write goes on with the row as it is when the lock is given up', async () => {
    const outcome = await waiting(await fresh(), () => sleep(100));
    expect(outcome).toMatchObject({ status: 'fulfilled', value: { kind: 'written', version: 3 } });
  });

  it('connections cut at any moment: one writer never hears of a conflict, and counts right', async () => {
    const id = await fresh();
    const seed = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);
    let [version, balance, unknown] = [2, 0, 0];
    const random = generator(seed);
    let stopped = false;
    const cutting = (async () => {
      while (!stopped) {
        await sleep(random() * 15);
        lossy.proxy.cutAll();
      }
    })();
    const end = performance.now() + 3_000;
    while (performance.now() < end) {
      try {
        version = await behind.update({ id, version }, { balance: balance + 1 }, { fence });
        balance++;
      } catch (error) {
        if (error instanceof LockingError) expect([error.code, seed]).toEqual(['outcome-unknown', seed]);
        if (error instanceof OutcomeUnknownError) {
          unknown++;
          // Merely to read would not do: what was sent may still arrive. A new version settles it either way.
          const settled = await direct.tryTouch({ id, version });
          if (settled.kind !== 'written') balance++;
          version++;
        }
        // A definite error promises that nothing happened.
        const now = await direct.read(id);
        expect([now.version, now.value.balance, seed]).toEqual([version, balance, seed]);
      }
    }
    stopped = true;
    await cutting;
    expect(await direct.read(id)).toMatchObject({ version, value: { balance } });
    expect([unknown > 0, balance > 0, seed]).toEqual([true, true, seed]);
  });
}

/** mulberry32: enough for the moments of cuts. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const tableOf = (database: SqlDatabase<unknown>): string => database.options.tables['accounts']!.table!;
const proxyFor = (url: string): Promise<LossyProxy> =>
  LossyProxy.open({ host: new URL(url).hostname, port: Number(new URL(url).port) });

await describeWithService('postgres', 'PostgreSQL behind a bad network', (service) => {
  faults(async () => {
    const database = await openPostgres(service.url);
    const proxy = await proxyFor(service.url);
    const pool = new pg.Pool({ connectionString: proxy.through(service.url), max: 1 });
    pool.on('error', () => undefined);
    const table = tableOf(database);
    return {
      database,
      store: new PostgresStore(pool, database.options),
      proxy,
      // Q: a simple query. P or B: parse or bind. Not the first packet of a connection, which has no type.
      isStatement: (bytes) => 'QPB'.includes(String.fromCharCode(bytes[0]!)),
      lock: async (id) => {
        const client = await database.client.connect();
        await client.query('BEGIN');
        await client.query(`SELECT 1 FROM ${table} WHERE id = $1 FOR UPDATE`, [id]);
        return async () => {
          await client.query('COMMIT');
          client.release();
        };
      },
      stopWaiting: async (how) => {
        const end = how === 'kill' ? 'pg_terminate_backend' : 'pg_cancel_backend';
        await eventually('somebody waits for the lock', 10_000, async () => {
          const { rowCount } = await database.client.query(
            `SELECT ${end}(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`,
            [`%${table}%`],
          );
          return rowCount === 1;
        });
      },
      close: async () => {
        await pool.end();
        await proxy.close();
        await database.close();
      },
    };
  });
});

for (const [kind, name] of MYSQL_SERVERS) {
  await describeWithService(kind, `${name} behind a bad network`, (service) => {
    faults(async () => {
      const database = await openMysql(service.url);
      const proxy = await proxyFor(service.url);
      const pool = createPool({ uri: proxy.through(service.url), connectionLimit: 1 });
      const table = tableOf(database);
      return {
        database,
        store: new MysqlStore(pool, database.options),
        proxy,
        // COM_QUERY or COM_STMT_EXECUTE; the first packet of a connection has the sequence number 1.
        isStatement: (bytes) => bytes[3] === 0 && (bytes[4] === 0x03 || bytes[4] === 0x17),
        lock: async (id) => {
          const connection = await database.client.getConnection();
          await connection.beginTransaction();
          await connection.query(`SELECT 1 FROM ${table} WHERE id = ? FOR UPDATE`, [id]);
          return async () => {
            await connection.commit();
            connection.release();
          };
        },
        stopWaiting: async (how) => {
          const waiting = await eventually('somebody runs into the lock', 10_000, async () => {
            const [rows] = await database.client.query(
              `SELECT id FROM information_schema.processlist WHERE command = 'Execute' AND info LIKE ?`,
              [`%${table}%`],
            );
            return (rows as { id: number }[])[0]?.id;
          });
          // The list of lock waits is kept for a tenth of a second, so it cannot be asked instead.
          await sleep(50);
          await database.client.query(`KILL ${how === 'kill' ? 'CONNECTION' : 'QUERY'} ${waiting}`);
        },
        close: async () => {
          await pool.end();
          await proxy.close();
          await database.close();
        },
      };
    });
  });
}
