import type {
  BatchMode,
  Fence,
  Fields,
  FieldValue,
  RecordStore,
  ResourceName,
  Sealed,
  SealOutcome,
  VersionedRecord,
  WriteOperation,
  WriteOutcome,
} from '../model.js';
import { sealedOrThrow, StaleEpochError } from '../errors.js';
import { SqlPlans, type SqlStoreOptions } from './plans.js';
import { type Row, runStepsNow, type SqlResult, type Statement, type Steps } from './statement.js';
import { holdSeals, sealScope, transact, type Transacted } from './transaction.js';

/** The part of a `better-sqlite3` Database, or of `node:sqlite`'s DatabaseSync, that is used. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  /** better-sqlite3; node:sqlite calls it `isTransaction`. */
  readonly inTransaction?: boolean;
  readonly isTransaction?: boolean;
}
export interface SqliteStatement {
  run(...params: never[]): { readonly changes: number | bigint };
  all(...params: never[]): unknown[];
  /** better-sqlite3. */
  safeIntegers?(on: boolean): unknown;
  /** node:sqlite. */
  setReadBigInts?(on: boolean): unknown;
}

const STATEMENTS_KEPT = 200;

/**
 * Records in SQLite, over a `better-sqlite3` Database or `node:sqlite`'s DatabaseSync. Nothing waits in between: a single
 * write is one statement, everything else one immediate transaction (or part of yours, when the database is in one: then
 * its outcomes hold once you have committed). How long to wait for other processes is the database's own busy timeout.
 *
 * Integers are exact to 64 bits: numbers, and bigints beyond 2^53. SQLite knows neither booleans nor dates: they are
 * written as 0 or 1 and as ISO text, and come back as such.
 */
export class SqliteStore implements RecordStore {
  readonly name = 'sqlite';
  readonly #database: SqliteDatabase;
  readonly #plans: SqlPlans;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(database: SqliteDatabase, options: SqlStoreOptions = {}) {
    this.#database = database;
    this.#plans = new SqlPlans('sqlite', options);
  }

  // Every method is async only for the port: an error of the mapping must reject, not throw.
  // eslint-disable-next-line @typescript-eslint/require-await
  async read(
    resource: ResourceName,
    ids: readonly string[],
  ): Promise<readonly (VersionedRecord<Fields> | undefined)[]> {
    return this.#run(this.#plans.read(resource, ids));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    if (operations.length === 1) {
      const operation = operations[0]!;
      const write = this.#plans.guarded(operation);
      const outcome = write?.outcome(operation, this.#query(write.bind(operation)));
      if (outcome !== undefined) return [outcome];
    }
    return this.#transact(transact(this.#plans, operations, { mode, holdFree: true }));
  }

  async seal(fence: Fence): Promise<Sealed> {
    return sealedOrThrow(await this.trySeal(fence));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async trySeal(fence: Fence): Promise<SealOutcome> {
    return this.#transact(sealScope(this.#plans, fence));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async fenceOf(scope: string): Promise<bigint | null> {
    const [row] = this.#query(this.#plans.fenceOf(scope)).rows;
    const digits = (row?.['token'] ?? null) as string | null;
    return digits === null ? null : BigInt(digits);
  }

  /**
   * For a transaction of yours that writes by hand: its first statement. Nobody can seal the scope until you commit. Throws
   * StaleEpochError when a later owner was faster.
   */
  holdFence({ scope, token }: Fence): void {
    this.#plans.sealsTable();
    const current = this.#run(holdSeals(this.#plans, [scope])).get(scope) ?? null;
    if (current !== null && current > token) throw new StaleEpochError(scope, token, current);
  }

  #transact<R>(steps: Steps<Transacted<R>>): R {
    const { inTransaction, isTransaction } = this.#database;
    // What a transaction does is decided before it writes, so inside of another one there is nothing to take back.
    if (inTransaction ?? isTransaction) return this.#run(steps).result;
    this.#database.exec('BEGIN IMMEDIATE');
    let done: Transacted<R>;
    try {
      done = this.#run(steps);
      this.#database.exec(done.commit ? 'COMMIT' : 'ROLLBACK');
    } catch (error) {
      // Some errors end the transaction by themselves.
      if (this.#database.inTransaction ?? this.#database.isTransaction ?? true) this.#rollBack();
      throw error;
    }
    return done.result;
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // There was none any more; the error that led here tells more.
    }
  }

  #run<R>(steps: Steps<R>): R {
    return runStepsNow(steps, (statement) => this.#query(statement));
  }

  #query({ text, params, hints }: Statement): SqlResult {
    const statement = this.#prepared(text);
    const values = params.map(asParameter) as never[];
    if (!hints.rows) return { rows: [], changes: Number(statement.run(...values).changes) };
    return { rows: (statement.all(...values) as Row[]).map(withNumbers), changes: 0 };
  }

  #prepared(text: string): SqliteStatement {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      if (this.#statements.size >= STATEMENTS_KEPT) this.#statements.clear();
      statement = this.#database.prepare(text);
      statement.safeIntegers?.(true);
      statement.setReadBigInts?.(true);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

function asParameter(value: FieldValue): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array && !Buffer.isBuffer(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  return value;
}

/** All integers were read as bigints; those that a number can hold become numbers. */
function withNumbers(row: Row): Row {
  const exact: Record<string, unknown> = { ...row };
  for (const name in exact) {
    const value = exact[name];
    if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) exact[name] = Number(value);
  }
  return exact;
}
