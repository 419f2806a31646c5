import 'reflect-metadata';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { DataTypes, type Model, type ModelStatic, Sequelize } from 'sequelize';
import { DataSource, EntitySchema } from 'typeorm';
import { RecordNotFoundError, Records, VersionConflictError } from '../../src/locking/index.js';
import { ddl, PostgresStore } from '../../src/locking/sql/index.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { LossyProxy } from '../harness/lossy-proxy.js';
import { fresh } from '../harness/store-under-test.js';
import { eventually } from '../harness/waiting.js';
import { poolOf, POSTGRES_ORMS } from './orms.js';
import { loadMikroOrm, type OpenMikroOrm, skipsMikroOrm } from './mikro-orm.js';
import { openPrisma, skipsPrisma } from './prisma-client.js';
import { freshTable } from './sql-tables.js';

jest.setTimeout(60_000);

interface Counter extends Record<string, number> {
  readonly n: number;
}
interface Row {
  readonly id: string;
  version: number;
  n: number;
}

const mikro = skipsMikroOrm ? undefined : await loadMikroOrm();

/**
 * What the ORMs do with a version when two writers meet, each on one table `counters (id, version, n)`, and what the store
 * does on the same schedule. When one of these fails after an upgrade, docs/orms.md has to change as well.
 */
await describeWithService('postgres', 'what an ORM does by itself', (service) => {
  const table = freshTable('counters');
  const mikroCounters = mikro?.defineEntity({
    name: 'Counters',
    tableName: table,
    properties: (p) => ({ id: p.string().primary(), version: p.integer().version(), n: p.integer() }),
  });
  let pool: pg.Pool;
  let counters: Records<Counter>;
  let id: string;
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: service.url });
    const tables = { [table]: { fields: { n: 'int NOT NULL' } } };
    for (const statement of ddl('postgres', { tables, fencesTable: false })) await pool.query(statement);
    counters = new Records(new PostgresStore(pool), table);
  });
  afterAll(async () => {
    await pool.query(`DROP TABLE ${table}`);
    await pool.end();
  });
  beforeEach(async () => {
    id = fresh('c');
    await counters.insert(id, { n: 10 });
  });
  const now = async (of = id): Promise<readonly [version: number, n: number]> => {
    const { version, value } = await counters.read(of);
    return [version, value.n];
  };
  /** Somebody else adds one, properly. */
  const somebodyElseAdds = async (): Promise<void> => {
    await counters.update({ id, version: 1 }, { n: 11 });
  };
  const storeRefuses = async (): Promise<void> => {
    await expect(counters.update({ id, version: 1 }, { n: 15 })).rejects.toThrow(VersionConflictError);
  };

  describe('TypeORM 1.1, @VersionColumn', () => {
    const Counters = new EntitySchema<Row>({
      name: table,
      columns: {
        id: { type: 'text', primary: true },
        version: { type: 'bigint', version: true },
        n: { type: 'int' },
      },
    });
    let source: DataSource;
    beforeAll(async () => {
      source = await new DataSource({
        type: 'postgres',
        url: service.url,
        entities: [Counters],
      }).initialize();
    });
    afterAll(() => source.destroy());

    it('save() of a stale entity overwrites what somebody else wrote, and takes the version back', async () => {
      const stale = await source.manager.findOneByOrFail(Counters, { id });
      await somebodyElseAdds();
      await storeRefuses();
      stale.n = 15;
      await source.manager.save(Counters, stale);
      // So whoever else read version 1 may write as well.
      expect(await now()).toEqual([1, 15]);
    });

    it('update() and the UpdateQueryBuilder count the version up and compare it with nothing', async () => {
      await somebodyElseAdds();
      await storeRefuses();
      await source.manager.update(Counters, { id }, { n: 15 });
      expect(await now()).toEqual([3, 15]);
      await source.createQueryBuilder().update(Counters).set({ n: 16 }).where({ id }).execute();
      expect(await now()).toEqual([4, 16]);
    });
  });

  (mikro === undefined ? describe.skip : describe)('MikroORM 7.2, version: true', () => {
    let orm: OpenMikroOrm;
    const statements: string[] = [];
    beforeAll(async () => {
      orm = await mikro!.MikroORM.init({
        clientUrl: service.url,
        entities: [mikroCounters],
        debug: ['query'],
        colors: false,
        logger: (line: string) => void statements.push(line),
      });
    });
    afterAll(() => orm.close(true));

    /** Somebody else changes these, and commits only when `write` waits for it. Gives the result or the error. */
    const meanwhile = async (ids: readonly string[], write: () => Promise<unknown>): Promise<unknown> => {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await client.query(`UPDATE ${table} SET n = 11, version = version + 1 WHERE id = ANY($1)`, [ids]);
        const outcome = Promise.allSettled([write()]);
        await eventually('the write waits', 10_000, async () => {
          const { rowCount } = await pool.query(
            `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`,
            [`%${table}%`],
          );
          return rowCount! > 0;
        });
        await client.query('COMMIT');
        const [settled] = await outcome;
        return settled.status === 'rejected' ? settled.reason : settled.value;
      } finally {
        client.release();
      }
    };
    const flush = (ids: readonly string[]) => async (): Promise<void> => {
      const em = orm.em.fork();
      for (const counter of await em.find<{ n: number }>(mikroCounters!, { id: { $in: [...ids] } }))
        counter.n += 5;
      statements.length = 0;
      await em.flush();
    };

    it('one changed entity is checked by the UPDATE itself', async () => {
      expect(await meanwhile([id], flush([id]))).toMatchObject({ name: 'OptimisticLockError' });
      expect(await now()).toEqual([2, 11]);
    });

    it('two of one type: a SELECT looks at them first, and the one UPDATE compares the versions again', async () => {
      const other = fresh('c');
      await counters.insert(other, { n: 10 });
      const both = [id, other];
      // The SELECT still finds what it looks for; only the UPDATE meets the change.
      expect(await meanwhile([other], flush(both))).toMatchObject({ name: 'OptimisticLockError' });
      expect([await now(), await now(other)]).toEqual([
        [1, 10],
        [2, 11],
      ]);
      const sent = statements.map((line) => /(?:select|update) .*/.exec(line)?.[0]).filter(Boolean);
      expect(sent).toEqual([
        expect.stringMatching(/^select .* where \(\(.*"id" = .* and .*"version" = .*\) or \(/),
        expect.stringMatching(/^update .* where \("id", "version"\) in /),
      ]);
    });

    it('the store on the same schedule: all of it is refused, and it says which one was to blame', async () => {
      const other = fresh('c');
      await counters.insert(other, { n: 10 });
      const updates = [id, other].map((of) => ({ record: { id: of, version: 1 }, changes: { n: 15 } }));
      const outcome = await meanwhile([other], () => counters.bulkUpdate(updates, 'all-or-nothing'));
      expect(outcome).toMatchObject([{ kind: 'skipped' }, { kind: 'version-conflict', actual: 2 }]);
      expect(await now()).toEqual([1, 10]);
    });
  });

  describe('Sequelize 6, version: true', () => {
    let sequelize: Sequelize;
    let Counters: ModelStatic<Model<Row>>;
    beforeAll(() => {
      sequelize = new Sequelize(service.url, { dialect: 'postgres', dialectModule: pg, logging: false });
      Counters = sequelize.define<Model<Row>>(
        table,
        { id: { type: DataTypes.TEXT, primaryKey: true }, version: DataTypes.BIGINT, n: DataTypes.INTEGER },
        { tableName: table, timestamps: false, version: true },
      );
    });
    afterAll(() => sequelize.close());

    it('save() of a stale instance is refused', async () => {
      const stale = (await Counters.findByPk(id))!;
      await somebodyElseAdds();
      await expect(stale.update({ n: 15 })).rejects.toMatchObject({ name: 'SequelizeOptimisticLockError' });
      expect(await now()).toEqual([2, 11]);
    });

    it('the static update() neither compares the version nor counts it: a stale instance still fits', async () => {
      const stale = (await Counters.findByPk(id))!;
      await Counters.update({ n: 11 }, { where: { id } });
      expect(await now()).toEqual([1, 11]);
      await stale.update({ n: 15 });
      expect(await now()).toEqual([2, 15]);
      await storeRefuses();
    });

    it('increment() and decrement() count the version up and compare it with nothing', async () => {
      const stale = (await Counters.findByPk(id))!;
      await somebodyElseAdds();
      await storeRefuses();
      await stale.increment('n', { by: 4 });
      expect(await now()).toEqual([3, 15]);
      await stale.decrement('n', { by: 1 });
      expect(await now()).toEqual([4, 14]);
    });
  });

  (skipsPrisma ? describe.skip : describe)('Prisma 7', () => {
    let opened: Awaited<ReturnType<typeof openPrisma>>;
    beforeAll(async () => {
      opened = await openPrisma({ connectionString: service.url }, table);
    });
    afterAll(() => opened.close());

    it('update() where id and version match cannot tell changed from deleted; the store can', async () => {
      const update = (): Promise<unknown> =>
        opened.prisma.counter.update({
          where: { id, version: 1 },
          data: { n: 15, version: { increment: 1 } },
        });
      await somebodyElseAdds();
      await expect(update()).rejects.toMatchObject({ code: 'P2025' });
      await storeRefuses();
      await counters.delete({ id, version: 2 });
      await expect(update()).rejects.toMatchObject({ code: 'P2025' });
      await expect(counters.update({ id, version: 1 }, { n: 15 })).rejects.toThrow(RecordNotFoundError);
    });

    it('writes and reads a timestamptz as if the session were in UTC', async () => {
      const url = new URL(service.url);
      url.searchParams.set('options', '-c TimeZone=America/New_York');
      const { prisma, close } = await openPrisma({ connectionString: url.href }, table);
      const noon = new Date('2024-01-02T12:00:00.000Z');
      const rows = await prisma.$queryRawUnsafe<{ at: Date; hours: string }[]>(
        `SELECT CAST($1 AS timestamptz) AS at, CAST(extract(hour FROM CAST($1 AS timestamptz) AT TIME ZONE 'UTC') AS text) AS hours`,
        noon,
      );
      await close();
      expect(rows).toEqual([{ at: noon, hours: '17' }]);
    });
  });

  describe('a connection that is lost', () => {
    const isStatement = (bytes: Buffer): boolean => 'QPB'.includes(String.fromCharCode(bytes[0]!));
    let proxy: LossyProxy;
    beforeAll(async () => {
      const { hostname, port } = new URL(service.url);
      proxy = await LossyProxy.open({ host: hostname, port: Number(port) });
    });
    afterAll(() => proxy.close());
    /** Of a pool that should be empty when the transaction has failed. */
    const keptAfter = async (
      lent: pg.Pool,
      { cutAt, begin }: { readonly cutAt: number; readonly begin: () => Promise<unknown> },
    ): Promise<number> => {
      let seen = 0;
      proxy.arm('request', (bytes) => isStatement(bytes) && ++seen === cutAt);
      await expect(begin()).rejects.toThrow();
      return lent.totalCount;
    };

    it('at BEGIN is kept by Drizzle, later it is not', async () => {
      const lent = poolOf({ url: proxy.through(service.url), max: 2 });
      const begin = (): Promise<unknown> => drizzle(lent).transaction((tx) => tx.execute('SELECT 1'));
      expect(await keptAfter(lent, { cutAt: 2, begin })).toBe(0);
      expect(await keptAfter(lent, { cutAt: 1, begin })).toBe(1);
      void lent.end();
    });

    (mikro === undefined ? it.skip : it)(
      'inside em.transactional is kept by MikroORM, and so is the next',
      async () => {
        let lent!: pg.Pool;
        const orm = await mikro!.MikroORM.init({
          clientUrl: proxy.through(service.url),
          entities: [mikroCounters],
          logger: () => undefined,
          driverOptions: { onPoolCreated: (created: pg.Pool) => void (lent = created) },
        });
        const begin = (): Promise<unknown> => orm.em.fork().transactional((em) => em.execute('SELECT 1'));
        await begin();
        expect(await keptAfter(lent, { cutAt: 2, begin })).toBe(1);
        expect(await keptAfter(lent, { cutAt: 2, begin })).toBe(2);
        void orm.close(true);
      },
    );
  });

  describe('a transaction in which a failed statement was passed over', () => {
    const NOTICES = new Set(['Kysely']);
    it.each(Object.entries(POSTGRES_ORMS))('%s', async (name, openOrm) => {
      const orm = await openOrm({ url: service.url, max: 2 });
      const committed = orm.begun(async (connection) => {
        await connection.query(`UPDATE ${table} SET n = 15 WHERE id = $1`, [id], { rows: false });
        await connection.query('SELECT 1 / 0', [], { rows: true }).catch(() => undefined);
        return 'committed';
      });
      const [outcome] = await Promise.allSettled([committed]);
      await orm.close();
      // PostgreSQL answers COMMIT with ROLLBACK.
      expect(await now()).toEqual([1, 10]);
      expect(outcome.status).toBe(NOTICES.has(name) ? 'rejected' : 'fulfilled');
    });
  });
});
