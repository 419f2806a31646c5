import { judge, type RecordState } from '../../guard/index.js';
import type { Fence, Fields, FieldValue, WriteOperation, WriteOutcome } from '../model.js';
import { DIALECTS } from './dialect.js';
import type { SqlResult, SqlValue, Statement } from './statement.js';
import { fieldsOf, type Table } from './table.js';
import { statementName } from './template.js';

interface BulkShape {
  readonly table: Table;
  readonly columns: readonly string[];
  /** Column (quoted) to type. */
  readonly types: ReadonlyMap<string, string>;
  readonly seals: string | undefined;
  /** Alike: same kind, fields and fence, different ids. */
  readonly operations: readonly WriteOperation[];
}

export interface BulkUpdate {
  readonly statement: Statement;
  /** One outcome per operation; undefined where nothing was changed and only a record held fast can tell why. */
  outcomes(result: SqlResult): readonly (WriteOutcome | undefined)[];
}

/**
 * PostgreSQL: many updates, each with its own version and values, in one statement. The rows travel as one JSON text, so
 * the statement is the same for any number of them. It locks the seal, then the rows in the order of their ids (two bulk
 * updates never deadlock), judges what it has locked, and writes those that are right.
 */
export function bulkUpdate({ table, columns, types, seals, operations }: BulkShape): BulkUpdate | undefined {
  const { quote, token: asToken } = DIALECTS.postgres;
  const { id, version, fence, name } = table;
  const quoted = columns.map(quote);
  const idType = types.get(id);
  if (idType === undefined || quoted.some((column) => !types.has(column))) return undefined;
  const common = operations[0]!.fence;
  const params: SqlValue[] = [rowsAsJson(columns, operations)];
  const guards = [`h.version = i.version`];
  const set = quoted.map((column, i) => `${column} = CAST(i.c${i} AS ${types.get(column)})`);
  set.push(`${version} = t.${version} + 1`);
  let seal = '';
  let sealRows = '';
  if (common !== undefined) {
    const token = asToken(`$${params.push(common.token)}`);
    set.push(`${fence} = ${token}`);
    guards.push(`(h.fence IS NULL OR h.fence <= ${token})`);
    if (seals !== undefined) {
      seal = `seal AS (SELECT token FROM ${seals} WHERE scope = $${params.push(common.scope)} FOR SHARE), `;
      guards.push(`EXISTS (SELECT 1 FROM seal WHERE coalesce(seal.token, 0) <= ${token})`);
      sealRows = ` UNION ALL SELECT 'seal', NULL, NULL, CAST(token AS text) FROM seal`;
    }
  }
  const fields = ['n int', 'id text', 'version bigint', ...columns.map((_, i) => `c${i} text`)];
  const text =
    `WITH input AS (SELECT * FROM json_to_recordset(CAST($1 AS json)) AS i(${fields.join(', ')})), ${seal}` +
    `held AS (SELECT i.n, t.${version} AS version, ${fence === undefined ? 'NULL::bigint' : `t.${fence}`} AS fence ` +
    `FROM input i JOIN ${name} AS t ON t.${id} = CAST(i.id AS ${idType})` +
    `${seals === undefined || common === undefined ? '' : ' WHERE EXISTS (SELECT 1 FROM seal)'} ORDER BY t.${id} FOR UPDATE OF t), ` +
    `done AS (UPDATE ${name} AS t SET ${set.join(', ')} FROM input i JOIN held h ON h.n = i.n ` +
    `WHERE t.${id} = CAST(i.id AS ${idType}) AND ${guards.join(' AND ')} RETURNING i.n) ` +
    `SELECT 'done' AS what, n, NULL AS version, NULL AS fence FROM done ` +
    `UNION ALL SELECT 'held', n, CAST(version AS text), CAST(fence AS text) FROM held${sealRows}`;
  return {
    statement: { text, params, hints: { rows: true, name: statementName(text) } },
    outcomes: ({ rows }) => {
      const done = new Set<number>();
      const held = new Map<number, RecordState>();
      let sealed: bigint | null | undefined = sealRows === '' ? null : undefined;
      for (const row of rows) {
        const digits = row['fence'] as string | null;
        const number = digits === null ? null : BigInt(digits);
        if (row['what'] === 'done') done.add(Number(row['n']));
        else if (row['what'] === 'seal') sealed = number;
        else held.set(Number(row['n']), { version: Number(row['version']), fence: number });
      }
      return operations.map((operation, n) => {
        if (sealed === undefined) return undefined;
        const { outcome } = judge(operation, { record: held.get(n), sealed });
        return (outcome.kind === 'written') === done.has(n) ? outcome : undefined;
      });
    },
  };
}

/** Every value as text, which the cast to the type of its column reads as it reads a parameter. */
function rowsAsJson(columns: readonly string[], operations: readonly WriteOperation[]): string {
  return JSON.stringify(
    operations.map((operation, n) => {
      const fields = fieldsOf(operation);
      const row: Record<string, string | number | null> = { n, id: operation.id };
      if (operation.kind !== 'insert') row['version'] = operation.version;
      for (const [i, column] of columns.entries()) {
        const value = fields[column]!;
        row[`c${i}`] = value === null ? null : String(value);
      }
      return row;
    }),
  );
}

/** Cuts writes, in their order, into runs that one bulk statement can do: updates of different records, alike otherwise. */
export function alikeRuns(operations: readonly WriteOperation[]): readonly (readonly WriteOperation[])[] {
  const runs: WriteOperation[][] = [];
  let ids = new Set<string>();
  for (const operation of operations) {
    const run = runs.at(-1);
    if (run !== undefined && !ids.has(operation.id) && areAlike(run[0]!, operation)) run.push(operation);
    else {
      runs.push([operation]);
      ids = new Set();
    }
    ids.add(operation.id);
  }
  return runs;
}

const areAlike = (a: WriteOperation, b: WriteOperation): boolean =>
  a.resource === b.resource &&
  sameFence(a.fence, b.fence) &&
  ((a.kind === 'touch' && b.kind === 'touch') ||
    (a.kind === 'update' && b.kind === 'update' && haveSamePlainFields(a.changes, b.changes)));

const sameFence = (a: Fence | undefined, b: Fence | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.scope === b.scope && a.token === b.token);

function haveSamePlainFields(a: Fields, b: Fields): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => isPlain(a[name]) && isPlain(b[name]))
  );
}

/** Values whose text the database reads as the driver would have sent it: no dates, no bytes. */
const isPlain = (value: FieldValue | undefined): boolean =>
  value !== undefined && (value === null || typeof value !== 'object');
