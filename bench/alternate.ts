import { median } from '../test/harness/waiting.js';

/** One update of the thing under measurement; `i` makes the values differ. */
export type Update = (i: number) => Promise<unknown>;

export interface Rounds {
  readonly rounds: number;
  /** Updates of one way in a row, before the next way has its turn. */
  readonly burst: number;
}

/**
 * Ways of doing the same, in short bursts in turn: what the machine does besides hits all of them alike, and so does what
 * the runtime learns in the first rounds, which do not count. Medians, in microseconds for each update.
 */
export async function alternate<K extends string>(
  ways: Readonly<Record<K, Update>>,
  { rounds, burst }: Rounds,
): Promise<Record<K, number>> {
  const names = Object.keys(ways) as K[];
  const took = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, number[]>;
  const warmUp = Math.ceil(rounds / 6);
  for (let round = -warmUp; round < rounds; round++) {
    // Each round begins with another: what comes at regular intervals, such as a checkpoint, must not always hit the same one.
    names.push(names.shift()!);
    for (const name of names) {
      const from = performance.now();
      for (let i = 0; i < burst; i++) await ways[name](i);
      if (round >= 0) took[name].push(((performance.now() - from) / burst) * 1_000);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(took[name])])) as Record<K, number>;
}
