import type { Fields, FieldValue, ResourceName, VersionedRecord, WriteOperation } from '../model.js';
import { type BulkUpdate, bulkUpdate } from './bulk.js';
import { type Dialect, DIALECTS, type DialectName } from './dialect.js';
import { type GuardedWrite, guardedWrite } from './guarded.js';
import { ROWS, type Row, type Statement, type Steps } from './statement.js';
import { columnsOf, fieldsOf, requireFence, type Table, type TableMapping, tableOf } from './table.js';
import { Params } from './template.js';

export interface SqlStoreOptions {
  /** Where each resource is kept. One that is not named here is a table of its own name with `id`, `version`, `fence`. */
  readonly tables?: Readonly<Record<ResourceName, TableMapping>>;
  /**
   * Whether a whole scope can be sealed: then every fenced write looks at the row of its scope in the table of fences, in
   * the same statement, and holds it until it has committed. Without, a token is compared with the record's own fence
   * only, which costs nothing but does not protect records that the new owner has not written yet. Default false.
   */
  readonly seals?: boolean;
  /** The table of seals. Default `quorate_fences`. */
  readonly fencesTable?: string;
}

/** Ids asked for in one statement. */
const IDS_MAX = 500;

/** What the text of a write depends on, and the write. */
interface ShapedWrite {
  readonly kind: WriteOperation['kind'];
  readonly resource: ResourceName;
  readonly columns: readonly string[];
  readonly fenced: boolean;
  readonly write: GuardedWrite;
}

function isAlike({ kind, resource, columns, fenced }: ShapedWrite, operation: WriteOperation): boolean {
  if (operation.kind !== kind || operation.resource !== resource) return false;
  if ((operation.fence !== undefined) !== fenced) return false;
  const fields = fieldsOf(operation);
  let count = 0;
  for (const name in fields) if (columns[count++] !== name || fields[name] === undefined) return false;
  return count === columns.length;
}

/** The statements of one store: texts are built once for each shape of a write. Knows no connection. */
export class SqlPlans {
  readonly dialect: Dialect;
  /** The quoted table of seals; undefined when the store has none. */
  readonly seals: string | undefined;
  readonly #mappings: Readonly<Record<ResourceName, TableMapping>>;
  readonly #tables = new Map<ResourceName, Table>();
  readonly #guarded = new Map<string, ShapedWrite>();
  #last: ShapedWrite | undefined;
  readonly #columnTypes = new Map<string, ReadonlyMap<string, string>>();

  constructor(dialect: DialectName, options: SqlStoreOptions) {
    this.dialect = DIALECTS[dialect];
    this.#mappings = options.tables ?? {};
    this.seals =
      options.seals === true ? this.dialect.quote(options.fencesTable ?? 'quorate_fences') : undefined;
  }

  table(resource: ResourceName): Table {
    let table = this.#tables.get(resource);
    if (table === undefined) {
      const mapping = Object.hasOwn(this.#mappings, resource) ? this.#mappings[resource] : undefined;
      table = tableOf(this.dialect, resource, mapping);
      this.#tables.set(resource, table);
    }
    return table;
  }

  /** The one statement of a write; undefined for a check, which writes nothing. Throws when the mapping forbids the write. */
  guarded(operation: WriteOperation): GuardedWrite | undefined {
    // Most writes look like the one before, and to see that is less work than to look the shape up.
    if (this.#last !== undefined && isAlike(this.#last, operation)) return this.#last.write;
    const table = this.table(operation.resource);
    requireFence(table, operation);
    const { kind, resource } = operation;
    if (kind === 'check') return undefined;
    const columns = columnsOf(table, operation);
    const fenced = operation.fence !== undefined;
    const key = `${kind}\u0000${resource}\u0000${fenced}\u0000${columns.join('\u0000')}`;
    let shaped = this.#guarded.get(key);
    if (shaped === undefined) {
      const seals = fenced ? this.seals : undefined;
      const write = guardedWrite(this.dialect, { kind, table, columns, fenced, seals });
      this.#guarded.set(key, (shaped = { kind, resource, columns, fenced, write }));
    }
    this.#last = shaped;
    return shaped.write;
  }

  /** Many updates as one statement, where the database and the writes allow it. */
  *bulk(operations: readonly WriteOperation[]): Steps<BulkUpdate | undefined> {
    if (this.dialect.name !== 'postgres') return undefined;
    const table = this.table(operations[0]!.resource);
    return bulkUpdate({
      table,
      columns: columnsOf(table, operations[0]!),
      types: yield* this.#typesOf(table),
      seals: operations[0]!.fence === undefined ? undefined : this.seals,
      operations,
    });
  }

  /** PostgreSQL: the type of each column, as casts want it. Asked once. */
  *#typesOf(table: Table): Steps<ReadonlyMap<string, string>> {
    const known = this.#columnTypes.get(table.name);
    if (known !== undefined) return known;
    const { rows } = yield {
      text:
        `SELECT a.attname AS name, quote_ident(n.nspname) || '.' || quote_ident(t.typname) AS type ` +
        `FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace ` +
        `WHERE a.attrelid = CAST($1 AS regclass) AND a.attnum > 0 AND NOT a.attisdropped`,
      params: [table.name],
      hints: ROWS,
    };
    const types = new Map(
      rows.map((row) => [this.dialect.quote(row['name'] as string), row['type'] as string]),
    );
    this.#columnTypes.set(table.name, types);
    return types;
  }

  *read(
    resource: ResourceName,
    ids: readonly string[],
  ): Steps<readonly (VersionedRecord<Fields> | undefined)[]> {
    const table = this.table(resource);
    const { digits } = this.dialect;
    const found = new Map<string, VersionedRecord<Fields>>();
    for (let from = 0; from < ids.length; from += IDS_MAX) {
      const some = ids.slice(from, from + IDS_MAX);
      const params = new Params(this.dialect);
      const { rows } = yield {
        text:
          `SELECT t.*, ${digits(`t.${table.id}`)} AS quorate_id, ${digits(`t.${table.version}`)} AS quorate_version, ` +
          `${table.fence === undefined ? 'NULL' : digits(`t.${table.fence}`)} AS quorate_fence ` +
          `FROM ${table.name} AS t WHERE t.${table.id} IN (${params.list(some)})`,
        params: params.values,
        hints: ROWS,
      };
      for (const row of rows) {
        const record = recordOf(table, row);
        // The database may know another spelling of the same key; the row it gave for one id is that id's.
        found.set(some.length === 1 ? some[0]! : record.id, record);
      }
    }
    return ids.map((id) => found.get(id));
  }

  fenceOf(scope: string): Statement {
    return {
      text: `SELECT ${this.dialect.digits('token')} AS token FROM ${this.sealsTable()} WHERE scope = ${this.dialect.placeholder(1)}`,
      params: [scope],
      hints: ROWS,
    };
  }

  /** Throws when the store was opened without seals: a seal that no write reads protects nothing. */
  sealsTable(): string {
    if (this.seals !== undefined) return this.seals;
    throw new TypeError(
      'this store looks at the fences of records only: open it with { seals: true } to seal whole scopes (and create the table that ddl() prints).',
    );
  }
}

function recordOf(table: Table, row: Row): VersionedRecord<Fields> {
  const { quorate_id, quorate_version, quorate_fence, ...columns } = row as Record<string, unknown>;
  for (const name of table.own) delete columns[name];
  return {
    id: quorate_id as string,
    version: Number(quorate_version),
    fence: quorate_fence === null ? null : BigInt(quorate_fence as string),
    value: columns as Record<string, FieldValue>,
  };
}
