import { CompiledQuery } from 'kysely';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Row, SqlConnection, SqlDriver } from 'quorate/locking/sql';

/** MikroORM 7 runs its statements through Kysely. */
type Kysely = Pick<ReturnType<SqlEntityManager['getKysely']>, 'executeQuery'>;
const over = (db: Kysely): SqlConnection => ({
  query: async (sql, params) => {
    const { rows, numAffectedRows } = await db.executeQuery<Row>(CompiledQuery.raw(sql, [...params]));
    return { rows, changes: Number(numAffectedRows ?? 0) };
  },
});

/** In a transaction that you have begun: `store.within(mikroOrmConnection(em))`. */
export const mikroOrmConnection = (em: SqlEntityManager): SqlConnection => over(em.getKysely());

/** `new SqlStore(mikroOrmDriver(orm.em), 'postgres')`. */
export const mikroOrmDriver = (em: SqlEntityManager): SqlDriver => ({
  query: (sql, params, hints) => over(em.getConnection().getClient()).query(sql, params, hints),
  // Not em.transactional: it flushes what the manager has to write, and keeps a connection that was lost.
  transaction: (work) =>
    em
      .getConnection()
      .getClient()
      .transaction()
      .execute((trx) => work(over(trx))),
});
