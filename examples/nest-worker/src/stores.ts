import { Injectable, Logger, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Redis } from 'ioredis';
import pg from 'pg';
import { MemoryStore, type RecordStore } from 'quorate/locking';
import { RedisStore } from 'quorate/locking/redis';
import { ddl, PostgresStore } from 'quorate/locking/sql';
import type { Config } from './config.js';

/** A type, not an interface: records take it as fields. Its table has a column for each. */
export type Account = {
  readonly balance: number;
  /** The last job that was charged: written together with the balance, so no job is charged twice. */
  readonly position: number;
};
/** What other services read. */
export type Total = { readonly balance: number };

const TABLES = { accounts: { fields: { balance: 'INTEGER', position: 'INTEGER' } } } as const;

/** Accounts in PostgreSQL, totals in Redis. */
@Injectable()
export class Stores implements OnApplicationShutdown {
  private constructor(
    readonly accounts: RecordStore,
    readonly totals: RecordStore,
    private readonly close: () => Promise<void>,
  ) {}

  static async open({ postgresUrl, redisUrl }: Config): Promise<Stores> {
    const log = new Logger(Stores.name);
    const pool = postgresUrl === undefined ? undefined : new pg.Pool({ connectionString: postgresUrl });
    const redis = redisUrl === undefined ? undefined : new Redis(redisUrl);
    if (pool === undefined)
      log.warn('POSTGRES_URL is not set: accounts are in memory, and end with the process');
    if (redis === undefined) log.warn('REDIS_URL is not set: totals are in memory, and end with the process');
    // In your application: one of its migrations.
    for (const statement of ddl('postgres', { tables: TABLES, ifNotExists: true }))
      await pool?.query(statement);
    return new Stores(
      pool === undefined ? new MemoryStore() : new PostgresStore(pool, { seals: true }),
      redis === undefined ? new MemoryStore() : new RedisStore(redis),
      async () => {
        await pool?.end();
        await redis?.quit();
      },
    );
  }

  /** Not onModuleDestroy: handlers still drain then. */
  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }
}

@Module({})
export class StoresModule {
  static with(config: Config): DynamicModule {
    return {
      module: StoresModule,
      global: true,
      providers: [{ provide: Stores, useFactory: () => Stores.open(config) }],
      exports: [Stores],
    };
  }
}
