/**
 * What an error of a driver says about the statement that got it:
 * - `transient`: the server undid it to end a deadlock or to keep transactions apart; trying again is right;
 * - `duplicate`: a key is taken, nothing was written;
 * - `refused`: the server said no, nothing was written;
 * - `not-sent`: there was no connection to send it on;
 * - `lost`: the connection ended or nobody answered in time; it may have been done.
 */
export type Failure = 'transient' | 'duplicate' | 'refused' | 'not-sent' | 'lost';

const notSent = new WeakSet<object>();

/** Notes that an error came before anything was sent. */
export function neverSent(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) notSent.add(error);
  return error;
}

/**
 * Where ORMs keep the error of the driver: TypeORM, Sequelize, Prisma (`meta`, and in it from 7 on `driverAdapterError`),
 * and everybody who uses `cause`.
 */
const WRAPPINGS = [
  'driverError',
  'original',
  'originalError',
  'meta',
  'driverAdapterError',
  'cause',
] as const;
const WRAPPED_MAX = 6;

export function failureOf(error: unknown): Failure {
  let inner: unknown = error;
  for (let depth = 0; depth < WRAPPED_MAX && typeof inner === 'object' && inner !== null; depth++) {
    if (notSent.has(inner)) return 'not-sent';
    const failure = ownFailure(inner as Readonly<Record<string, unknown>>);
    if (failure !== undefined) return failure;
    const outer = inner as Readonly<Record<string, unknown>>;
    inner = WRAPPINGS.map((name) => outer[name]).find((value) => typeof value === 'object' && value !== null);
  }
  return 'lost';
}

/** Undefined when this object carries no code of a database. */
function ownFailure(error: Readonly<Record<string, unknown>>): Failure | undefined {
  const { errno, severity } = error;
  // Prisma translates what its driver said, and keeps the original code.
  const code = error['code'] ?? error['originalCode'];
  if (typeof errno === 'number' && isMysqlServerError(errno)) return mysqlFailure(errno);
  // Prisma's word for the first two of NO_CONNECTION.
  if (error['kind'] === 'DatabaseNotReachable') return 'not-sent';
  if (typeof code !== 'string') return undefined;
  if (code.startsWith('SQLITE_')) return sqliteFailure(code);
  if (code === 'ERR_SQLITE_ERROR') return Number(error['errcode']) % 256 === 19 ? 'duplicate' : 'refused';
  if (NO_CONNECTION.has(code)) return 'not-sent';
  if (SQLSTATE.test(code)) return postgresFailure(code, severity);
  return undefined;
}

/** Connections that were never there; a reset or a time-out may hit one that has carried the statement. */
const NO_CONNECTION = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH']);

/** Five characters of which the first two are a class. Error names of Node, such as EPIPE, are no class. */
const SQLSTATE = /^(?:[0-9][0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}$/;

function postgresFailure(code: string, severity: unknown): Failure {
  // Serialization failure, deadlock.
  if (code === '40001' || code === '40P01') return 'transient';
  if (code === '23505') return 'duplicate';
  // Class 08: connection. 57P01 to 57P05: the server ends the session, perhaps after it has committed.
  if (code.startsWith('08') || code.startsWith('57P')) return 'lost';
  return severity === 'FATAL' || severity === 'PANIC' ? 'lost' : 'refused';
}

/** Numbers from 2000 to 2999 are the client library's own. */
const isMysqlServerError = (errno: number): boolean => (errno >= 1000 && errno < 2000) || errno >= 3000;
/** The session ends: shutdown, aborted, killed (MariaDB, MySQL), idle too long. */
const MYSQL_FAREWELLS = new Set([1053, 1152, 1927, 3169, 4031]);

function mysqlFailure(errno: number): Failure {
  // Deadlock; 1020: the row changed since the snapshot (MariaDB's innodb_snapshot_isolation).
  if (errno === 1213 || errno === 1020) return 'transient';
  if (errno === 1062) return 'duplicate';
  return MYSQL_FAREWELLS.has(errno) ? 'lost' : 'refused';
}

function sqliteFailure(code: string): Failure {
  if (code === 'SQLITE_BUSY_SNAPSHOT') return 'transient';
  return code === 'SQLITE_CONSTRAINT_PRIMARYKEY' || code === 'SQLITE_CONSTRAINT_UNIQUE'
    ? 'duplicate'
    : 'refused';
}
