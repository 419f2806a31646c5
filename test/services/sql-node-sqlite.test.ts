import { describe, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { type SqliteDatabase, SqliteStore } from '../../src/locking/sql/index.js';
import { storeConformance } from '../harness/store-conformance.js';
import { prepared } from './sql-tables.js';

interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => SqliteDatabase & { close(): void };
}

/** Since Node 22.5; asked for in a way that an older Node can answer. */
function nodeSqlite(): NodeSqlite | undefined {
  try {
    return createRequire(import.meta.url)('node:sqlite') as NodeSqlite;
  } catch {
    return undefined;
  }
}

const sqlite = nodeSqlite();
if (sqlite === undefined) {
  // Not a missing service: .ci/run runs this file with a later Node.
  console.warn(`SKIPPED: node:sqlite, which Node ${process.version} has not`);
  describe('node:sqlite', () => it.skip('needs Node 22.5', () => undefined));
} else {
  storeConformance('node:sqlite', () => {
    const database = new sqlite.DatabaseSync(':memory:');
    const { options, create } = prepared('sqlite');
    for (const statement of create) database.exec(statement);
    return Promise.resolve({
      store: new SqliteStore(database, options),
      main: 'accounts',
      part: 'lines',
      close: () => Promise.resolve(database.close()),
    });
  });
}
