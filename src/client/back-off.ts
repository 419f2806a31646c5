/** Milliseconds. */
export interface BackOff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Doubles with each attempt (from 0), and is spread over its upper half by `chance` in [0, 1): clients do not come back at once. */
export function backOffMs({ firstMs, mostMs }: BackOff, attempt: number, chance: number): number {
  const whole = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(whole / 2 + (whole / 2) * chance);
}
