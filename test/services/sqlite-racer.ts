import Database from 'better-sqlite3';
import { Records } from '../../src/locking/index.js';
import { type SqlStoreOptions, SqliteStore } from '../../src/locking/sql/index.js';

interface Plan {
  readonly file: string;
  readonly options: SqlStoreOptions;
  readonly writers: number;
  readonly ms: number;
}

/** One process of a race: some connections that take turns at reading a record and adding one; prints what became of it. */
const { file, options, writers, ms } = JSON.parse(process.argv[2]!) as Plan;
const tally: Record<string, number> = { written: 0, 'version-conflict': 0 };
const counters = Array.from(
  { length: writers },
  () => new Records<{ balance: number }>(new SqliteStore(new Database(file), options), 'accounts'),
);
const end = performance.now() + ms;
const race = async (records: (typeof counters)[number]): Promise<void> => {
  while (performance.now() < end) {
    const record = await records.read('race');
    // The others of this process get their turn between reading and writing.
    await new Promise((resolve) => setImmediate(resolve));
    const { kind } = await records.tryUpdate(record, { balance: record.value.balance + 1 });
    tally[kind] = (tally[kind] ?? 0) + 1;
  }
};
await Promise.all(counters.map(race));
console.log(JSON.stringify(tally));
