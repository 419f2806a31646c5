import type { SqlConnection, SqlDriver } from 'quorate/locking/sql';

/** What is used of your PrismaClient, and of the `tx` that its `$transaction` gives. */
interface PrismaTransaction {
  $queryRawUnsafe<R>(sql: string, ...params: unknown[]): PromiseLike<R>;
  $executeRawUnsafe(sql: string, ...params: unknown[]): PromiseLike<number>;
}
export interface Prisma extends PrismaTransaction {
  $transaction<R>(work: (tx: PrismaTransaction) => Promise<R>): Promise<R>;
}
type Rows = Record<string, unknown>[];

/** In a transaction that you have started: `store.within(prismaConnection(tx))`. */
export const prismaConnection = (prisma: PrismaTransaction): SqlConnection => ({
  query: async (sql, params, { rows }) =>
    rows
      ? { rows: (await prisma.$queryRawUnsafe<Rows>(sql, ...params)).map(withNumbers), changes: 0 }
      : { rows: [], changes: await prisma.$executeRawUnsafe(sql, ...params) },
});

/** `new SqlStore(prismaDriver(prisma), 'postgres')`. */
export const prismaDriver = (prisma: Prisma): SqlDriver => ({
  ...prismaConnection(prisma),
  transaction: (work) => prisma.$transaction((tx) => work(prismaConnection(tx))),
});

/** Prisma gives bigint columns as bigints; the other stores only beyond 2^53. */
const withNumbers = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value,
    ]),
  );
