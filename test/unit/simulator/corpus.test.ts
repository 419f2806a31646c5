import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { runSetup, type Setup } from '../../../src/simulator/index.js';

interface Kept {
  /** What it showed. */
  readonly found: string;
  /** What it must still reach: otherwise it shows nothing any more. */
  readonly reaches: readonly string[];
  readonly setup: Setup;
}

const CORPUS = JSON.parse(readFileSync(new URL('corpus.json', import.meta.url), 'utf8')) as readonly Kept[];

describe('worlds that once broke an invariant', () => {
  for (const { found, reaches, setup } of CORPUS) {
    it(`hold now: ${found}`, async () => {
      const { violation, goals } = await runSetup(setup);
      expect(violation).toBeUndefined();
      expect([...goals.keys()]).toEqual(expect.arrayContaining([...reaches]));
    }, 600_000);
  }
});
