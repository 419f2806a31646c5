import type { Fence } from '../model.js';
import { DIALECTS, type DialectName } from './dialect.js';
import type { SqlValue } from './statement.js';

export interface FencePredicateOptions {
  /** The column that keeps the highest token that wrote the row. Default `fence`; null to look at the seal only. */
  readonly column?: string | null;
  /** The name or alias of the table in your statement, when it needs one. */
  readonly table?: string;
  /** Also look at the seal of the scope, in this table; true: `quorate_fences`. Default false. */
  readonly seals?: boolean | string;
  /** PostgreSQL: the number of the first placeholder, `$n`. Default 1. */
  readonly firstPlaceholder?: number;
}

export interface SqlFragment {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/**
 * The condition under which `fence` may write, for a WHERE of yours:
 *
 *   const may = fencePredicate('postgres', fence, { firstPlaceholder: 3 });
 *   await client.query(
 *     `UPDATE invoices SET paid = $1, fence = $3, version = version + 1 WHERE id = $2 AND ${may.sql}`,
 *     [true, id, ...may.params]);
 *
 * Set the fence column to the token (the first parameter) in the same statement, else the next one knows nothing of it.
 * With `seals`, the scope must have a row: the first fenced write of a store or `holdFence` makes one. No row changed
 * means: no such row, or a stale epoch.
 */
export function fencePredicate(
  dialectName: DialectName,
  { scope, token }: Fence,
  options: FencePredicateOptions = {},
): SqlFragment {
  const dialect = DIALECTS[dialectName];
  const { column = 'fence', table, seals = false, firstPlaceholder = 1 } = options;
  if (column === null && seals === false) {
    throw new TypeError('a fence predicate needs the column of fences, the table of seals, or both');
  }
  const params: SqlValue[] = [];
  const parameter = (value: SqlValue): string =>
    dialect.placeholder(firstPlaceholder + params.push(value) - 1);
  let named: string | undefined;
  // Only PostgreSQL can name a parameter twice.
  const tokenParameter = (): string =>
    named !== undefined && dialectName === 'postgres' ? named : (named = dialect.token(parameter(token)));
  const conditions: string[] = [];
  if (column !== null) {
    const name = (table === undefined ? '' : `${dialect.quote(table)}.`) + dialect.quote(column);
    conditions.push(`(${name} IS NULL OR ${name} <= ${tokenParameter()})`);
  }
  if (seals !== false) {
    const from = `${dialect.quote(seals === true ? 'quorate_fences' : seals)} AS quorate_seal`;
    const allowed = `coalesce(quorate_seal.token, 0) <= ${tokenParameter()}`;
    const row = `quorate_seal.scope = ${parameter(scope)}`;
    conditions.push(`EXISTS (SELECT 1 FROM ${from} WHERE ${allowed} AND ${row}${dialect.forShare})`);
  }
  return { sql: `(${conditions.join(' AND ')})`, params };
}
