import { type Random, seededRandom } from '../../kernel/index.js';
import type { FaultKind, PlannedFault } from '../fault-kinds.js';
import { type Fault, type FaultyWorld, type Station, Strike } from '../strike.js';
import { BEHIND_FAULTS } from './behind.js';
import { DISK_FAULTS } from './disk.js';
import { NETWORK_FAULTS } from './network.js';
import { PROCESS_FAULTS } from './process.js';
import { VERSION_FAULTS } from './versions.js';
import { majorityMoves } from './majority-moves.js';

const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  ...DISK_FAULTS,
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...VERSION_FAULTS,
  ...BEHIND_FAULTS,
  majorityMoves,
};

/** What goes wrong while a world runs, at its moments. */
export class FaultPlan {
  #stopped = false;
  /** The one disk that may be damaged is of this one. */
  readonly victim: Station;

  constructor(world: FaultyWorld, faults: readonly PlannedFault[], random: Random) {
    const victim: Station = random.pick(world.placed);
    this.victim = victim;
    for (const { atMs, kind, seed } of faults) {
      const strike = new Strike(world, seededRandom(seed), victim, () => this.#stopped);
      world.time.after(atMs - world.time.now, () => {
        if (!this.#stopped) FAULTS[kind](strike);
      });
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}
