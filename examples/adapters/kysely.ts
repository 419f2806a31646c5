import { CompiledQuery, type Kysely, SqliteAdapter } from 'kysely';
import type { Row, SqlConnection, SqlDriver, SqlValue } from 'quorate/locking/sql';

/** In a transaction that you have started: `store.within(kyselyConnection(trx))`. */
export const kyselyConnection = <DB>(db: Kysely<DB>): SqlConnection => ({
  query: async (sql, params) => {
    const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
    const values = params.map((value) => asParameter(value, sqlite));
    // Plugins may rename columns, and the store asks for them by name.
    const { rows, numAffectedRows } = await db
      .withoutPlugins()
      .executeQuery<Row>(CompiledQuery.raw(sql, values));
    return { rows, changes: Number(numAffectedRows ?? 0) };
  },
});

/** `new SqlStore(kyselyDriver(db), 'postgres')`, or 'mysql', or 'sqlite'. */
export const kyselyDriver = <DB>(db: Kysely<DB>): SqlDriver => ({
  ...kyselyConnection(db),
  transaction: (work) => db.transaction().execute((trx) => work(kyselyConnection(trx))),
});

/** mysql2 knows bytes only as a Buffer; better-sqlite3 knows neither booleans nor dates. */
function asParameter(value: SqlValue, sqlite: boolean): SqlValue {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (!sqlite) return value;
  return typeof value === 'boolean' ? Number(value) : value instanceof Date ? value.toISOString() : value;
}
