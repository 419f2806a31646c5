import type { Fields, ResourceName, WriteOperation } from '../model.js';
import type { Dialect } from './dialect.js';

/** Where the records of a resource are kept. All other columns of the table are fields. */
export interface TableMapping {
  /** Default: the schema (MySQL: the database) of the connection. */
  readonly schema?: string;
  /** Default: the name of the resource. */
  readonly table?: string;
  /** The primary key, one column of any type that has one text form. Default `id`. */
  readonly id?: string;
  /** Integer, not null. Default `version`. */
  readonly version?: string;
  /** 64-bit integer, nullable. Default `fence`; null when there is no such column and the resource is never fenced. */
  readonly fence?: string | null;
}

/** A mapping with its names quoted. */
export interface Table {
  readonly resource: ResourceName;
  readonly name: string;
  readonly id: string;
  readonly version: string;
  readonly fence: string | undefined;
  /** The columns that are no fields, as the database names them. */
  readonly own: readonly string[];
}

export function tableOf(dialect: Dialect, resource: ResourceName, mapping: TableMapping = {}): Table {
  const { schema, table = resource, id = 'id', version = 'version', fence = 'fence' } = mapping;
  return {
    resource,
    name: (schema === undefined ? '' : `${dialect.quote(schema)}.`) + dialect.quote(table),
    id: dialect.quote(id),
    version: dialect.quote(version),
    fence: fence === null ? undefined : dialect.quote(fence),
    own: fence === null ? [id, version] : [id, version, fence],
  };
}

/** What an operation writes into fields. */
export const fieldsOf = (operation: WriteOperation): Fields =>
  operation.kind === 'insert' ? operation.value : operation.kind === 'update' ? operation.changes : NOTHING;
const NOTHING: Fields = {};

/** The names of the fields that are set; a field that is undefined is left to the database. */
export function columnsOf(table: Table, operation: WriteOperation): readonly string[] {
  const fields = fieldsOf(operation);
  const columns: string[] = [];
  for (const name in fields) {
    if (fields[name] === undefined) continue;
    if (table.own.includes(name)) {
      throw new TypeError(
        `${table.resource}.${name} is kept by the store and cannot be written as a field: leave it out of the values.`,
      );
    }
    columns.push(name);
  }
  return columns;
}

export function requireFence(table: Table, operation: WriteOperation): void {
  if (operation.fence === undefined || table.fence !== undefined) return;
  throw new TypeError(
    `${table.resource} is mapped without a fence column (fence: null), so a write to it cannot carry a token. ` +
      'Add the column (ddl() prints the statement) and name it in the mapping, or write without a fence.',
  );
}
