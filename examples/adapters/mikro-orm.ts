import { CompiledQuery, type Kysely } from 'kysely';
import type { Row, SqlConnection, SqlDriver } from 'quorate/locking/sql';

/** MikroORM 7 runs its statements through Kysely. */
type Runner = Pick<Kysely<unknown>, 'executeQuery'>;
/** What the adapter uses of `SqlEntityManager`. */
export interface MikroOrmManager {
  getKysely(): Runner;
  getConnection(): { getClient(): Runner & Pick<Kysely<unknown>, 'transaction'> };
}

const over = (db: Runner): SqlConnection => ({
  query: async (sql, params) => {
    const { rows, numAffectedRows } = await db.executeQuery<Row>(CompiledQuery.raw(sql, [...params]));
    return { rows, changes: Number(numAffectedRows ?? 0) };
  },
});

/** In a transaction that you have started: `store.within(mikroOrmConnection(em))`. */
export const mikroOrmConnection = (em: MikroOrmManager): SqlConnection => over(em.getKysely());

/** `new SqlStore(mikroOrmDriver(orm.em), 'postgres')`. */
export const mikroOrmDriver = (em: MikroOrmManager): SqlDriver => ({
  query: (sql, params, hints) => over(em.getConnection().getClient()).query(sql, params, hints),
  // Not em.transactional: it flushes what the manager has to write, and keeps a connection that was lost.
  transaction: (work) =>
    em
      .getConnection()
      .getClient()
      .transaction()
      .execute((trx) => work(over(trx))),
});
