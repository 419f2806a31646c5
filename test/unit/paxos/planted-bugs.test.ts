import { describe, expect, it } from '@jest/globals';
import { InvariantError } from '../../../src/kernel/index.js';
import { planted } from './mutants.js';
import { Violation } from './checks.js';
import { type Mutant, World } from './world.js';

/** Of the 20,000 seeds that random-*.test.ts run, every planted bug must fall within these. */
const SEEDS_MAX = 5000;

/** The first seed whose world says of the bug what it should, and its words. */
function hunt(plant: () => Mutant, symptom: RegExp): { readonly seed: number; readonly said: string } {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    try {
      new World(seed, plant()).run(200, 500);
    } catch (error) {
      // Anything but a violation is a fault of the test, not a find.
      if (!(error instanceof Violation || error instanceof InvariantError)) throw error;
      if (symptom.test(error.message)) return { seed, said: error.message };
    }
  }
  throw new Error(`not caught in ${SEEDS_MAX} seeds`);
}

describe('planted bugs', () => {
  it.each(planted.map((bug) => ({ ...bug, name: bug.plant().name })))(
    '$name is caught',
    ({ name, plant, symptom }) => {
      const { seed, said } = hunt(plant, symptom);
      console.info(`${name}: seed ${seed}: ${said}`);
      // The same seed without the bug is sound: it is the bug that was found.
      expect(() => new World(seed).run(200, 500)).not.toThrow();
    },
    10 * 60_000,
  );
});
