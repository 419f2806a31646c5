import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import {
  type Fence,
  LockingError,
  OutcomeUnknownError,
  type RecordStore,
  type WriteOperation,
} from '../../src/locking/index.js';
import { MysqlStore, PostgresStore } from '../../src/locking/sql/index.js';
import { describeWithOwnService } from '../harness/describe-with-service.js';
import type { OwnService } from '../harness/services.js';
import { eventually } from '../harness/waiting.js';
import { MYSQL_SERVERS, openMysql, openPostgres, type SqlDatabase } from './sql-databases.js';
import { type BeforeStatement, hookedMysql, hookedPg } from './sql-hooks.js';

jest.setTimeout(60_000);

const TIMEOUT_MS = 300;

/** A server that stops answering, or ends, in the middle of a transaction. */
function standstill<C>(
  service: OwnService,
  open: () => Promise<SqlDatabase<C>>,
  storeOver: (database: SqlDatabase<C>, before: BeforeStatement) => RecordStore,
): void {
  let database: SqlDatabase<C>;
  let store: RecordStore;
  let before: BeforeStatement = () => undefined;
  let id: string;
  let unique = 0;
  const fence: Fence = { scope: 'paused', token: 4n };
  beforeAll(async () => {
    database = await open();
    store = storeOver(database, (sql) => before(sql));
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    before = () => undefined;
    id = `p-${unique++}`;
    await store.write([{ kind: 'insert', resource: 'accounts', id, value: { balance: 0 }, fence }], 'each');
  });

  const batch = (): readonly WriteOperation[] => [
    { kind: 'update', resource: 'accounts', id, version: 1, changes: { balance: 1 }, fence },
    { kind: 'insert', resource: 'lines', id: `${id}-1`, value: { balance: 2 }, fence },
  ];
  const outcome = async (): Promise<PromiseSettledResult<unknown>> =>
    (await Promise.allSettled([store.write(batch(), 'all-or-nothing')]))[0];
  const version = async (): Promise<number> => (await database.store.read('accounts', [id]))[0]!.version;

  /** Stops the server just before the first statement that `matches` is sent. */
  const pauseBefore = (matches: RegExp): void => {
    let paused = false;
    before = async (sql) => {
      if (paused || !matches.test(sql)) return;
      paused = true;
      await service.pause();
    };
  };

  it('paused before a write of the transaction: a definite error, and nothing happens later', async () => {
    pauseBefore(/UPDATE/);
    const settled = await outcome();
    await service.resume();
    expect(settled).toMatchObject({ status: 'rejected' });
    expect((settled as PromiseRejectedResult).reason).not.toBeInstanceOf(LockingError);
    // The server goes on with what it had received, and rolls back because the connection is gone.
    const next = await eventually('the record is free again', 10_000, async () => {
      const [written] = await store.write(
        [{ kind: 'touch', resource: 'accounts', id, version: 1, fence }],
        'each',
      );
      return written;
    });
    expect(next).toEqual({ kind: 'written', version: 2 });
    expect(await database.store.read('lines', [`${id}-1`])).toEqual([undefined]);
  });

  it('paused before COMMIT: unknown, and all of it or nothing of it stands', async () => {
    pauseBefore(/^COMMIT/);
    const settled = await outcome();
    await service.resume();
    expect((settled as PromiseRejectedResult).reason).toBeInstanceOf(OutcomeUnknownError);
    await eventually('the server has made up its mind', 10_000, async () => {
      const [line] = await database.store.read('lines', [`${id}-1`]);
      return (await version()) === (line === undefined ? 1 : 2);
    });
  });

  it('paused before a single write: unknown', async () => {
    await service.pause();
    const [operation] = batch();
    const [settled] = await Promise.allSettled([store.write([operation!], 'each')]);
    await service.resume();
    expect((settled as PromiseRejectedResult).reason).toMatchObject({ code: 'outcome-unknown' });
    expect([1, 2]).toContain(await version());
  });

  it('killed before a write of the transaction: a definite error; nobody there any more: likewise', async () => {
    before = async (sql) => {
      if (/UPDATE/.test(sql)) await service.kill();
    };
    const settled = await outcome();
    expect(settled).toMatchObject({ status: 'rejected' });
    expect((settled as PromiseRejectedResult).reason).not.toBeInstanceOf(LockingError);
    before = () => undefined;
    await eventually('the port is closed', 10_000, async () => {
      const [operation] = batch();
      const [again] = await Promise.allSettled([store.write([operation!], 'each')]);
      expect(again.status).toBe('rejected');
      return !((again as PromiseRejectedResult).reason instanceof LockingError);
    });
  });
}

await describeWithOwnService('postgres', 'PostgreSQL that stands still', (service) => {
  standstill(
    service,
    async () => {
      const database = await openPostgres(service.url);
      return { ...database, close: () => database.client.end() };
    },
    (database, before) =>
      new PostgresStore(hookedPg(database.client, before), { ...database.options, timeoutMs: TIMEOUT_MS }),
  );
});

for (const [kind, name] of MYSQL_SERVERS) {
  await describeWithOwnService(kind, `${name} that stands still`, (service) => {
    standstill(
      service,
      async () => {
        const database = await openMysql(service.url);
        return { ...database, close: () => database.client.end() };
      },
      (database, before) =>
        new MysqlStore(hookedMysql(database.client, before), { ...database.options, timeoutMs: TIMEOUT_MS }),
    );
  });
}
