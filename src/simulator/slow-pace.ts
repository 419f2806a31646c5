import { seededRandom } from '../kernel/index.js';
import type { ApplyPace, Entropy, Replica } from '../replica/index.js';
import type { Setup } from './setup.js';

/** After one turn in so many that it applies, others have the loop for long. Milliseconds at most. */
const LONG_TURNS = 0.05;
const LONG_TURN_MS = 60;

/** Groups are small in a world: whatever may come between two commands, or between two steps of one, does here. */
export function slowPace(
  { appliesSlowly }: Setup,
  entropy: Entropy,
  later: (delayMs: number, run: () => void) => void,
): { readonly applyPace?: ApplyPace } {
  if (appliesSlowly !== true) return {};
  const random = seededRandom(entropy.seed());
  const pauseMs = (): number => (random.chance(LONG_TURNS) ? random.next() * LONG_TURN_MS : 0);
  return { applyPace: { membersAStep: 1, turnMs: 0, later: (goOn) => later(pauseMs(), goOn) } };
}

/** A command is under way in one of its shards. */
export const isApplying = (replica: Replica | undefined): boolean =>
  replica?.status().shards.some(({ shard }) => replica.peek(shard).underWay) === true;
