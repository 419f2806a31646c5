import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Redis } from 'ioredis';
import pg from 'pg';
import { MemoryStore, Records, type RecordStore } from 'quorate/locking';
import { RedisStore } from 'quorate/locking/redis';
import { ddl, PostgresStore } from 'quorate/locking/sql';
import { AppModule } from '../src/app.module.js';
import { Jobs, Prices } from '../src/jobs.js';
import { type Account, Stores, type Total } from '../src/stores.js';

/** Waits for what other tasks do. */
export async function eventually(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + 60_000;
  while (!(await probe())) {
    if (performance.now() > until) throw new Error(`not within a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface Instance {
  readonly app: INestApplication;
  readonly url: string;
}

/** Instances of the application that share its stores, as in production. */
export class Instances {
  readonly accounts: Records<Account>;
  readonly totals: Records<Total>;
  private readonly apps: INestApplication[] = [];

  private constructor(
    private readonly stores: { readonly accounts: RecordStore; readonly totals: RecordStore },
    private readonly closeStores: () => Promise<void>,
  ) {
    this.accounts = new Records(stores.accounts, 'accounts');
    this.totals = new Records(stores.totals, 'totals');
  }

  /** In memory; with POSTGRES_URL and REDIS_URL in empty tables and under a prefix of these databases. */
  static async open(): Promise<Instances> {
    const { POSTGRES_URL, REDIS_URL } = process.env;
    if (POSTGRES_URL === undefined || REDIS_URL === undefined)
      return new Instances({ accounts: new MemoryStore(), totals: new MemoryStore() }, async () => undefined);
    const unique = `example_${process.pid}_${Date.now()}`;
    const pool = new pg.Pool({ connectionString: POSTGRES_URL });
    const tables = {
      accounts: { table: unique, fields: { balance: 'INTEGER', position: 'INTEGER' } },
    };
    const fencesTable = `${unique}_fences`;
    for (const statement of ddl('postgres', { tables, fencesTable })) await pool.query(statement);
    const redis = new Redis(REDIS_URL);
    return new Instances(
      {
        accounts: new PostgresStore(pool, {
          seals: true,
          fencesTable,
          tables: { accounts: { table: unique } },
        }),
        totals: new RedisStore(redis, { prefix: `${unique}:` }),
      },
      async () => {
        await pool.query(`DROP TABLE ${unique}, ${fencesTable}`);
        await pool.end();
        await redis.quit();
      },
    );
  }

  /** Resolves when it has joined, and answers HTTP. */
  async start(
    clientId: string,
    brokers: readonly string[],
    {
      prices = new Prices(),
      chargeEveryMs = 5,
      sessionTimeoutMs = 10_000,
    }: {
      readonly prices?: Prices;
      readonly chargeEveryMs?: number;
      readonly sessionTimeoutMs?: number;
    } = {},
  ): Promise<Instance> {
    const config = { port: 0, brokers, clientId, sessionTimeoutMs, chargeEveryMs };
    const module = await Test.createTestingModule({ imports: [AppModule.with(config)] })
      .overrideProvider(Stores)
      .useValue(this.stores)
      .overrideProvider(Prices)
      .useValue(prices)
      .overrideProvider(Jobs)
      .useValue(new Jobs(chargeEveryMs))
      .compile();
    const app = module.createNestApplication({ logger: ['error'] });
    this.apps.push(app);
    await app.listen(0, '127.0.0.1');
    return { app, url: await app.getUrl() };
  }

  async stop(): Promise<void> {
    for (const app of this.apps.splice(0)) await app.close();
    await this.closeStores();
  }
}
