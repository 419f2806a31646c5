import { describe, expect, it } from '@jest/globals';
import { World } from './world.js';
import { NOTHING_REACHED } from './world-options.js';

/** One seed: PAXOS_SEED=17. More of them: PAXOS_SEEDS=1000000 PAXOS_FROM=20001. */
const only = process.env['PAXOS_SEED'];
const from = Number(only ?? process.env['PAXOS_FROM'] ?? 1);
const count = only === undefined ? Number(process.env['PAXOS_SEEDS'] ?? 20_000) : 1;
const replay = (seed: number): string =>
  `PAXOS_SEED=${seed} npm run jest -- --selectProjects unit --testPathPatterns paxos/random`;

/** The odd seeds and the even ones are a test file each, so that two cores share them. */
export function describeRandomWorlds(parity: 'odd' | 'even'): void {
  const remainder = parity === 'odd' ? 1 : 0;
  const seeds = Array.from({ length: count }, (_, index) => from + index).filter(
    (seed) => seed % 2 === remainder,
  );

  describe('the core under random faults', () => {
    it(
      `agrees, keeps its promises and recovers, for ${seeds.length} ${parity} seeds from ${from}`,
      () => {
        const reached = { ...NOTHING_REACHED };
        let steps = 0;
        for (const seed of seeds) {
          const world = new World(seed);
          try {
            world.run(200, 500);
          } catch (error) {
            const said = error instanceof Error ? error.message : String(error);
            throw new Error(`seed ${seed}: ${said}\nreplay: ${replay(seed)}`, { cause: error });
          }
          steps += world.steps;
          for (const key of Object.keys(reached) as (keyof typeof reached)[])
            reached[key] += world.reached[key];
        }
        // A run in which nothing ever happens proves nothing.
        if (only === undefined)
          for (const [what, times] of Object.entries(reached))
            expect([what, times > seeds.length / 200]).toEqual([what, true]);
        console.info(`${seeds.length} seeds, ${steps} steps, ${JSON.stringify(reached)}`);
      },
      10 * 60_000,
    );
  });
}
