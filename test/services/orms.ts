import 'reflect-metadata';
import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/node-postgres';
import knex from 'knex';
import { CamelCasePlugin, Kysely, MysqlDialect, PostgresDialect, SqliteDialect } from 'kysely';
import { createPool } from 'mysql2';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { drizzleConnection, drizzleDriver } from '../../examples/adapters/drizzle.js';
import { knexConnection, knexDriver } from '../../examples/adapters/knex.js';
import { kyselyConnection, kyselyDriver } from '../../examples/adapters/kysely.js';
import { mikroOrmConnection, mikroOrmDriver } from '../../examples/adapters/mikro-orm.js';
import { exactIntegers } from '../../examples/adapters/pg-types.js';
import { prismaConnection, prismaDriver } from '../../examples/adapters/prisma.js';
import { typeormConnection, typeormDriver } from '../../examples/adapters/typeorm.js';
import type { SqlConnection, SqlDriver } from '../../src/locking/sql/index.js';
import { loadMikroOrm, skipsMikroOrm } from './mikro-orm.js';
import { openPrisma, skipsPrisma } from './prisma-client.js';

/** An ORM with its adapter. */
export interface Orm {
  readonly driver: SqlDriver;
  /** A transaction that is begun as the ORM's own users do, and the adapter for it. */
  begun<R>(work: (connection: SqlConnection) => Promise<R>): Promise<R>;
  close(): Promise<unknown>;
}
export interface Where {
  readonly url: string;
  /** Connections at most. */
  readonly max: number;
}
export type OpenOrm = (where: Where) => Promise<Orm>;

/** As docs/orms.md asks: a connection that ends while it is lent would end the process. */
export function poolOf({ url, max }: Where): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max, types: exactIntegers });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

const INT8 = pg.types.builtins.INT8;

export const POSTGRES_ORMS: Readonly<Record<string, OpenOrm>> = {
  TypeORM: (where) => openTypeorm('postgres', where),
  ...(skipsMikroOrm ? {} : { MikroORM: openMikroOrm }),
  ...(skipsPrisma ? {} : { Prisma: openPrismaOrm }),
  Knex: ({ url, max }) =>
    openKnex({
      client: 'pg',
      connection: { connectionString: url, types: exactIntegers },
      pool: { min: 0, max },
    }),
  Kysely: (where) => openKysely(new PostgresDialect({ pool: poolOf(where) })),
  Drizzle: (where) => {
    const pool = poolOf(where);
    const db = drizzle(pool);
    return Promise.resolve({
      driver: drizzleDriver(db),
      begun: (work) => db.transaction((tx) => work(drizzleConnection(tx))),
      // Drizzle gives back no connection on which BEGIN was lost: the pool would never say that it has ended.
      close: () => Promise.resolve(void pool.end()),
    });
  },
};

export const MYSQL_ORMS: Readonly<Record<string, OpenOrm>> = {
  TypeORM: (where) => openTypeorm('mysql', where),
  Knex: ({ url, max }) => openKnex({ client: 'mysql2', connection: url, pool: { min: 0, max } }),
  Kysely: ({ url, max }) =>
    openKysely(new MysqlDialect({ pool: createPool({ uri: url, connectionLimit: max }) })),
};

/** The url is a path. TypeORM is not among them: its one connection mixes the transactions of all its users. */
export const SQLITE_ORMS: Readonly<Record<string, OpenOrm>> = {
  Knex: ({ url }) =>
    openKnex({ client: 'better-sqlite3', connection: { filename: url }, useNullAsDefault: true }),
  Kysely: ({ url }) => openKysely(new SqliteDialect({ database: new Database(url) })),
};

async function openPrismaOrm({ url, max }: Where): Promise<Orm> {
  const { prisma, close } = await openPrisma({ connectionString: url, max });
  return {
    driver: prismaDriver(prisma),
    begun: (work) => prisma.$transaction((tx) => work(prismaConnection(tx))),
    close,
  };
}

async function openTypeorm(type: 'postgres' | 'mysql', { url, max }: Where): Promise<Orm> {
  const source = await new DataSource(
    type === 'postgres'
      ? { type, url, extra: { max, types: exactIntegers } }
      : { type, url, bigNumberStrings: false, extra: { connectionLimit: max } },
  ).initialize();
  return {
    driver: typeormDriver(source),
    begun: (work) => source.transaction((manager) => work(typeormConnection(manager))),
    close: () => source.destroy(),
  };
}

function openKnex(config: knex.Knex.Config): Promise<Orm> {
  const quiet = { warn: () => undefined };
  // As an application might have it that renames columns: the store has to get them as they are.
  const db = knex({ ...config, log: quiet, postProcessResponse: () => 'renamed' });
  return Promise.resolve({
    driver: knexDriver(db),
    begun: (work) => db.transaction((trx) => work(knexConnection(trx))),
    close: () => db.destroy(),
  });
}

function openKysely(dialect: ConstructorParameters<typeof Kysely>[0]['dialect']): Promise<Orm> {
  const db = new Kysely<unknown>({ dialect, plugins: [new CamelCasePlugin()] });
  return Promise.resolve({
    driver: kyselyDriver(db),
    begun: (work) => db.transaction().execute((trx) => work(kyselyConnection(trx))),
    close: () => db.destroy(),
  });
}

async function openMikroOrm({ url, max }: Where): Promise<Orm> {
  const { defineEntity, MikroORM } = await loadMikroOrm();
  /** MikroORM needs an entity. */
  const Nothing = defineEntity({ name: 'Nothing', properties: (p) => ({ id: p.integer().primary() }) });
  const orm = await MikroORM.init({
    clientUrl: url,
    pool: { max },
    // MikroORM reads dates with parsers of its own: one is added to them.
    driverOptions: {
      onPoolCreated: (pool: pg.Pool) =>
        (pool.options.types as pg.TypeOverrides).setTypeParser(
          INT8,
          exactIntegers.getTypeParser(INT8, 'text'),
        ),
    },
    entities: [Nothing],
    logger: () => undefined,
  });
  return {
    driver: mikroOrmDriver(orm.em),
    begun: (work) => orm.em.fork().transactional((em) => work(mikroOrmConnection(em))),
    close: () => orm.close(true),
  };
}
