import { describe, expect, it } from '@jest/globals';
import { ddl } from '../../../src/locking/sql/index.js';

describe('ddl with ifNotExists', () => {
  const accounts = { fields: { balance: 'bigint' }, trigger: 'count' } as const;
  const beginnings = (statements: readonly string[]): readonly string[] =>
    statements.map((statement) => /^[A-Z ]+/.exec(statement)![0].trim());

  it('creates only what is missing', () => {
    const table = 'CREATE TABLE IF NOT EXISTS';
    const trigger = 'CREATE TRIGGER IF NOT EXISTS';
    const of = (dialect: Parameters<typeof ddl>[0]) =>
      beginnings(ddl(dialect, { tables: { accounts }, ifNotExists: true }));
    expect(of('postgres')).toEqual([table, table, 'CREATE OR REPLACE FUNCTION', 'CREATE OR REPLACE TRIGGER']);
    expect(of('mysql')).toEqual([table, table, trigger, trigger]);
    expect(of('sqlite')).toEqual([table, table, trigger, trigger, trigger, trigger]);
  });

  it('adds only missing columns, in PostgreSQL; the others cannot, and ddl says so', () => {
    const options = { tables: { accounts: {} }, fencesTable: false, ifNotExists: true } as const;
    expect(ddl('postgres', options)).toEqual([
      'ALTER TABLE "accounts" ADD COLUMN IF NOT EXISTS "version" bigint NOT NULL DEFAULT 1',
      'ALTER TABLE "accounts" ADD COLUMN IF NOT EXISTS "fence" bigint',
    ]);
    for (const dialect of ['mysql', 'sqlite'] as const)
      expect(() => ddl(dialect, options)).toThrow(/cannot add a column only if it is missing/);
  });

  it('is off unless asked for', () => {
    expect(ddl('sqlite', { tables: { accounts } }).join('\n')).not.toContain('IF NOT EXISTS');
  });
});
