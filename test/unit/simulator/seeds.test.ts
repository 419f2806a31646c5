import { describe, expect, it } from '@jest/globals';
import { runSeed } from '../../../src/simulator/index.js';

const FIRST = Number(process.env['SEED'] ?? 1);
const SEEDS = Number(process.env['SEEDS'] ?? 4);

describe('whole replicas in a seeded world', () => {
  it(`break no invariant, and each seed runs the same twice: ${SEEDS} seeds from ${FIRST}`, async () => {
    let operations = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const verdict = await runSeed(seed);
      expect({ seed, violation: verdict.violation }).toEqual({ seed, violation: undefined });
      expect({ seed, hash: (await runSeed(seed)).hash }).toEqual({ seed, hash: verdict.hash });
      operations += verdict.operations;
    }
    expect(operations).toBeGreaterThan(SEEDS * 100);
  }, 600_000);
});
