import { neverSent } from './failure.js';
import type { SqlStoreOptions } from './plans.js';
import type { Row, SqlConnection, SqlDriver, SqlResult, SqlValue, StatementHints } from './statement.js';
import { SqlStore } from './store.js';
import { Turns } from './turns.js';

/** The part of a `mysql2/promise` Connection that is used. */
export interface MysqlConnection {
  query(options: MysqlQueryOptions): Promise<[unknown, unknown]>;
  execute(options: MysqlQueryOptions): Promise<[unknown, unknown]>;
}
/** The part of a `mysql2/promise` Pool that is used. */
export interface MysqlPool {
  getConnection(): Promise<MysqlConnection & { release(): void; destroy(): void }>;
}
interface MysqlQueryOptions {
  sql: string;
  // mysql2's own type of parameters is as wide as this.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  values?: any;
}

export interface MysqlStoreOptions extends SqlStoreOptions {
  /** Prepared statements for writes. Off for a proxy that cannot carry them. Default true. */
  readonly prepare?: boolean;
  /** No statement may take longer, else its answer counts as lost. Milliseconds, default: no limit. */
  readonly timeoutMs?: number;
}

/**
 * Records in MySQL 8 or MariaDB, over a `mysql2/promise` Pool (or one Connection: then its transactions take turns). An
 * update is one statement whose answer tells why it was refused.
 *
 * Fields come as mysql2 gives them, but for bigint: a number, or a bigint beyond 2^53.
 */
export class MysqlStore extends SqlStore {
  constructor(source: MysqlPool | MysqlConnection, options: MysqlStoreOptions = {}) {
    super(isPool(source) ? poolDriver(source, options) : connectionDriver(source, options), 'mysql', options);
  }

  /** For `within` and `holdFence`: a connection on which you have started a transaction. */
  static connection(connection: MysqlConnection, options: MysqlStoreOptions = {}): SqlConnection {
    return new Session(connection, options);
  }
}

const isPool = (source: MysqlPool | MysqlConnection): source is MysqlPool => 'getConnection' in source;

function poolDriver(pool: MysqlPool, options: MysqlStoreOptions): SqlDriver {
  const borrowed = async <R>(work: (session: Session) => Promise<R>): Promise<R> => {
    const connection = await pool.getConnection().catch((error: unknown) => {
      throw neverSent(error);
    });
    const session = new Session(connection, options);
    try {
      return await work(session);
    } finally {
      // The state and late answers of a broken connection must not reach the next user: it is closed.
      if (session.broken) connection.destroy();
      else connection.release();
    }
  };
  return {
    query: (sql, params, hints) => borrowed((session) => session.query(sql, params, hints)),
    transaction: (work) => borrowed((session) => session.transaction(work)),
  };
}

function connectionDriver(connection: MysqlConnection, options: MysqlStoreOptions): SqlDriver {
  const turns = new Turns();
  const session = new Session(connection, options);
  return {
    query: (sql, params, hints) => turns.query(() => session.query(sql, params, hints)),
    transaction: (work) => turns.alone(() => session.transaction(work)),
  };
}

/** One connection while it is ours. */
class Session implements SqlConnection {
  readonly #connection: MysqlConnection;
  readonly #options: MysqlStoreOptions;
  /** Nothing more can be expected of the connection. */
  broken = false;

  constructor(connection: MysqlConnection, options: MysqlStoreOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  async query(sql: string, params: readonly SqlValue[], hints: StatementHints): Promise<SqlResult> {
    const values = params.map(asParameter);
    // What is sent once need not be prepared; its numbers go as text, so they stay exact.
    const prepared = hints.name !== undefined && this.#options.prepare !== false;
    const [answer, columns] = await this.#send(prepared ? 'execute' : 'query', sql, values);
    if (Array.isArray(answer)) return { rows: withExactIntegers(answer as Row[], columns), changes: 0 };
    const { affectedRows, insertId } = answer as { affectedRows: number; insertId: number | string };
    const exact = typeof insertId === 'string' || Number.isSafeInteger(insertId);
    return { rows: [], changes: affectedRows, ...(exact ? { insertId: BigInt(insertId) } : {}) };
  }

  async transaction<R>(work: (connection: SqlConnection) => Promise<R>): Promise<R> {
    await this.#send('query', 'START TRANSACTION');
    let result: R;
    try {
      result = await work(this);
    } catch (error) {
      // When the connection is gone, or will be closed, the server rolls back by itself.
      if (!this.broken) await this.#send('query', 'ROLLBACK').catch(() => undefined);
      throw error;
    }
    await this.#send('query', 'COMMIT');
    return result;
  }

  async #send(how: 'query' | 'execute', sql: string, values?: unknown[]): Promise<[unknown, unknown]> {
    // An integer beyond 2^53 comes as text instead of the next best double.
    const options = { sql, values, supportBigNumbers: true, bigNumberStrings: false };
    try {
      return await this.#inTime(this.#connection[how](options));
    } catch (error) {
      // An error of the server carries its state; everything else is an error of the connection.
      const { sqlState, fatal } = error as { sqlState?: string; fatal?: boolean };
      if (sqlState === undefined || fatal === true) this.broken = true;
      throw error;
    }
  }

  /** mysql2 has a time limit of its own, but preparing a statement knows nothing of it. */
  async #inTime<R>(answer: Promise<R>): Promise<R> {
    const { timeoutMs } = this.#options;
    if (timeoutMs === undefined) return answer;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer from MySQL within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const asParameter = (value: SqlValue): unknown =>
  typeof value === 'bigint'
    ? value.toString()
    : value instanceof Uint8Array && !Buffer.isBuffer(value)
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      : value;

const LONGLONG = 8;

/** mysql2 gives integers beyond 2^53 as text: they become bigints, unlike texts that merely look so. */
function withExactIntegers(rows: readonly Row[], columns: unknown): readonly Row[] {
  const long = (columns as readonly { name: string; columnType: number }[])
    .filter(({ columnType }) => columnType === LONGLONG)
    .map(({ name }) => name);
  if (long.length === 0) return rows;
  return rows.map((row) => {
    const exact: Record<string, unknown> = { ...row };
    for (const name of long) {
      const value = exact[name];
      if (typeof value === 'string') exact[name] = BigInt(value);
    }
    return exact;
  });
}
