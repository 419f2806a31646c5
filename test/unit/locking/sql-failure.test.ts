import { describe, expect, it } from '@jest/globals';
import { DrizzleQueryError } from 'drizzle-orm';
import { UniqueConstraintError } from 'sequelize';
import { QueryFailedError } from 'typeorm';
import { type Failure, failureOf } from '../../../src/locking/sql/failure.js';

const errorWith = <P extends object>(properties: P): Error & P =>
  Object.assign(new Error('as the driver said'), properties);
const pgError = (code: string, severity = 'ERROR'): Error => errorWith({ code, severity });

/** As Prisma 7.10 throws it over adapter-pg: with or without a translation of what pg said. */
const prismaError = (cause: object, code = 'P2010'): Error =>
  errorWith({
    code,
    clientVersion: '7.10.1',
    meta: { driverAdapterError: errorWith({ name: 'DriverAdapterError', cause }) },
  });
const translated = (originalCode: string, kind: string): object => ({
  originalCode,
  originalMessage: 'as pg said',
  kind,
});
const untranslated = (code: string, severity: string): object => ({
  ...translated(code, 'postgres'),
  code,
  severity,
});

type Case = readonly [what: string, error: unknown, failure: Failure];

describe('what an error says about the statement that got it', () => {
  const wrappers: readonly (readonly [string, (inner: Error) => Error])[] = [
    ['pg itself', (inner) => inner],
    ['TypeORM', (inner) => new QueryFailedError('UPDATE', [], inner)],
    ['Drizzle', (inner) => new DrizzleQueryError('UPDATE', [], inner)],
    // MikroORM copies the properties of the driver's error to its own.
    ['MikroORM', (inner) => Object.assign(new Error(inner.message), inner)],
    ['Sequelize', (parent) => new UniqueConstraintError({ parent: Object.assign(parent, { sql: '' }) })],
    ['Prisma', (inner) => prismaError(untranslated((inner as never)['code'], (inner as never)['severity']))],
  ];
  const codes: readonly (readonly [code: string, severity: string, failure: Failure])[] = [
    ['23505', 'ERROR', 'duplicate'],
    ['23514', 'ERROR', 'refused'],
    ['40P01', 'ERROR', 'transient'],
    ['40001', 'ERROR', 'transient'],
    ['57P01', 'FATAL', 'lost'],
    ['08006', 'FATAL', 'lost'],
    ['XX000', 'PANIC', 'lost'],
  ];
  it.each(wrappers.flatMap(([orm, wrap]) => codes.map((row) => [orm, ...row, wrap] as const)))(
    '%s: %s %s is %s',
    (_, code, severity, failure, wrap) => {
      expect(failureOf(wrap(pgError(code, severity)))).toBe(failure);
    },
  );

  const cases: readonly Case[] = [
    ['a key', prismaError(translated('23505', 'UniqueConstraintViolation')), 'duplicate'],
    ['a deadlock', prismaError(translated('40P01', 'TransactionWriteConflict')), 'transient'],
    ['no such table', prismaError(translated('42P01', 'TableDoesNotExist')), 'refused'],
    [
      'a key that is looked at when COMMIT comes',
      errorWith({ cause: translated('23505', 'x') }),
      'duplicate',
    ],
    ['nobody there', prismaError({ kind: 'DatabaseNotReachable', host: '::1', port: 1 }), 'not-sent'],
    ['a connection that ended', prismaError({ kind: 'ConnectionClosed' }), 'lost'],
    ['no answer in time', prismaError({ kind: 'SocketTimeout' }), 'lost'],
    ['a transaction that took too long', errorWith({ code: 'P2028', meta: { error: 'expired' } }), 'lost'],
  ];
  it.each(cases)('Prisma, as it translates it: %s', (_, error, failure) => {
    expect(failureOf(error)).toBe(failure);
  });

  const silent: readonly Case[] = [
    ['pg, when a connection ends', new Error('Connection terminated unexpectedly'), 'lost'],
    ['Drizzle around it', new DrizzleQueryError('commit', [], new Error('Connection terminated')), 'lost'],
    ['mysql2', errorWith({ code: 'PROTOCOL_CONNECTION_LOST', fatal: true }), 'lost'],
    ['a socket', errorWith({ code: 'ECONNRESET', errno: -104, syscall: 'read' }), 'lost'],
    ['no error at all', undefined, 'lost'],
  ];
  it.each(silent)('without a word of the server everything is possible: %s', (_, error, failure) => {
    expect(failureOf(error)).toBe(failure);
  });

  it('MySQL through TypeORM: by its number', () => {
    const through = (errno: number): Failure =>
      failureOf(new QueryFailedError('UPDATE', [], errorWith({ code: 'ER_X', errno, sqlState: '40001' })));
    expect([through(1213), through(1062), through(1927), through(4025)]).toEqual([
      'transient',
      'duplicate',
      'lost',
      'refused',
    ]);
  });
});
