import {
  ddl,
  type DialectName,
  type SqlStoreOptions,
  type TableDefinition,
} from '../../src/locking/sql/index.js';

let unique = 0;
/** A name for a table that no other run uses, so that suites may share a database. */
export const freshTable = (what: string): string =>
  `q_${what}_${process.pid}_${Date.now().toString(36)}_${unique++}`;

export const FIELDS: { readonly [K in DialectName]: Readonly<Record<string, string>> } = {
  postgres: { owner: 'text', balance: 'bigint', note: 'text' },
  mysql: { owner: 'VARCHAR(100)', balance: 'BIGINT', note: 'TEXT' },
  sqlite: { owner: 'TEXT', balance: 'INTEGER', note: 'TEXT' },
};

export interface Prepared {
  readonly options: Required<SqlStoreOptions>;
  readonly create: readonly string[];
  readonly drop: readonly string[];
}

/** Two resources, `accounts` and `lines`, in tables of their own, and a table of seals. */
export function prepared(dialect: DialectName, more: Partial<TableDefinition> = {}): Prepared {
  const [accounts, lines, fencesTable] = [freshTable('accounts'), freshTable('lines'), freshTable('fences')];
  const tables = { accounts: { table: accounts, ...more }, lines: { table: lines, ...more } };
  const definitions = Object.fromEntries(
    Object.entries(tables).map(([resource, mapping]) => [resource, { ...mapping, fields: FIELDS[dialect] }]),
  );
  return {
    options: { tables, seals: true, fencesTable },
    create: ddl(dialect, { tables: definitions, fencesTable }),
    drop: [accounts, lines, fencesTable].map((table) => `DROP TABLE ${table}`),
  };
}
