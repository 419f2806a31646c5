import type { DataSource, EntityManager } from 'typeorm';
import type { SqlConnection, SqlDriver } from 'quorate/locking/sql';

/** In a transaction that you have started: `store.within(typeormConnection(manager))`. */
export const typeormConnection = ({ queryRunner, dataSource }: EntityManager): SqlConnection => ({
  query: async (sql, params) => {
    const runner = queryRunner ?? dataSource.createQueryRunner();
    try {
      const { records, affected } = await runner.query(sql, params.map(asParameter), true);
      return { rows: records, changes: affected ?? 0 };
    } finally {
      if (runner !== queryRunner) await runner.release();
    }
  },
});

/** `new SqlStore(typeormDriver(dataSource), 'postgres')`, or 'mysql'. */
export const typeormDriver = (dataSource: DataSource): SqlDriver => ({
  ...typeormConnection(dataSource.manager),
  transaction: (work) => dataSource.transaction((manager) => work(typeormConnection(manager))),
});

/** mysql2 knows bytes only as a Buffer. */
const asParameter = (value: unknown): unknown => (value instanceof Uint8Array ? Buffer.from(value) : value);
