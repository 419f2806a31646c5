import type { Knex } from 'knex';
import type { Row, SqlConnection, SqlDriver, SqlResult, SqlValue } from 'quorate/locking/sql';

/** In a transaction that you have started: `store.within(knexConnection(trx))`. */
export const knexConnection = (knex: Knex): SqlConnection => ({
  query: async (sql, params) => {
    // Not knex.raw: it has placeholders of its own, and `postProcessResponse` may rename the columns of its rows.
    const client = knex.client as Knex.Client;
    const connection: unknown = await client.acquireConnection();
    try {
      const text = client.driverName === 'pg' ? sql.replaceAll('?', '\\?') : sql;
      const bindings = params.map((value) => asParameter(value, client.driverName));
      const { response } = (await client.query(connection, { sql: text, bindings })) as { response: unknown };
      // mysql2 adds what it knows about the columns.
      return resultOf((client.driverName === 'mysql2' ? (response as unknown[])[0] : response) as Answer);
    } finally {
      await client.releaseConnection(connection);
    }
  },
});

/** `new SqlStore(knexDriver(knex), 'postgres')`, or 'mysql' (mysql2), or 'sqlite' (better-sqlite3). */
export const knexDriver = (knex: Knex): SqlDriver => ({
  ...knexConnection(knex),
  transaction: (work) => knex.transaction((trx) => work(knexConnection(trx))),
});

type Answer = readonly Row[] | { rows?: Row[]; rowCount?: number; affectedRows?: number; changes?: number };

/** Rows as they are, or how many were changed as pg, mysql2 or better-sqlite3 call it. */
function resultOf(answer: Answer): SqlResult {
  if ('length' in answer) return { rows: answer, changes: 0 };
  const { rows = [], rowCount, affectedRows, changes } = answer;
  return { rows, changes: rowCount ?? affectedRows ?? changes ?? 0 };
}

/** mysql2 knows bytes only as a Buffer; SQLite keeps dates as text. */
function asParameter(value: SqlValue, driverName: string): SqlValue {
  if (value instanceof Uint8Array) return Buffer.from(value);
  return value instanceof Date && driverName === 'better-sqlite3' ? value.toISOString() : value;
}
