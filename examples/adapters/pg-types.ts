import pg from 'pg';

const INT8 = 20;
const exactInteger = (digits: string): number | bigint =>
  Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits);

/**
 * For the option `types` of a pg Pool: bigint columns as numbers, or as bigints beyond 2^53, where pg gives text. Not with
 * `pg.types.setTypeParser`, which is for the whole process: Prisma fails when it meets a bigint there.
 */
export const exactIntegers = {
  getTypeParser: (oid: number, format = 'text'): ((value: string) => unknown) =>
    oid === INT8 && format === 'text'
      ? exactInteger
      : (pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown),
};
