import { judge, type RecordState } from '../../guard/index.js';
import type { WriteOperation, WriteOutcome } from '../model.js';
import type { Dialect } from './dialect.js';
import type { SqlResult, Statement } from './statement.js';
import type { Table } from './table.js';
import { MARK, Template } from './template.js';

/** What decides about the text of a guarded write. */
interface WriteShape {
  readonly kind: 'insert' | 'update' | 'touch' | 'delete';
  readonly table: Table;
  readonly columns: readonly string[];
  /** It carries a token. */
  readonly fenced: boolean;
  /** The quoted table of seals, when the seal of the scope counts as well. */
  readonly seals: string | undefined;
}

/**
 * One write as one statement that checks and writes in one atomic step. When it did not write, its answer may say why;
 * `undefined` means that it changed nothing and that only a look at the record held fast can tell.
 */
export interface GuardedWrite {
  bind(operation: WriteOperation): Statement;
  outcome(operation: WriteOperation, result: SqlResult): WriteOutcome | undefined;
}

export function guardedWrite(dialect: Dialect, shape: WriteShape): GuardedWrite {
  switch (dialect.name) {
    case 'postgres':
      return postgresWrite(dialect, shape);
    case 'mysql':
      return shape.kind === 'update' || shape.kind === 'touch'
        ? mysqlUpdate(dialect, shape)
        : plainWrite(dialect, shape);
    case 'sqlite':
      return plainWrite(dialect, shape);
  }
}

/** `SET` of an update: the fields, one version more, and the token. */
function assignments(dialect: Dialect, { table, columns, fenced }: WriteShape): string {
  const set = columns.map((name, i) => `${dialect.quote(name)} = ${MARK.column(i)}`);
  set.push(`${table.version} = t.${table.version} + 1`);
  if (fenced) set.push(`${table.fence} = ${dialect.token(MARK.token)}`);
  return set.join(', ');
}

/** `INTO table (...)` and the values of the new row. */
function newRow(dialect: Dialect, { table, columns, fenced }: WriteShape): { into: string; values: string } {
  const names = [table.id, table.version, ...columns.map((name) => dialect.quote(name))];
  const values: string[] = [MARK.id, '1', ...columns.map((_, i) => MARK.column(i))];
  if (fenced) {
    names.push(table.fence!);
    values.push(dialect.token(MARK.token));
  }
  return { into: `INTO ${table.name} (${names.join(', ')})`, values: values.join(', ') };
}

/** The token is not below the fence of the record `t`. */
const fenceAllows = (dialect: Dialect, { table }: WriteShape): string =>
  `(t.${table.fence} IS NULL OR t.${table.fence} <= ${dialect.token(MARK.token)})`;

/**
 * PostgreSQL: one statement does the write and, when it did not happen, tells why. The seal is locked FOR SHARE first and
 * held until the statement has committed, so a new seal waits for this write and no write passes a seal.
 *
 * READ COMMITTED: when the UPDATE waited for another writer it judges the new row, while the SELECT beside it would still
 * see the row as of the beginning of the statement; FOR SHARE makes it take the newest one. What is found may then allow
 * the write that was refused a moment ago: that gives `undefined`, never a conflict with the version that was expected.
 */
function postgresWrite(dialect: Dialect, shape: WriteShape): GuardedWrite {
  const { kind, table, seals, fenced } = shape;
  const { id, version, fence, name } = table;
  const token = dialect.token(MARK.token);
  const opened = `EXISTS (SELECT 1 FROM seal WHERE coalesce(seal.token, 0) <= ${token})`;
  const guards = [`t.${id} = ${MARK.id}`, `t.${version} = ${MARK.version}`];
  if (fenced) guards.push(fenceAllows(dialect, shape));
  if (seals !== undefined) guards.push(opened);
  const where = `WHERE ${guards.join(' AND ')}`;
  const { into, values } = newRow(dialect, shape);
  const done = {
    insert: () =>
      dialect.insertUnlessThere(
        `${into} SELECT ${values}${seals === undefined ? '' : ` WHERE ${opened}`}`,
        id,
      ),
    update: () => `UPDATE ${name} AS t SET ${assignments(dialect, shape)} ${where}`,
    touch: () => `UPDATE ${name} AS t SET ${assignments(dialect, shape)} ${where}`,
    delete: () => `DELETE FROM ${name} AS t ${where}`,
  }[kind]();
  const seal =
    seals === undefined ? '' : `seal AS (SELECT token FROM ${seals} WHERE scope = ${MARK.scope} FOR SHARE), `;
  const found =
    `SELECT t.${version} || ':' || coalesce(CAST(${fence === undefined ? 'NULL' : `t.${fence}`} AS text), '') ` +
    `FROM ${name} AS t WHERE t.${id} = ${MARK.id} FOR SHARE`;
  const sealed = seals === undefined ? "''" : "(SELECT '/' || coalesce(CAST(token AS text), '') FROM seal)";
  // One row with one short text, also when it was written: a driver that loses rows must not look like success.
  const text =
    `WITH ${seal}done AS (${done} RETURNING 1) ` +
    `SELECT CASE WHEN EXISTS (SELECT 1 FROM done) THEN 'w' ` +
    `ELSE coalesce((${found}), '') || coalesce(${sealed}, '-') END AS answer`;
  const template = new Template(dialect, text, { columns: shape.columns, rows: true });
  return {
    bind: (operation) => template.bind(operation),
    outcome: (operation, { rows }) => {
      const answer = rows[0]?.['answer'];
      if (typeof answer !== 'string') throw noAnswer();
      if (answer === 'w') return written(operation);
      const [, versionText, fenceText, sealText] = POSTGRES_ANSWER.exec(answer)!;
      // Nobody has written down the scope yet, so there was nothing to hold on to.
      if (sealText === '-') return undefined;
      const record =
        versionText === undefined
          ? undefined
          : { version: Number(versionText), fence: numberOrNull(fenceText!) };
      return refusal(operation, record, numberOrNull((sealText ?? '').slice(1)));
    },
  };
}

const noAnswer = (): Error =>
  new TypeError(
    'the SQL driver gave no row for a statement with `rows: true` in its hints, so its result is unknown:  ' +
      'its `query` must return the rows of every such statement, whatever the text begins with',
  );

/** Version and fence of the record, if there is one; then the seal, if it counts: `/` and its token, `-` without a row. */
const POSTGRES_ANSWER = /^(?:(-?\d+):(\d*))?(\/\d*|-)?$/;

const numberOrNull = (digits: string): bigint | null => (digits === '' ? null : BigInt(digits));

/** The outcome of one write that happened. */
function written(operation: WriteOperation): WriteOutcome {
  switch (operation.kind) {
    case 'insert':
      return { kind: 'written', version: 1 };
    case 'delete':
    case 'check':
      return { kind: 'written', version: operation.version };
    case 'update':
    case 'touch':
      return { kind: 'written', version: operation.version + 1 };
  }
}

/** The outcome of a write that did not happen, from what was found; undefined when that would have allowed it. */
function refusal(
  operation: WriteOperation,
  record: RecordState | undefined,
  sealed: bigint | null,
): WriteOutcome | undefined {
  const { outcome } = judge(operation, { record, sealed });
  return outcome.kind === 'written' ? undefined : outcome;
}

/** The insert id of an update that was refused because nobody has written down the scope yet. Above all versions. */
const NO_SEAL_ROW = 2n ** 60n;
/** The top bit, set to tell a fence from a version. The answer is read as signed, so these come in below zero. */
const STALE = 2n ** 63n;

/**
 * MySQL: one UPDATE, atomic as every statement is; it locks the row (and shares a lock on the seal) before it judges and
 * keeps both until it has committed. When a guard refuses, LAST_INSERT_ID(expr) puts the version or the fence that was
 * found into the answer's insert id, so the reason comes back in the same round trip: no session variable is involved, and
 * the next user of a pooled connection can at most see another LAST_INSERT_ID() than its own next INSERT will set.
 */
function mysqlUpdate(dialect: Dialect, shape: WriteShape): GuardedWrite {
  const { table, seals, fenced } = shape;
  const [token, version] = [dialect.token(MARK.token), `t.${table.version}`];
  const refuse = (expression: string): string => `LAST_INSERT_ID(${expression}) = 0`;
  const cases: string[] = [];
  if (fenced) {
    const seal = `(SELECT COALESCE(s.token, 0) FROM ${seals} s WHERE s.scope = ${MARK.scope}${dialect.forShare})`;
    // A column that was declared signed must not turn the comparison into one of decimals.
    const written = `CAST(COALESCE(t.${table.fence}, 0) AS UNSIGNED)`;
    // Asked for by itself and first, so that it is locked before the row, as in every transaction: else they deadlock.
    if (seals !== undefined) cases.push(`WHEN ${seal} IS NULL THEN ${refuse(String(NO_SEAL_ROW))}`);
    const current = seals === undefined ? written : `GREATEST(${written}, ${seal})`;
    cases.push(`WHEN ${current} > ${token} THEN ${refuse(`${current} | (CAST(1 AS UNSIGNED) << 63)`)}`);
  }
  cases.push(`WHEN ${version} <> ${MARK.version} THEN ${refuse(version)}`);
  const text =
    `UPDATE ${table.name} AS t SET ${assignments(dialect, shape)} ` +
    `WHERE t.${table.id} = ${MARK.id} AND CASE ${cases.join(' ')} ELSE TRUE END`;
  const template = new Template(dialect, text, { columns: shape.columns, rows: false });
  return {
    bind: (operation) => template.bind(operation),
    outcome: (operation, { changes, insertId }) => {
      if (operation.kind === 'insert') return undefined;
      const { version: expected, fence } = operation;
      if (changes > 0) return written(operation);
      // Without a record the guards were not even looked at: a seal may forbid the write all the same.
      if (insertId === 0n && (fence === undefined || seals === undefined)) return { kind: 'not-found' };
      if (insertId === undefined || insertId === 0n || insertId === NO_SEAL_ROW) return undefined;
      if (insertId > 0n) return refusal(operation, { version: Number(insertId), fence: null }, null);
      return refusal(operation, { version: expected, fence: insertId + STALE }, null);
    },
  };
}

/** A guarded statement that tells only whether it wrote. */
function plainWrite(dialect: Dialect, shape: WriteShape): GuardedWrite {
  const { kind, table, seals, fenced } = shape;
  const guards = [`t.${table.id} = ${MARK.id}`, `t.${table.version} = ${MARK.version}`];
  if (fenced) guards.push(fenceAllows(dialect, shape));
  if (seals !== undefined) guards.push(sealAllows(dialect, seals));
  const where = `WHERE ${guards.join(' AND ')}`;
  const text = {
    insert: () => {
      const { into, values } = newRow(dialect, shape);
      const guard = seals === undefined ? '' : ` AND ${sealAllows(dialect, seals)}`;
      const selected = `${into} SELECT ${values} FROM (SELECT 1 AS one) AS o WHERE TRUE${guard}`;
      // MySQL cannot name the key that may be taken; there the error tells.
      return dialect.name === 'mysql' ? `INSERT ${selected}` : dialect.insertUnlessThere(selected, table.id);
    },
    update: () => `UPDATE ${table.name} AS t SET ${assignments(dialect, shape)} ${where}`,
    touch: () => `UPDATE ${table.name} AS t SET ${assignments(dialect, shape)} ${where}`,
    delete: () =>
      dialect.name === 'mysql'
        ? `DELETE t FROM ${table.name} AS t ${where}`
        : `DELETE FROM ${table.name} AS t ${where}`,
  }[kind]();
  const template = new Template(dialect, text, { columns: shape.columns, rows: false });
  return {
    bind: (operation) => template.bind(operation),
    outcome: (operation, { changes }) => {
      return changes === 0 ? undefined : written(operation);
    },
  };
}

/**
 * The scope was not sealed above the token. MySQL: a scope that nobody has written down gives no row to hold, and is
 * refused; SQLite has one writer at a time, so what is read cannot change before the write is done.
 */
function sealAllows(dialect: Dialect, seals: string): string {
  const token = dialect.token(MARK.token);
  const seal = `SELECT s.token FROM ${seals} s WHERE s.scope = ${MARK.scope}`;
  return dialect.name === 'sqlite'
    ? `coalesce((${seal}), 0) <= ${token}`
    : `EXISTS (${seal} AND COALESCE(s.token, 0) <= ${token}${dialect.forShare})`;
}
