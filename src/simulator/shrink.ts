import { runSetup } from './campaign.js';
import { FAULTS_FROM_MS, type Setup } from './setup.js';
import type { Verdict } from './world.js';

/** The smallest world found that still breaks the same invariant. */
export interface Shrunk {
  readonly setup: Setup;
  readonly verdict: Verdict;
  readonly runs: number;
}

/**
 * Takes faults, time and clients away from a world that breaks an invariant, for as long as it breaks the same one: halves
 * of the faults first, then single ones (delta debugging).
 */
export async function shrink(setup: Setup, verdict: Verdict): Promise<Shrunk> {
  let best: Shrunk = { setup, verdict, runs: 0 };
  let runs = 0;
  const accept = async (smaller: Setup): Promise<boolean> => {
    runs++;
    const found = await runSetup(smaller);
    if (found.violation?.invariant !== verdict.violation?.invariant) return false;
    best = { setup: smaller, verdict: found, runs };
    return true;
  };
  await withFewerFaults(() => best.setup, accept);
  const last = best.setup.faults.at(-1)?.atMs ?? FAULTS_FROM_MS;
  // What comes after the last fault may matter: try the shortest first.
  for (const faultsMs of [last + 10, last + 500, last + 2_000].map((end) => end - FAULTS_FROM_MS))
    if (faultsMs < best.setup.faultsMs && (await accept({ ...best.setup, faultsMs }))) break;
  if (best.setup.members > 0) await accept({ ...best.setup, members: 0 });
  while (best.setup.shards > 1 && (await accept({ ...best.setup, shards: best.setup.shards / 2 })));
  return { ...best, runs };
}

async function withFewerFaults(now: () => Setup, accept: (setup: Setup) => Promise<boolean>): Promise<void> {
  for (
    let size = Math.ceil(now().faults.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < now().faults.length;) {
      const setup = now();
      const faults = setup.faults.filter((_, place) => place < at || place >= at + size);
      if (!(await accept({ ...setup, faults }))) at += size;
    }
  }
}
