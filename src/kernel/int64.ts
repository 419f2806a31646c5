/**
 * An exact integer of 64 bits, signed: a number where a number is exact (within +-2^53), a bigint beyond. Each value has
 * one form only, so that `===` and `<` compare any two of them.
 */
export type Int64 = number | bigint;

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

/** The one form of a value. Throws RangeError beyond 64 bits. */
export function int64(value: bigint): Int64 {
  if (value > MAX || value < MIN) throw new RangeError(`${value} has more than 64 bits`);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

export function isInt64(value: Int64): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return value <= MAX && value >= MIN;
}
