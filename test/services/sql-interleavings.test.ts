import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Fence, RecordStore, WriteOperation, WriteOutcome } from '../../src/locking/index.js';
import { MysqlStore, PostgresStore } from '../../src/locking/sql/index.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { MYSQL_SERVERS, openMysql, openPostgres, openSqlite, type SqlDatabase } from './sql-databases.js';
import { type BeforeStatement, hookedMysql, hookedPg } from './sql-hooks.js';

jest.setTimeout(300_000);

type Turn = 'old' | 'new';

/** Every order in which `old` steps of one and `next` steps of another can follow each other. */
function interleavings(old: number, next: number): readonly (readonly Turn[])[] {
  if (old === 0) return [Array.from({ length: next }, () => 'new')];
  if (next === 0) return [Array.from({ length: old }, () => 'old')];
  return [
    ...interleavings(old - 1, next).map((rest): Turn[] => ['old', ...rest]),
    ...interleavings(old, next - 1).map((rest): Turn[] => ['new', ...rest]),
  ];
}

let unique = 0;
const RESOURCE = 'accounts';
const oldFence = (scope: string): Fence => ({ scope, token: 5n, owner: 'old' });
const newFence = (scope: string): Fence => ({ scope, token: 6n, owner: 'new' });

/** The whole operations of two owners, four each, in all 70 orders: what the stores promise to everybody. */
function byOperations(open: () => Promise<SqlDatabase<unknown>>): void {
  it('in all 70 orders of 4 operations of each, the old owner writes before the seal only', async () => {
    const database = await open();
    const { store } = database;
    for (const order of interleavings(4, 4)) {
      const scope = `operations-${unique}`;
      const [kept, mine] = [`kept-${unique}`, `mine-${unique++}`];
      await store.write([{ kind: 'insert', resource: RESOURCE, id: kept, value: { balance: 0 } }], 'each');
      const write = async (operation: WriteOperation): Promise<WriteOutcome> =>
        (await store.write([operation], 'each'))[0]!;
      const versionOf = async (id: string): Promise<number> =>
        (await store.read(RESOURCE, [id]))[0]?.version ?? 1;
      const update = async (id: string, fence: Fence): Promise<WriteOutcome> =>
        write({
          kind: 'update',
          resource: RESOURCE,
          id,
          version: await versionOf(id),
          changes: { balance: Number(fence.token) },
          fence,
        });
      const fence = oldFence(scope);
      const both = async (): Promise<WriteOutcome> => {
        const [first] = await store.write(
          [
            { kind: 'touch', resource: RESOURCE, id: kept, version: await versionOf(kept), fence },
            { kind: 'insert', resource: RESOURCE, id: `${mine}-line`, value: { balance: 1 }, fence },
          ],
          'all-or-nothing',
        );
        return first!;
      };
      const steps: { readonly [K in Turn]: (() => Promise<unknown>)[] } = {
        old: [
          () => update(kept, fence),
          () => write({ kind: 'insert', resource: RESOURCE, id: mine, value: { balance: 1 }, fence }),
          both,
          async () =>
            write({ kind: 'delete', resource: RESOURCE, id: mine, version: await versionOf(mine), fence }),
        ],
        new: [
          () => store.seal(newFence(scope)),
          () => store.read(RESOURCE, [kept]),
          () => update(kept, newFence(scope)),
          () => update(kept, newFence(scope)),
        ],
      };
      let sealed = false;
      for (const turn of order) {
        const result = await steps[turn].shift()!();
        if (turn === 'new') {
          if (!sealed) expect(result).toEqual({ kind: 'sealed', previous: null });
          sealed = true;
        } else if (sealed) expect(result).toMatchObject({ kind: 'stale-epoch', current: 6n });
        else expect(result).toMatchObject({ kind: 'written' });
      }
    }
    await database.close();
  });
}

/** Lets the statements of a store go one at a time. */
class Gate {
  #waiting: (() => void) | undefined;
  #arrived: (() => void) | undefined;
  open = true;

  readonly before: BeforeStatement = (sql) => {
    // To begin a transaction locks nothing and sees nothing.
    if (this.open || /^(?:BEGIN|START)/.test(sql)) return undefined;
    return new Promise<void>((resolve) => {
      this.#waiting = resolve;
      this.#arrived?.();
    });
  };

  /** Lets one statement go, and waits until the next one is there, all is over, or it is blocked by a lock. */
  async step(over: Promise<unknown>): Promise<void> {
    const next = new Promise<void>((resolve) => {
      this.#arrived = resolve;
    });
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
    if (this.#waiting !== undefined) return;
    await Promise.race([next, over, new Promise((resolve) => setTimeout(resolve, BLOCKED_MS))]);
  }
}
const BLOCKED_MS = 6;

/**
 * The statements of one write of the old owner, and those of the new owner (hold the seal, raise it, COMMIT, read), in all
 * orders. Where one waits for the other's lock, the other goes on.
 */
function byStatements<C>(
  open: () => Promise<SqlDatabase<C>>,
  storeOver: (database: SqlDatabase<C>, gate: Gate) => RecordStore,
): void {
  let database: SqlDatabase<C>;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const cases = [
    // Hold the seal, hold the records, write, COMMIT.
    { name: 'a scope that was sealed before', sealedBefore: true, single: false, steps: 4 },
    // Two more: write down the scope, hold its row.
    { name: 'a scope that nobody has written down', sealedBefore: false, single: false, steps: 6 },
    // One more: the one statement that finds no row to hold.
    {
      name: 'a single write, and a scope nobody has written down',
      sealedBefore: false,
      single: true,
      steps: 7,
    },
  ] as const;
  it.each(cases)('$name: nothing of the old owner appears after the seal', async (its) => {
    const gates: { readonly [K in Turn]: Gate } = { old: new Gate(), new: new Gate() };
    const stores = { old: storeOver(database, gates.old), new: storeOver(database, gates.new) };
    const seen = new Set<string>();
    for (const order of interleavings(its.steps, 4)) {
      const scope = `statements-${unique}`;
      const id = `s-${unique++}`;
      const resource = RESOURCE;
      gates.old.open = gates.new.open = true;
      for (const each of [id, `${id}-other`]) {
        await stores.new.write([{ kind: 'insert', resource, id: each, value: { balance: 0 } }], 'each');
      }
      if (its.sealedBefore) await stores.new.seal(oldFence(scope));
      gates.old.open = gates.new.open = false;
      const fence = oldFence(scope);
      const operations: WriteOperation[] = [
        { kind: 'update', resource, id, version: 1, changes: { balance: 5 }, fence },
        { kind: 'check', resource, id: `${id}-other`, version: 1, fence },
      ];
      const writing = stores.old.write(operations.slice(0, its.single ? 1 : 2), 'all-or-nothing');
      const sealing = stores.new.seal(newFence(scope)).then(async (outcome) => {
        expect(outcome.kind).toBe('sealed');
        return stores.new.read(resource, [id]);
      });
      const over = { old: Promise.allSettled([writing]), new: Promise.allSettled([sealing]) };
      await new Promise((resolve) => setImmediate(resolve));
      for (const turn of order) await gates[turn].step(over[turn]);
      let finished = false;
      void Promise.all([over.old, over.new]).then(() => (finished = true));
      // What the order was too short for: retries after a deadlock.
      while (!finished) for (const turn of ['old', 'new'] as const) await gates[turn].step(over[turn]);
      const [[first], atSeal] = await Promise.all([writing, sealing]);
      const atEnd = await database.store.read(resource, [id]);
      const written = first!.kind === 'written';
      expect([atEnd, order]).toEqual([atSeal, order]);
      expect(atEnd[0]!.version).toBe(written ? 2 : 1);
      if (!written) expect(first).toMatchObject({ kind: 'stale-epoch', current: 6n });
      seen.add(first!.kind);
    }
    // Both must have come up, else the orders proved nothing.
    expect(seen).toEqual(new Set(['written', 'stale-epoch']));
  });
}

/** A single statement can only be seen in the middle where it waits for a lock: for the record, with the seal looked at. */
function byLockedRecord<C>(
  open: () => Promise<SqlDatabase<C>>,
  lock: (database: SqlDatabase<C>, id: string) => Promise<() => Promise<void>>,
): void {
  const kinds = [
    'update',
    'first update in its scope',
    'delete',
    'touch',
    'updates in one statement',
    'transaction',
  ] as const;
  it.each(kinds)(
    '%s that waits for its record while the scope is sealed does not appear after',
    async (kind) => {
      const database = await open();
      const { store } = database;
      const [scope, id, other] = [`locked-${unique}`, `l-${unique}`, `l-${unique++}-other`];
      const fence = oldFence(scope);
      for (const each of [id, other]) {
        await store.write(
          [{ kind: 'insert', resource: RESOURCE, id: each, value: { balance: 0 }, fence }],
          'each',
        );
      }
      const head = { resource: RESOURCE, id, version: 1, fence };
      const update: WriteOperation = { kind: 'update', ...head, changes: { balance: 5 } };
      const operations: { readonly [K in (typeof kinds)[number]]: readonly WriteOperation[] } = {
        update: [update],
        'first update in its scope': [update],
        delete: [{ kind: 'delete', ...head }],
        touch: [{ kind: 'touch', ...head }],
        'updates in one statement': [update, { ...update, id: other }],
        transaction: [update, { kind: 'insert', resource: 'lines', id, value: { balance: 1 }, fence }],
      };
      const release = await lock(database, id);
      const writing = store.write(operations[kind], kind === 'transaction' ? 'all-or-nothing' : 'each');
      await new Promise((resolve) => setTimeout(resolve, 100));
      const sealing = store.seal(newFence(scope)).then(() => store.read(RESOURCE, [id, other]));
      await new Promise((resolve) => setTimeout(resolve, 100));
      await release();
      const [outcomes, atSeal] = await Promise.all([writing, sealing]);
      expect(await store.read(RESOURCE, [id, other])).toEqual(atSeal);
      const written = outcomes[0]!.kind === 'written';
      if (!written) expect(outcomes[0]).toMatchObject({ kind: 'stale-epoch', current: 6n });
      expect(atSeal[0]?.version === 1).toBe(!written);
      await database.close();
    },
  );
}

await describeWithService('postgres', 'PostgreSQL: two owners', (service) => {
  byLockedRecord(
    () => openPostgres(service.url),
    async ({ client, options }, id) => {
      const holder = await client.connect();
      await holder.query('BEGIN');
      await holder.query(`SELECT 1 FROM ${options.tables[RESOURCE]!.table} WHERE id = $1 FOR UPDATE`, [id]);
      return async () => {
        await holder.query('COMMIT');
        holder.release();
      };
    },
  );
  byOperations(() => openPostgres(service.url));
  byStatements(
    () => openPostgres(service.url),
    ({ client, options }, gate) => new PostgresStore(hookedPg(client, gate.before), options),
  );
});

for (const [kind, name] of MYSQL_SERVERS) {
  await describeWithService(kind, `${name}: two owners`, (service) => {
    byOperations(() => openMysql(service.url));
    describe.each(['REPEATABLE READ', 'READ COMMITTED'])('at %s', (level) => {
      byLockedRecord(
        () => openMysql(service.url, {}, level),
        async ({ client, options }, id) => {
          const holder = await client.getConnection();
          await holder.beginTransaction();
          await holder.query(`SELECT 1 FROM ${options.tables[RESOURCE]!.table} WHERE id = ? FOR UPDATE`, [
            id,
          ]);
          return async () => {
            await holder.commit();
            holder.release();
          };
        },
      );
      byStatements(
        () => openMysql(service.url, {}, level),
        ({ client, options }, gate) => new MysqlStore(hookedMysql(client, gate.before), options),
      );
    });
  });
}

describe('SQLite: two owners', () => {
  byOperations(() => Promise.resolve(openSqlite()));
});
