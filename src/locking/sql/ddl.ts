import { type Dialect, DIALECTS, type DialectName } from './dialect.js';
import { type Table, type TableMapping, tableOf } from './table.js';

export interface TableDefinition extends TableMapping {
  /** Column to type, for a table that is to be created; without, the columns are added to a table that is there. */
  readonly fields?: Readonly<Record<string, string>>;
  /** The type of the id. Default: text; in MySQL VARCHAR(190), compared byte by byte. */
  readonly idType?: string;
  /**
   * For tables to which others write who know nothing of versions and cannot be changed:
   * - `check`: an UPDATE is refused unless the version grows by exactly one; the others must be told;
   * - `count`: an UPDATE that leaves the version alone is counted as a change, so that a write of this library that read
   *   the record before is refused; the others notice nothing.
   *
   * Either way the fence may not go down, and a new row begins at version 1.
   */
  readonly trigger?: 'check' | 'count';
}

export interface DdlOptions {
  readonly tables?: Readonly<Record<string, TableDefinition>>;
  /** The table of seals, for stores with `seals: true`; false for none. Default `quorate_fences`. */
  readonly fencesTable?: string | false;
  /**
   * Statements that may run again and then change nothing (`CREATE TABLE IF NOT EXISTS`); a table that exists is not
   * compared with its definition. Triggers need PostgreSQL 14, MySQL 8.0.29 or MariaDB. Columns can be added like this
   * in PostgreSQL only: elsewhere `ddl` throws TypeError for a table without `fields`. Default false.
   */
  readonly ifNotExists?: boolean;
}

/** The statements that make a database ready, one text each, for a migration of yours. Nothing is executed. */
export function ddl(dialectName: DialectName, options: DdlOptions = {}): readonly string[] {
  const dialect = DIALECTS[dialectName];
  const { fencesTable = 'quorate_fences', tables = {}, ifNotExists = false } = options;
  const statements = fencesTable === false ? [] : [fences(dialect, fencesTable)];
  for (const [resource, definition] of Object.entries(tables)) {
    const table = tableOf(dialect, resource, definition);
    if (definition.fields === undefined) statements.push(...newColumns(dialect, table));
    else statements.push(newTable(dialect, table, definition));
    if (definition.trigger !== undefined) {
      statements.push(...TRIGGERS[dialectName](dialect, table, definition.trigger));
    }
  }
  return ifNotExists ? statements.map((statement) => repeatable(dialect, statement)) : statements;
}

const REPEATABLE: { readonly [K in DialectName]: readonly (readonly [from: string, to: string])[] } = {
  postgres: [
    ['CREATE TABLE', 'CREATE TABLE IF NOT EXISTS'],
    ['CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'],
    ['CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER'],
  ],
  mysql: [
    ['CREATE TABLE', 'CREATE TABLE IF NOT EXISTS'],
    ['CREATE TRIGGER', 'CREATE TRIGGER IF NOT EXISTS'],
  ],
  sqlite: [
    ['CREATE TABLE', 'CREATE TABLE IF NOT EXISTS'],
    ['CREATE TRIGGER', 'CREATE TRIGGER IF NOT EXISTS'],
  ],
};

function repeatable({ name }: Dialect, statement: string): string {
  if (statement.startsWith('ALTER TABLE')) {
    if (name === 'postgres') return statement.replace(' ADD COLUMN ', ' ADD COLUMN IF NOT EXISTS ');
    throw new TypeError(
      `${name} cannot add a column only if it is missing. Leave out ifNotExists and run "${statement}" once, or give the fields of the table.`,
    );
  }
  const [from, to] = REPEATABLE[name].find(([begin]) => statement.startsWith(begin))!;
  return to + statement.slice(from.length);
}

const TYPES: {
  readonly [K in DialectName]: { readonly id: string; readonly version: string; readonly fence: string };
} = {
  postgres: { id: 'text', version: 'bigint', fence: 'bigint' },
  mysql: {
    id: 'VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    version: 'BIGINT',
    fence: 'BIGINT UNSIGNED',
  },
  sqlite: { id: 'TEXT', version: 'INTEGER', fence: 'INTEGER' },
};

/** A scope that was written to but never sealed has a row without a token. */
function fences(dialect: Dialect, name: string): string {
  const { fence } = TYPES[dialect.name];
  const text = dialect.name === 'mysql' ? 'VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : 'TEXT';
  return `CREATE TABLE ${dialect.quote(name)} (scope ${text} NOT NULL PRIMARY KEY, token ${fence}, owner ${text})`;
}

function newTable(dialect: Dialect, table: Table, { fields = {}, idType }: TableDefinition): string {
  const types = TYPES[dialect.name];
  const columns = [
    `${table.id} ${idType ?? types.id} NOT NULL PRIMARY KEY`,
    `${table.version} ${types.version} NOT NULL DEFAULT 1`,
    ...(table.fence === undefined ? [] : [`${table.fence} ${types.fence}`]),
    ...Object.entries(fields).map(([name, type]) => `${dialect.quote(name)} ${type}`),
  ];
  return `CREATE TABLE ${table.name} (${columns.join(', ')})`;
}

function newColumns(dialect: Dialect, table: Table): readonly string[] {
  const { version, fence } = TYPES[dialect.name];
  const add = `ALTER TABLE ${table.name} ADD COLUMN`;
  return [
    `${add} ${table.version} ${version} NOT NULL DEFAULT 1`,
    ...(table.fence === undefined ? [] : [`${add} ${table.fence} ${fence}`]),
  ];
}

type Trigger = (dialect: Dialect, table: Table, mode: 'check' | 'count') => readonly string[];

/** A name for the trigger of a table, in the schema of the table where the database wants that. */
function triggerName(dialect: Dialect, table: Table, what: string): string {
  const [schema, bare] = /^(.*\.)?([^.]+)$/.exec(table.name.replaceAll(/["`]/g, ''))!.slice(1);
  const name = dialect.quote(`quorate_${what}_${bare}`);
  return schema === undefined || dialect.name === 'postgres'
    ? name
    : `${dialect.quote(schema.slice(0, -1))}.${name}`;
}

const message = (table: Table, what: string): string =>
  `${table.resource}: ${what} (quorate)`.replaceAll("'", "''");
const NEXT_VERSION = 'the version must grow by one with every change';
const FENCE_DOWN = 'a later owner has written, the fence may not go down';

const TRIGGERS: { readonly [K in DialectName]: Trigger } = {
  postgres: (dialect, table, mode) => {
    const { version, fence, name } = table;
    const named = triggerName(dialect, table, 'version');
    const schema = name.includes('"."') ? `${name.slice(0, name.indexOf('"."') + 1)}.` : '';
    const raise = (what: string): string =>
      `RAISE EXCEPTION '${message(table, what).replaceAll('%', '%%')}' USING ERRCODE = 'check_violation';`;
    const count =
      mode === 'count'
        ? `IF NEW.${version} = OLD.${version} THEN NEW.${version} := OLD.${version} + 1; END IF; `
        : '';
    const fenceGuard =
      fence === undefined
        ? ''
        : `IF OLD.${fence} IS NOT NULL AND (NEW.${fence} IS NULL OR NEW.${fence} < OLD.${fence}) THEN ${raise(FENCE_DOWN)} END IF; `;
    return [
      `CREATE FUNCTION ${schema}${named}() RETURNS trigger LANGUAGE plpgsql AS $quorate$ BEGIN ` +
        `IF TG_OP = 'INSERT' THEN NEW.${version} := 1; RETURN NEW; END IF; ${count}` +
        `IF NEW.${version} IS DISTINCT FROM OLD.${version} + 1 THEN ${raise(NEXT_VERSION)} END IF; ${fenceGuard}` +
        `RETURN NEW; END $quorate$`,
      `CREATE TRIGGER ${named} BEFORE INSERT OR UPDATE ON ${name} FOR EACH ROW EXECUTE FUNCTION ${schema}${named}()`,
    ];
  },
  mysql: (dialect, table, mode) => {
    const { version, fence, name } = table;
    const raise = (what: string): string =>
      `SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '${message(table, what).slice(0, 127)}';`;
    const count =
      mode === 'count'
        ? `IF NEW.${version} = OLD.${version} THEN SET NEW.${version} = OLD.${version} + 1; END IF; `
        : '';
    const fenceGuard =
      fence === undefined
        ? ''
        : `IF OLD.${fence} IS NOT NULL AND (NEW.${fence} IS NULL OR NEW.${fence} < OLD.${fence}) THEN ${raise(FENCE_DOWN)} END IF; `;
    return [
      `CREATE TRIGGER ${triggerName(dialect, table, 'insert')} BEFORE INSERT ON ${name} FOR EACH ROW SET NEW.${version} = 1`,
      `CREATE TRIGGER ${triggerName(dialect, table, 'version')} BEFORE UPDATE ON ${name} FOR EACH ROW BEGIN ${count}` +
        `IF NOT (NEW.${version} <=> OLD.${version} + 1) THEN ${raise(NEXT_VERSION)} END IF; ${fenceGuard}END`,
    ];
  },
  sqlite: (dialect, table, mode) => {
    const { version, fence, name, id } = table;
    const named = (what: string): string => triggerName(dialect, table, what);
    // Inside a trigger a table is named without its schema.
    const bare = name.replace(/^"(?:[^"]|"")*"\./, '');
    const raise = (what: string): string => `SELECT RAISE(ABORT, '${message(table, what)}');`;
    // SQLite cannot change what is being written: it corrects the row right after, in the same statement.
    const allowed =
      mode === 'count'
        ? `NEW.${version} NOT IN (OLD.${version}, OLD.${version} + 1)`
        : `NEW.${version} IS NOT OLD.${version} + 1`;
    return [
      `CREATE TRIGGER ${named('insert')} AFTER INSERT ON ${bare} FOR EACH ROW WHEN NEW.${version} IS NOT 1 BEGIN ` +
        `${raise('a new row begins at version 1')} END`,
      `CREATE TRIGGER ${named('version')} BEFORE UPDATE ON ${bare} FOR EACH ROW WHEN ${allowed} BEGIN ` +
        `${raise(NEXT_VERSION)} END`,
      ...(fence === undefined
        ? []
        : [
            `CREATE TRIGGER ${named('fence')} BEFORE UPDATE ON ${bare} FOR EACH ROW ` +
              `WHEN OLD.${fence} IS NOT NULL AND (NEW.${fence} IS NULL OR NEW.${fence} < OLD.${fence}) BEGIN ` +
              `${raise(FENCE_DOWN)} END`,
          ]),
      ...(mode === 'check'
        ? []
        : [
            `CREATE TRIGGER ${named('count')} AFTER UPDATE ON ${bare} FOR EACH ROW WHEN NEW.${version} = OLD.${version} BEGIN ` +
              `UPDATE ${bare} SET ${version} = OLD.${version} + 1 WHERE ${id} = NEW.${id}; END`,
          ]),
    ];
  },
};
