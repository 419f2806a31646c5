export { SqlStore } from './store.js';
export type { SqlStoreOptions } from './plans.js';
export type { TableMapping } from './table.js';
export type { DialectName } from './dialect.js';
export type { Row, SqlConnection, SqlDriver, SqlResult, SqlValue, StatementHints } from './statement.js';
export {
  PostgresStore,
  type PgClient,
  type PgPool,
  type PgPoolClient,
  type PostgresStoreOptions,
} from './postgres.js';
export { MysqlStore, type MysqlConnection, type MysqlPool, type MysqlStoreOptions } from './mysql.js';
export { SqliteStore, type SqliteDatabase, type SqliteStatement } from './sqlite.js';
export { ddl, type DdlOptions, type TableDefinition } from './ddl.js';
export { fencePredicate, type FencePredicateOptions, type SqlFragment } from './predicate.js';
