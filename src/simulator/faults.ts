import { type Random, type ReplicaId, seededRandom } from '../kernel/index.js';
import type { FaultKind, PlannedFault } from './fault-kinds.js';
import { noTrouble, type SimulatedDisk } from './disk.js';
import type { SimulatedNetwork } from './network.js';
import type { SimulatedProcess } from './process.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

const DAY_MS = 24 * 3_600_000;

/** One replica over all its lives. */
export interface Station {
  readonly id: ReplicaId;
  readonly disk: SimulatedDisk;
  readonly drift: number;
  wallOffset: number;
  process: SimulatedProcess | undefined;
  /** How often it was started. */
  lives: number;
  /** Its disk has had trouble in this life. */
  troubled: boolean;
  /** Its disk was damaged or lost: it may refuse to start, or follow without a vote. */
  damaged: boolean;
}

/** What faults reach of a world. */
export interface FaultyWorld {
  readonly trace: Trace;
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  readonly stations: readonly Station[];
  /** A crash; `noticed`: the peers hear of it at once. */
  kill(station: Station, noticed: boolean): void;
}

/** What goes wrong while a world runs, at its moments. */
export class FaultPlan {
  readonly world: FaultyWorld;
  /** The one disk that may be damaged: the others must keep a quorum of memories. */
  readonly victim: Station;
  #stopped = false;

  constructor(world: FaultyWorld, faults: readonly PlannedFault[], random: Random) {
    this.world = world;
    this.victim = random.pick(world.stations);
    for (const { atMs, kind, seed } of faults) {
      const strike = new Strike(this, seededRandom(seed));
      world.time.after(atMs - world.time.now, () => {
        if (!this.#stopped) FAULTS[kind](strike);
      });
    }
  }

  stop(): void {
    this.#stopped = true;
  }
  get stopped(): boolean {
    return this.#stopped;
  }
}

/** One fault that strikes. It draws from a source of its own, so that others may be left out without changing it. */
class Strike {
  readonly world: FaultyWorld;
  readonly random: Random;
  readonly #plan: FaultPlan;

  constructor(plan: FaultPlan, random: Random) {
    this.#plan = plan;
    this.world = plan.world;
    this.random = random;
  }

  get victim(): Station {
    return this.#plan.victim;
  }
  /** Undoes the fault later, unless all has healed by then. */
  later(msMax: number, undo: () => void): void {
    this.world.time.after(this.random.below(msMax), () => {
      if (!this.#plan.stopped) undo();
    });
  }
  any(): Station {
    return this.random.pick(this.world.stations);
  }
  note(what: string, station?: Station): void {
    const { trace, time } = this.world;
    trace.note(time.now, station === undefined ? what : `${what} ${station.id}`);
    trace.reached(what);
  }
}

type Fault = (strike: Strike) => void;

const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  crashAtAnEffect: (strike) => strike.any().process?.dieAfter(strike.random.below(30)),
  crashNow: (strike) => strike.world.kill(strike.any(), strike.random.chance(0.5)),
  crashAll: (strike) => {
    if (strike.random.chance(0.8)) return;
    strike.note('the power of all failed');
    for (const station of strike.world.stations) strike.world.kill(station, true);
  },
  cutOneWay: (strike) => {
    const [from, to] = [strike.any(), strike.any()];
    if (from === to) return;
    strike.note('one direction was cut');
    strike.world.network.cut(from.id, to.id);
    strike.later(2_000, () => strike.world.network.mend(from.id, to.id));
  },
  isolate: (strike) => {
    const alone = strike.any();
    strike.note('isolated', alone);
    const others = strike.world.stations.filter((station) => station !== alone);
    for (const { id } of others) {
      strike.world.network.cut(alone.id, id);
      strike.world.network.cut(id, alone.id);
    }
    strike.later(2_500, () => {
      for (const { id } of others) {
        strike.world.network.mend(alone.id, id);
        strike.world.network.mend(id, alone.id);
      }
    });
  },
  resetLink: (strike) => strike.world.network.reset(strike.any().id, strike.any().id),
  slowLinks: (strike) => {
    strike.note('links became slow');
    strike.world.network.bandwidth = 20 + strike.random.below(200);
    strike.later(1_500, () => (strike.world.network.bandwidth = Number.POSITIVE_INFINITY));
  },
  stopProcess: (strike) => {
    const station = strike.any();
    strike.note('stopped', station);
    station.process?.stopUntil(strike.world.time.now + strike.random.below(1_500));
  },
  slowDisk: (strike) => {
    const station = strike.any();
    strike.note('a disk was slow', station);
    station.troubled = true;
    station.disk.trouble.slowMs = strike.random.pick([5, 50, 1_000]);
    strike.later(1_500, () => (station.disk.trouble.slowMs = 0));
  },
  diskFails: (strike) => {
    if (strike.random.chance(0.7)) return;
    const station = strike.any();
    station.troubled = true;
    station.disk.trouble.failsAfter = strike.random.below(10);
    strike.note('a disk failed', station);
    strike.later(800, () => (station.disk.trouble = noTrouble()));
  },
  diskFull: (strike) => {
    if (strike.random.chance(0.5)) return;
    const station = strike.any();
    station.troubled = true;
    station.disk.trouble.room = strike.random.below(6_000);
    strike.note('a disk was full', station);
    strike.later(1_500, () => (station.disk.trouble.room = Number.POSITIVE_INFINITY));
  },
  wallClockJumps: (strike) => {
    const station = strike.any();
    strike.note('a wall clock jumped', station);
    station.wallOffset += strike.random.pick([-1, 1]) * strike.random.below(DAY_MS);
  },
  damage: (strike) => {
    const { victim, world, random } = strike;
    const formed = world.stations.every(({ process }) => process?.replica?.status().standing === 'voter');
    if (victim.damaged || !formed || random.chance(0.5)) return;
    world.kill(victim, true);
    victim.damaged = true;
    if (random.chance(0.4)) {
      strike.note('a disk was wiped', victim);
      return victim.disk.wipe();
    }
    strike.note('a disk rotted', victim);
    for (let flips = 1 + random.below(3); flips > 0; flips--) victim.disk.rot();
  },
};
