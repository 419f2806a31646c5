import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { join } from 'node:path';
import { Records, type RecordStore, type WriteOperation } from '../../src/locking/index.js';
import { Child } from '../harness/child.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { MYSQL_SERVERS, openMysql, openPostgres, openSqlite, type SqlDatabase } from './sql-databases.js';

jest.setTimeout(120_000);

const WRITERS = 32;
const RACE_MS = Number(process.env['RACE_MS'] ?? 3_000);

interface Counter extends Record<string, number> {
  readonly balance: number;
}

/** What became of the writes of a race: successes, and refusals by their code. */
type Tally = Record<string, number>;

/** Reads and adds one, again and again; every third time in a batch, and every fifth with a line beside it. */
async function writer(store: RecordStore, id: string, name: string, end: number): Promise<Tally> {
  const counters = new Records<Counter>(store, 'accounts');
  const tally: Tally = { written: 0 };
  for (let i = 0; performance.now() < end; i++) {
    const { version, value } = await counters.read(id);
    await turn();
    const update: WriteOperation = {
      kind: 'update',
      resource: 'accounts',
      id,
      version,
      changes: { balance: value.balance + 1 },
      fence: { scope: `race-${id}`, token: 7n },
    };
    const operations: WriteOperation[] = [update];
    if (i % 5 === 1) {
      operations.unshift({
        kind: 'insert',
        resource: 'lines',
        id: `${id}-${name}-${i}`,
        value: { balance: 1 },
      });
    }
    if (i % 3 === 1) operations.push({ ...update, version: version + 1, kind: 'touch' });
    const outcomes = await store.write(operations, 'all-or-nothing');
    const { kind } = outcomes[operations.indexOf(update)]!;
    tally[kind] = (tally[kind] ?? 0) + 1;
    if (i % 5 === 1 && kind === 'written') tally['lines'] = (tally['lines'] ?? 0) + 1;
  }
  return tally;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const sum = (tallies: readonly Tally[], kind: string): number =>
  tallies.reduce((total, tally) => total + (tally[kind] ?? 0), 0);

function races(open: () => Promise<SqlDatabase<unknown>>): void {
  let database: SqlDatabase<unknown>;
  let store: RecordStore;
  beforeAll(async () => {
    database = await open();
    ({ store } = database);
  });
  afterAll(() => database.close());
  const count = async (table: string): Promise<number> => {
    const { table: name } = database.options.tables[table]!;
    return database.count(`SELECT count(*) AS n FROM ${name}`);
  };

  it(`${WRITERS} writers on one record: the sum equals the successes, and all else are conflicts`, async () => {
    const id = 'race';
    await new Records<Counter>(store, 'accounts').insert(id, { balance: 0 });
    const end = performance.now() + RACE_MS;
    const tallies = await Promise.all(
      Array.from({ length: WRITERS }, (_, i) => writer(store, id, String(i), end)),
    );
    const successes = sum(tallies, 'written');
    expect(successes).toBeGreaterThan(20);
    expect((await new Records<Counter>(store, 'accounts').read(id)).value.balance).toBe(successes);
    expect(await count('lines')).toBe(sum(tallies, 'lines'));
    expect(sum(tallies, 'version-conflict')).toBeGreaterThan(0);
    expect(new Set(tallies.flatMap((tally) => Object.keys(tally)))).toEqual(
      new Set(['written', 'version-conflict', 'lines']),
    );
  });

  it('batches over the same records in opposite orders never end in a deadlock', async () => {
    const ids = Array.from({ length: 12 }, (_, i) => `dead-${i}`);
    const counters = new Records<Counter>(store, 'accounts');
    for (const id of ids) await counters.insert(id, { balance: 0 });
    const end = performance.now() + RACE_MS / 2;
    const work = async (n: number): Promise<Tally> => {
      const order = n % 2 === 0 ? ids : [...ids].reverse();
      const tally: Tally = { written: 0 };
      while (performance.now() < end) {
        const found = await counters.findAll(order);
        await turn();
        const updates = found.map((record) => ({
          record: record!,
          changes: { balance: record!.value.balance + 1 },
        }));
        const outcomes = await counters.bulkUpdate(updates, n % 3 === 0 ? 'each' : 'all-or-nothing');
        tally['written']! += outcomes.filter(({ kind }) => kind === 'written').length;
      }
      return tally;
    };
    const tallies = await Promise.all(Array.from({ length: 8 }, (_, n) => work(n)));
    const total = (await counters.findAll(ids)).reduce((all, record) => all + record!.value.balance, 0);
    expect(total).toBe(sum(tallies, 'written'));
  });

  it('inserts of the same id: one wins, the others hear that it exists', async () => {
    const counters = new Records<Counter>(store, 'accounts');
    for (let round = 0; round < 20; round++) {
      const id = `insert-${round}`;
      const line: WriteOperation = {
        kind: 'insert',
        resource: 'lines',
        id: `${id}-l`,
        value: { balance: 0 },
      };
      const alone = Array.from({ length: 4 }, () => counters.tryInsert(id, { balance: 0 }));
      const together = Array.from({ length: 4 }, async () => {
        const insert: WriteOperation = { kind: 'insert', resource: 'accounts', id, value: { balance: 0 } };
        const [first, second] = await store.write([line, insert], 'all-or-nothing');
        // The two were looked at one after the other, and between them somebody else came.
        return second!.kind === 'skipped' ? first! : second!;
      });
      const kinds = (await Promise.all([...alone, ...together])).map(({ kind }) => kind).sort();
      expect(kinds).toEqual([...Array.from({ length: 7 }, () => 'already-exists'), 'written']);
    }
  });

  it('writers of two epochs: after the seal no write of the old one', async () => {
    const id = 'epochs';
    const scope = 'epochs';
    const counters = new Records<Counter>(store, 'accounts');
    await counters.insert(id, { balance: 0 });
    let sealed = false;
    const old = async (): Promise<number> => {
      for (let written = 0; ;) {
        const record = await counters.read(id);
        const before = sealed;
        // SQLite answers at once: without this nothing else would get a turn.
        await turn();
        const changes = { balance: record.value.balance + 1 };
        const outcome = await counters.tryUpdate(record, changes, { fence: { scope, token: 1n } });
        if (outcome.kind === 'written') {
          expect(before).toBe(false);
          written++;
        }
        if (outcome.kind === 'stale-epoch') return written;
      }
    };
    const olds = Array.from({ length: 8 }, old);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await store.seal({ scope, token: 2n, owner: 'new' });
    sealed = true;
    const then = await counters.read(id);
    const written = (await Promise.all(olds)).reduce((all, each) => all + each, 0);
    expect(await counters.read(id)).toEqual(then);
    expect(then.value.balance).toBe(written);
  });
}

await describeWithService('postgres', 'PostgreSQL', (service) => races(() => openPostgres(service.url)));
for (const [kind, name] of MYSQL_SERVERS) {
  await describeWithService(kind, name, (service) => races(() => openMysql(service.url)));
}

describe('SQLite', () => {
  races(() => Promise.resolve(openSqlite()));

  it(`${WRITERS} connections of 4 processes on one record`, async () => {
    const database = openSqlite();
    await new Records<Counter>(database.store, 'accounts').insert('race', { balance: 0 });
    const script = join(process.cwd(), 'test/services/sqlite-racer.ts');
    const loader = join(process.cwd(), 'test/harness/typescript.js');
    const racers = Array.from({ length: 4 }, (_, i) => {
      const plan = { file: database.file, options: database.options, writers: WRITERS / 4, ms: RACE_MS };
      return new Child(`racer ${i}`, process.execPath, ['--import', loader, script, JSON.stringify(plan)]);
    });
    const codes = await Promise.all(racers.map(({ exited }) => exited));
    const printed = racers.map(({ lines }) => lines.join('\n'));
    expect([codes, printed]).toEqual([[0, 0, 0, 0], printed]);
    const tallies = racers.map(({ lines }) => JSON.parse(lines.at(-1)!) as Tally);
    const { value } = await new Records<Counter>(database.store, 'accounts').read('race');
    expect(value.balance).toBe(sum(tallies, 'written'));
    expect(sum(tallies, 'version-conflict')).toBeGreaterThan(0);
    for (const tally of tallies) expect(Object.keys(tally).sort()).toEqual(['version-conflict', 'written']);
    await database.close();
  });
});
