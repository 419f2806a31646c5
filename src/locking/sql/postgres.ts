import { neverSent } from './failure.js';
import type { SqlStoreOptions } from './plans.js';
import type { Row, SqlConnection, SqlDriver, SqlResult, SqlValue, StatementHints } from './statement.js';
import { SqlStore } from './store.js';
import { Turns } from './turns.js';

/** The part of a `pg` Client that is used. */
export interface PgClient {
  query(config: PgQueryConfig): Promise<PgResult>;
  getTypeParser?(oid: number, format?: string): PgParser;
}
/** The part of a `pg` Pool that is used. */
export interface PgPool {
  connect(): Promise<PgPoolClient>;
  readonly totalCount: number;
}
export interface PgPoolClient extends PgClient {
  release(error?: Error | boolean): void;
  on(event: 'error', listener: () => void): unknown;
  removeListener(event: 'error', listener: () => void): unknown;
}
interface PgQueryConfig {
  text: string;
  values: unknown[];
  name?: string;
  types?: { getTypeParser(oid: number, format?: string): PgParser };
  query_timeout?: number;
}
interface PgResult {
  readonly rows: Row[];
  readonly rowCount: number | null;
  readonly command: string;
}
// pg's parsers take text or bytes; which one, the format says.
type PgParser = (value: never) => unknown;

export interface PostgresStoreOptions extends SqlStoreOptions {
  /** Named prepared statements for writes. Off for a PgBouncer that cannot carry them. Default true. */
  readonly prepare?: boolean;
  /** No statement may take longer, else its answer counts as lost. Milliseconds, default: what the pool says. */
  readonly timeoutMs?: number;
}

/**
 * Records in PostgreSQL, over a `pg` Pool (or one Client: then its transactions take turns). A single write is one
 * prepared statement that also tells why it was refused; many updates of one resource are one statement as well.
 *
 * Fields come as pg gives them, but for bigint: a number, or a bigint beyond 2^53, where pg would give text.
 */
export class PostgresStore extends SqlStore {
  constructor(source: PgPool | PgClient, options: PostgresStoreOptions = {}) {
    super(isPool(source) ? poolDriver(source, options) : clientDriver(source, options), 'postgres', options);
  }

  /** For `within` and `holdFence`: a client on which you have started a transaction. */
  static connection(client: PgClient, options: PostgresStoreOptions = {}): SqlConnection {
    return new Session(client, options);
  }
}

const isPool = (source: PgPool | PgClient): source is PgPool => 'totalCount' in source;

function poolDriver(pool: PgPool, options: PostgresStoreOptions): SqlDriver {
  const borrowed = async <R>(work: (session: Session) => Promise<R>): Promise<R> => {
    const client = await pool.connect().catch((error: unknown) => {
      throw neverSent(error);
    });
    const session = new Session(client, options);
    // A connection that ends while it is lent says so as an event, which ends the process when nobody listens. What was
    // under way is rejected as well, and that is enough.
    client.on('error', ignore);
    try {
      return await work(session);
    } finally {
      client.removeListener('error', ignore);
      // The state and late answers of a broken connection must not reach the next user: it is closed.
      client.release(session.broken);
    }
  };
  return {
    query: (sql, params, hints) => borrowed((session) => session.query(sql, params, hints)),
    transaction: (work) => borrowed((session) => session.transaction(work)),
  };
}

const ignore = (): void => undefined;

function clientDriver(client: PgClient, options: PostgresStoreOptions): SqlDriver {
  const turns = new Turns();
  const session = new Session(client, options);
  return {
    query: (sql, params, hints) => turns.query(() => session.query(sql, params, hints)),
    transaction: (work) => turns.alone(() => session.transaction(work)),
  };
}

/** One client while it is ours. */
class Session implements SqlConnection {
  readonly #client: PgClient;
  readonly #options: PostgresStoreOptions;
  /** The error after which nothing more can be expected of the connection. */
  broken: Error | undefined;

  constructor(client: PgClient, options: PostgresStoreOptions) {
    this.#client = client;
    this.#options = options;
  }

  query(sql: string, params: readonly SqlValue[], hints: StatementHints): Promise<SqlResult> {
    const { name } = hints;
    const config: PgQueryConfig = { text: sql, values: params as SqlValue[] };
    if (name !== undefined && this.#options.prepare !== false) config.name = name;
    // What is sent often gives text only; a read gives columns of yours.
    if (name === undefined && hints.rows && this.#client.getTypeParser !== undefined) {
      config.types = withExactIntegers(this.#client);
    }
    return this.#send(config);
  }

  async transaction<R>(work: (connection: SqlConnection) => Promise<R>): Promise<R> {
    await this.#send({ text: 'BEGIN', values: [] });
    let result: R;
    try {
      result = await work(this);
    } catch (error) {
      // When the connection is gone, or will be closed, the server rolls back by itself.
      if (!this.broken) await this.#send({ text: 'ROLLBACK', values: [] }).catch(() => undefined);
      throw error;
    }
    const { command } = await this.#send({ text: 'COMMIT', values: [] });
    // A transaction in which a statement had failed answers COMMIT with ROLLBACK, and no error.
    if (command === 'ROLLBACK') {
      throw Object.assign(new Error('PostgreSQL rolled the transaction back at COMMIT'), { code: '40000' });
    }
    return result;
  }

  async #send(config: PgQueryConfig): Promise<SqlResult & { readonly command: string }> {
    const { timeoutMs } = this.#options;
    if (timeoutMs !== undefined) config.query_timeout = timeoutMs;
    try {
      const { rows, rowCount, command } = await this.#client.query(config);
      return { rows, changes: rowCount ?? 0, command };
    } catch (error) {
      if ((error as { severity?: string }).severity !== 'ERROR') this.broken = error as Error;
      throw error;
    }
  }
}

const INT8 = 20;

const withExactIntegers = (client: PgClient): NonNullable<PgQueryConfig['types']> => ({
  getTypeParser: (oid, format) =>
    oid === INT8 && format !== 'binary' ? exactInteger : client.getTypeParser!(oid, format),
});

const exactInteger = (digits: string): number | bigint =>
  Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits);
