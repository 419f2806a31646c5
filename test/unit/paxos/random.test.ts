import { describe, expect, it } from '@jest/globals';
import { World } from './world.js';

/** One seed: PAXOS_SEED=17. More of them: PAXOS_SEEDS=1000000 PAXOS_FROM=20001. */
const only = process.env['PAXOS_SEED'];
const from = Number(only ?? process.env['PAXOS_FROM'] ?? 1);
const count = only === undefined ? Number(process.env['PAXOS_SEEDS'] ?? 20_000) : 1;

describe('the core under random faults', () => {
  it(
    `agrees, keeps its promises and recovers, for ${count} seeds from ${from}`,
    () => {
      const reached = { elections: 0, snapshots: 0, transfers: 0, reads: 0, restarts: 0 };
      let steps = 0;
      for (let seed = from; seed < from + count; seed++) {
        const world = new World(seed);
        try {
          world.run(200, 500);
        } catch (error) {
          const replay = `PAXOS_SEED=${seed} npm run jest -- --selectProjects unit --testPathPatterns paxos/random`;
          throw new Error(
            `seed ${seed}: ${error instanceof Error ? error.message : String(error)}\nreplay: ${replay}`,
            { cause: error },
          );
        }
        steps += world.steps;
        for (const key of Object.keys(reached) as (keyof typeof reached)[])
          reached[key] += world.reached[key];
      }
      // A run in which nothing ever happens proves nothing.
      if (only === undefined)
        for (const [what, times] of Object.entries(reached))
          expect([what, times > count / 100]).toEqual([what, true]);
      console.info(`${count} seeds, ${steps} steps, ${JSON.stringify(reached)}`);
    },
    10 * 60_000,
  );
});
