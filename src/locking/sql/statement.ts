import type { FieldValue } from '../model.js';

export type SqlValue = FieldValue;
export type Row = Readonly<Record<string, unknown>>;

/** What a driver gives back. Rows of SELECT, RETURNING and WITH; `changes`: how many rows INSERT, UPDATE or DELETE changed. */
export interface SqlResult {
  readonly rows: readonly Row[];
  readonly changes: number;
  /** MySQL only, exact or absent: the insert id of the answer, as signed 64-bit. It saves a round trip when a write is refused. */
  readonly insertId?: bigint;
}

/** What a statement is like, for drivers that care. */
export interface StatementHints {
  /** It gives rows; without, it gives `changes`. */
  readonly rows: boolean;
  /** The same text comes again and again: worth preparing under this name. */
  readonly name?: string;
}

/** One connection, or a pool that takes the next free one. */
export interface SqlConnection {
  query(sql: string, params: readonly SqlValue[], hints: StatementHints): Promise<SqlResult>;
}

/** The two functions that an ORM or a query builder must lend. */
export interface SqlDriver extends SqlConnection {
  /** Runs `work` on one connection between BEGIN and COMMIT; rolls back and rejects when `work` rejects. */
  transaction<R>(work: (connection: SqlConnection) => Promise<R>): Promise<R>;
}

export interface Statement {
  readonly text: string;
  readonly params: readonly SqlValue[];
  readonly hints: StatementHints;
}

/** Work on one connection as data: statements go out, results come in. Run by a driver that waits or by one that does not. */
export type Steps<R> = Generator<Statement, R, SqlResult>;

export const ROWS: StatementHints = { rows: true };
export const CHANGES: StatementHints = { rows: false };

/** An error of the driver is thrown into the steps at the statement. */
export async function runSteps<R>(steps: Steps<R>, connection: SqlConnection): Promise<R> {
  let next = steps.next();
  while (next.done !== true) {
    const { text, params, hints } = next.value;
    let result: SqlResult;
    try {
      result = await connection.query(text, params, hints);
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(result);
  }
  return next.value;
}

export function runStepsNow<R>(steps: Steps<R>, query: (statement: Statement) => SqlResult): R {
  let next = steps.next();
  while (next.done !== true) {
    let result: SqlResult;
    try {
      result = query(next.value);
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(result);
  }
  return next.value;
}
