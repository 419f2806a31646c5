import { sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { SqlConnection, SqlDriver } from 'quorate/locking/sql';

type Database = Pick<NodePgDatabase, 'execute' | 'transaction'>;

/** In a transaction that you have started: `store.within(drizzleConnection(tx))`. */
export const drizzleConnection = (db: Pick<Database, 'execute'>): SqlConnection => ({
  query: async (text, params) => {
    // Drizzle numbers parameters itself. What is in double quotes is a name.
    const pieces = Array.from(text.matchAll(/"[^"]*"|\$(\d+)|[^"$]+|\$/g), ([piece, position]) =>
      position === undefined ? sql.raw(piece) : sql`${sql.param(params[Number(position) - 1])}`,
    );
    const { rows, rowCount, fields } = await db.execute(sql.join(pieces));
    const long = fields.filter(({ dataTypeID }) => dataTypeID === INT8).map(({ name }) => name);
    for (const row of rows) for (const name of long) row[name] = exactInteger(row[name]);
    return { rows, changes: rowCount ?? 0 };
  },
});

/** `new SqlStore(drizzleDriver(db), 'postgres')`. */
export const drizzleDriver = (db: Database): SqlDriver => ({
  ...drizzleConnection(db),
  transaction: (work) => db.transaction((tx) => work(drizzleConnection(tx))),
});

const INT8 = 20;
/** Drizzle does not ask the pool how to read a bigint, and gives text. */
const exactInteger = (value: unknown): unknown =>
  typeof value !== 'string' ? value : Number.isSafeInteger(Number(value)) ? Number(value) : BigInt(value);
