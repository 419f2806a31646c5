import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type Fence,
  Records,
  type RecordStore,
  StaleEpochError,
  type WriteOutcome,
} from '../../src/locking/index.js';
import {
  ddl,
  fencePredicate,
  type FencePredicateOptions,
  type SqlStoreOptions,
  type TableDefinition,
} from '../../src/locking/sql/index.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { fenceOf, fresh } from '../harness/store-under-test.js';
import { sleep } from '../harness/waiting.js';
import { MYSQL_SERVERS } from './sql-databases.js';
import { type Hand, mysqlHand, postgresHand, sqliteHand } from './sql-hands.js';
import { FIELDS, freshTable } from './sql-tables.js';

jest.setTimeout(30_000);

interface Account extends Record<string, string | number | null> {
  readonly balance: number | null;
}

/** What the database said. Errors of better-sqlite3 are made where it was first loaded: for jest's `toThrow` they are none. */
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'taken',
    (error: Error) => error.message,
  );

/** Statements by hand on tables that the stores write to as well: what `ddl` prints, `fencePredicate` and `holdFence`. */
function byHand(open: () => Hand | Promise<Hand>): void {
  const HIGH = 2n ** 62n + 1n;
  let hand: Hand;
  const tables: string[] = [];
  beforeAll(async () => {
    hand = await open();
  });
  afterAll(async () => {
    for (const table of tables) await hand.change(`DROP TABLE ${table}`);
    await hand.close();
  });

  interface Made {
    readonly store: RecordStore;
    readonly accounts: Records<Account>;
    readonly table: string;
    readonly options: SqlStoreOptions;
  }
  const make = async (definition: TableDefinition = {}): Promise<Made> => {
    const [table, fencesTable] = [freshTable('hand'), freshTable('seals')];
    tables.push(table, fencesTable);
    const mapping = { ...definition, table };
    const statements = ddl(hand.dialect, { tables: { accounts: mapping }, fencesTable });
    for (const statement of statements) await hand.change(statement);
    const options = { tables: { accounts: mapping }, seals: true, fencesTable };
    const store = hand.open(options);
    return { store, accounts: new Records(store, 'accounts'), table, options };
  };
  const versionOf = async (accounts: Records<Account>, id: string): Promise<number> =>
    (await accounts.read(id)).version;

  describe('ddl', () => {
    it('makes a table that is there ready: its rows are records of version 1', async () => {
      const table = freshTable('old');
      const idType = hand.dialect === 'mysql' ? 'VARCHAR(50)' : 'text';
      await hand.change(`CREATE TABLE ${table} (code ${idType} PRIMARY KEY, balance int)`);
      await hand.change(`INSERT INTO ${table} VALUES ('a', 5)`);
      tables.push(table);
      const mapping = { table, id: 'code', version: 'rev', fence: 'epoch' };
      const added = ddl(hand.dialect, { tables: { accounts: mapping }, fencesTable: false });
      for (const statement of added) await hand.change(statement);
      const accounts = new Records<Account>(hand.open({ tables: { accounts: mapping } }), 'accounts');
      expect(await accounts.read('a')).toEqual({ id: 'a', version: 1, fence: null, value: { balance: 5 } });
      await accounts.update({ id: 'a', version: 1 }, { balance: 6 }, { fence: fenceOf('g/t/0', HIGH) });
      expect(await accounts.read('a')).toMatchObject({ version: 2, fence: HIGH });
    });

    it.each(['check', 'count'] as const)(
      'with ifNotExists runs again and changes nothing (trigger %s)',
      async (trigger) => {
        const [table, fencesTable] = [freshTable('again'), freshTable('seals')];
        tables.push(table, fencesTable);
        const definition = { table, fields: FIELDS[hand.dialect], trigger };
        const options = { tables: { accounts: definition }, fencesTable };
        const statements = ddl(hand.dialect, { ...options, ifNotExists: true });
        if (!hand.triggersMayRepeat) {
          // As the option's documentation says.
          const refusals = await Promise.all(
            statements
              .filter((statement) => statement.startsWith('CREATE TRIGGER'))
              .map((statement) => refusal(hand.change(statement))),
          );
          expect(refusals.length).toBeGreaterThan(0);
          for (const refused of refusals) expect(refused).toContain("near 'IF NOT EXISTS");
          tables.splice(-2);
          return;
        }
        for (const statement of statements) await hand.change(statement);
        const accounts = new Records<Account>(hand.open({ ...options, seals: true }), 'accounts');
        await accounts.insert('a', { balance: 5 });
        for (const statement of statements) await hand.change(statement);
        expect(await accounts.read('a')).toMatchObject({ version: 1, value: { balance: 5 } });
        const skipping = hand.change(`UPDATE ${table} SET version = version + 2 WHERE id = 'a'`);
        expect(await refusal(skipping)).toContain('version must grow by one');
      },
    );

    describe('with the trigger `check`', () => {
      let made: Made;
      let update: (set: string) => Promise<number>;
      beforeAll(async () => {
        made = await make({ fields: FIELDS[hand.dialect], trigger: 'check' });
        update = (set) => hand.change(`UPDATE ${made.table} SET ${set} WHERE id = 'a'`);
        await made.accounts.insert('a', { balance: 0 }, { fence: fenceOf('g/t/0', HIGH) });
      });

      it('refuses an update that does not count the version, and takes one that does', async () => {
        expect(await refusal(update('balance = 1'))).toContain('version must grow by one');
        expect(await refusal(update('balance = 1, version = version + 2'))).toContain(
          'version must grow by one',
        );
        const before = await versionOf(made.accounts, 'a');
        expect(await update('balance = 1, version = version + 1')).toBe(1);
        expect(await made.accounts.read('a')).toMatchObject({ version: before + 1, value: { balance: 1 } });
      });

      it('lets no fence go down, nor away', async () => {
        expect(await refusal(update(`version = version + 1, fence = ${HIGH - 1n}`))).toContain(
          'may not go down',
        );
        expect(await refusal(update('version = version + 1, fence = NULL'))).toContain('may not go down');
        expect(await update(`version = version + 1, fence = ${HIGH}`)).toBe(1);
      });

      it('lets no row begin at another version than 1', async () => {
        const insert = hand.change(`INSERT INTO ${made.table} (id, version) VALUES ('new', 7)`);
        const said = await refusal(insert);
        // SQLite cannot change what is inserted, and refuses it.
        if (hand.dialect === 'sqlite') return expect(said).toContain('begins at version 1');
        expect([said, await versionOf(made.accounts, 'new')]).toEqual(['taken', 1]);
      });

      it('leaves the store as it is', () => storeWorks(made));
    });

    describe('with the trigger `count`', () => {
      let made: Made;
      beforeAll(async () => {
        made = await make({ fields: FIELDS[hand.dialect], trigger: 'count' });
        await made.accounts.insert('a', { balance: 0 }, { fence: fenceOf('g/t/0', 4n) });
      });

      it('counts what others change, so that a write which read before is refused', async () => {
        const before = await made.accounts.read('a');
        expect(await hand.change(`UPDATE ${made.table} SET balance = 7 WHERE id = 'a'`)).toBe(1);
        expect(await made.accounts.tryUpdate(before, { balance: 1 })).toEqual({
          kind: 'version-conflict',
          expected: before.version,
          actual: before.version + 1,
        });
        expect(await made.accounts.read('a')).toMatchObject({ fence: 4n, value: { balance: 7 } });
      });

      it('lets no fence go down, nor the version jump', async () => {
        const update = (set: string): Promise<number> =>
          hand.change(`UPDATE ${made.table} SET ${set} WHERE id = 'a'`);
        expect(await refusal(update('fence = 3'))).toContain('may not go down');
        expect(await refusal(update('version = version - 1'))).toContain('version must grow by one');
      });

      it('leaves the store as it is', () => storeWorks(made));
    });

    const storeWorks = async ({ store, accounts }: Made): Promise<void> => {
      const [id, scope] = [fresh('s'), fresh('g/t/0')];
      await accounts.insert(id, { balance: 0 });
      expect(await accounts.update({ id, version: 1 }, { balance: 1 }, { fence: fenceOf(scope, 4n) })).toBe(
        2,
      );
      expect(await accounts.touch({ id, version: 2 })).toBe(3);
      const updates = [{ record: { id, version: 3 }, changes: { balance: 2 } }];
      expect(await accounts.bulkUpdate(updates, 'each')).toEqual([{ kind: 'written', version: 4 }]);
      await store.seal(fenceOf(scope, 5n));
      const stale = await accounts.tryUpdate(
        { id, version: 4 },
        { balance: 3 },
        { fence: fenceOf(scope, 4n) },
      );
      expect(stale).toMatchObject({ kind: 'stale-epoch', current: 5n });
      await accounts.delete({ id, version: 4 });
    };
  });

  describe('fencePredicate', () => {
    let made: Made;
    let id: string;
    let scope: string;
    beforeAll(async () => {
      made = await make({ fields: FIELDS[hand.dialect] });
    });
    beforeEach(async () => {
      [id, scope] = [fresh('p'), fresh('g/t/0')];
      await made.accounts.insert(id, { balance: 0 });
    });
    /** As the docs have it: the statement sets the fence as well. */
    const write = (token: bigint, options: FencePredicateOptions = {}, alias = ''): Promise<number> => {
      const postgres = hand.dialect === 'postgres';
      const fence = fenceOf(scope, token);
      const may = fencePredicate(hand.dialect, fence, { firstPlaceholder: 3, ...options });
      const [balance, first, row] = postgres ? ['$1', '$3', '$2'] : ['?', '?', '?'];
      const sql =
        `UPDATE ${made.table}${alias} SET balance = ${balance}, fence = ${postgres ? `CAST(${first} AS bigint)` : first}, ` +
        `version = version + 1 WHERE id = ${row} AND ${may.sql}`;
      const params = postgres ? [7, id, ...may.params] : [7, token, id, ...may.params];
      return hand.change(sql, params);
    };

    it('takes a row that was never fenced, an equal and a higher token, and refuses a lower one', async () => {
      expect(await write(HIGH - 1n)).toBe(1);
      expect(await write(HIGH - 1n)).toBe(1);
      expect(await write(HIGH)).toBe(1);
      expect(await write(HIGH - 1n)).toBe(0);
      expect(await made.accounts.read(id)).toMatchObject({ version: 4, fence: HIGH, value: { balance: 7 } });
    });

    it('keeps out a store that comes with a lower token, and the other way round', async () => {
      await write(9n);
      const refused: WriteOutcome = { kind: 'stale-epoch', scope, token: 8n, current: 9n };
      const change = (token: bigint): Promise<WriteOutcome> =>
        made.accounts.tryUpdate({ id, version: 2 }, { balance: 1 }, { fence: fenceOf(scope, token) });
      expect(await change(8n)).toEqual(refused);
      expect(await change(10n)).toEqual({ kind: 'written', version: 3 });
      expect(await write(9n)).toBe(0);
    });

    it('looks at the seal as well, when asked', async () => {
      const seals = made.options.fencesTable!;
      // Nobody has written the scope down: there is nothing to hold on to.
      expect(await write(5n, { seals })).toBe(0);
      await made.store.seal(fenceOf(scope, 5n));
      expect(await write(4n, { seals })).toBe(0);
      expect(await write(5n, { seals })).toBe(1);
      await made.store.seal(fenceOf(scope, HIGH));
      expect(await write(HIGH - 1n, { seals })).toBe(0);
      expect(await write(HIGH, { seals })).toBe(1);
    });

    it('names the table where the statement needs it', async () => {
      expect(await write(5n, { table: 't', column: 'fence' }, ' AS t')).toBe(1);
      expect(await write(4n, { table: 't', column: 'fence' }, ' AS t')).toBe(0);
    });

    it('refuses to look at nothing', () => {
      expect(() => fencePredicate(hand.dialect, fenceOf(scope, 1n), { column: null })).toThrow(
        'needs the column of fences',
      );
    });
  });

  describe('holdFence', () => {
    let made: Made;
    beforeAll(async () => {
      made = await make({ fields: FIELDS[hand.dialect] });
    });
    const insert = (id: string) => (change: Hand['change']) =>
      change(`INSERT INTO ${made.table} (id, balance) VALUES ('${id}', 1)`);

    it('lets the present owner insert, and refuses the one before', async () => {
      const scope = fresh('g/t/0');
      const early: Fence = fenceOf(scope, HIGH - 1n);
      expect(await hand.holding(made.options, early, insert(`${scope}-1`))).toBe(1);
      await made.store.seal(fenceOf(scope, HIGH));
      const late = hand.holding(made.options, early, insert(`${scope}-2`));
      await expect(late).rejects.toThrow(StaleEpochError);
      expect(await made.accounts.find(`${scope}-2`)).toBeUndefined();
    });

    it('keeps the next owner from sealing until the transaction has ended', async () => {
      // One connection with everything in it: SQLite's other connections are tested with the races.
      if (hand.dialect === 'sqlite') return;
      const scope = fresh('g/t/0');
      const order: string[] = [];
      let sealing: Promise<unknown> | undefined;
      await hand.holding(made.options, fenceOf(scope, 4n), async (change) => {
        sealing = made.store.seal(fenceOf(scope, 5n)).then(() => order.push('sealed'));
        await sleep(200);
        await insert(scope)(change);
        order.push('inserted');
      });
      await sealing;
      expect(order).toEqual(['inserted', 'sealed']);
    });
  });
}

await describeWithService('postgres', 'PostgreSQL by hand', ({ url }) => byHand(() => postgresHand(url)));
for (const [kind, name] of MYSQL_SERVERS) {
  await describeWithService(kind, `${name} by hand`, ({ url }) => byHand(() => mysqlHand(url)));
}
describe('SQLite by hand', () => byHand(sqliteHand));
