import type { Random, ReplicaId } from '../kernel/index.js';
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
  /** Its disk has had trouble in this life. */
  troubled: boolean;
  /** Its disk was damaged or lost: it may refuse to start, or follow without a vote. */
  damaged: boolean;
}

/** What faults reach of a world. */
export interface FaultyWorld {
  readonly random: Random;
  readonly trace: Trace;
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  readonly stations: readonly Station[];
  /** A crash; `noticed`: the peers hear of it at once. */
  kill(station: Station, noticed: boolean): void;
}

type Fault = (plan: FaultPlan) => void;

/** What goes wrong while a world runs. The seed draws which kinds there are, and how often each strikes. */
export class FaultPlan {
  readonly world: FaultyWorld;
  readonly random: Random;
  readonly #kinds: readonly Fault[];
  readonly #everyMs: number;
  /** The one disk that may be damaged: the others must keep a quorum of memories. */
  readonly victim: Station;
  #stopped = false;

  constructor(world: FaultyWorld) {
    this.world = world;
    this.random = world.random;
    const { random } = this;
    this.#kinds = Object.values(FAULTS).filter(() => random.chance(0.4));
    this.#everyMs = random.pick([50, 150, 400]);
    this.victim = random.pick(world.stations);
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Undoes a fault later, unless all has healed by then. */
  later(msMax: number, undo: () => void): void {
    this.world.time.after(this.random.below(msMax), () => {
      if (!this.#stopped) undo();
    });
  }

  #next(): void {
    if (this.#kinds.length === 0) return;
    this.world.time.after(this.random.next() * 2 * this.#everyMs, () => {
      if (this.#stopped) return;
      this.random.pick(this.#kinds)(this);
      this.#next();
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

const FAULTS: Readonly<Record<string, Fault>> = {
  crashAtAnEffect: (plan) => plan.any().process?.dieAfter(plan.random.below(30)),
  crashNow: (plan) => plan.world.kill(plan.any(), plan.random.chance(0.5)),
  crashAll: (plan) => {
    if (plan.random.chance(0.8)) return;
    plan.note('the power of all failed');
    for (const station of plan.world.stations) plan.world.kill(station, true);
  },
  cutOneWay: (plan) => {
    const [from, to] = [plan.any(), plan.any()];
    if (from === to) return;
    plan.note('one direction was cut');
    plan.world.network.cut(from.id, to.id);
    plan.later(2_000, () => plan.world.network.mend(from.id, to.id));
  },
  isolate: (plan) => {
    const alone = plan.any();
    plan.note('isolated', alone);
    const others = plan.world.stations.filter((station) => station !== alone);
    for (const { id } of others) {
      plan.world.network.cut(alone.id, id);
      plan.world.network.cut(id, alone.id);
    }
    plan.later(2_500, () => {
      for (const { id } of others) {
        plan.world.network.mend(alone.id, id);
        plan.world.network.mend(id, alone.id);
      }
    });
  },
  resetLink: (plan) => plan.world.network.reset(plan.any().id, plan.any().id),
  slowLinks: (plan) => {
    plan.note('links became slow');
    plan.world.network.bandwidth = 20 + plan.random.below(200);
    plan.later(1_500, () => (plan.world.network.bandwidth = Number.POSITIVE_INFINITY));
  },
  stopProcess: (plan) => {
    const station = plan.any();
    plan.note('stopped', station);
    station.process?.stopUntil(plan.world.time.now + plan.random.below(1_500));
  },
  slowDisk: (plan) => {
    const station = plan.any();
    plan.note('a disk was slow', station);
    station.troubled = true;
    station.disk.trouble.slowMs = plan.random.pick([5, 50, 1_000]);
    plan.later(1_500, () => (station.disk.trouble.slowMs = 0));
  },
  diskFails: (plan) => {
    if (plan.random.chance(0.7)) return;
    const station = plan.any();
    station.troubled = true;
    station.disk.trouble.failsAfter = plan.random.below(10);
    plan.note('a disk failed', station);
    plan.later(800, () => (station.disk.trouble = noTrouble()));
  },
  diskFull: (plan) => {
    if (plan.random.chance(0.5)) return;
    const station = plan.any();
    station.troubled = true;
    station.disk.trouble.room = plan.random.below(6_000);
    plan.note('a disk was full', station);
    plan.later(1_500, () => (station.disk.trouble.room = Number.POSITIVE_INFINITY));
  },
  wallClockJumps: (plan) => {
    const station = plan.any();
    plan.note('a wall clock jumped', station);
    station.wallOffset += plan.random.pick([-1, 1]) * plan.random.below(DAY_MS);
  },
  damage: (plan) => {
    const { victim, world, random } = plan;
    const formed = world.stations.every(({ process }) => process?.replica?.status().standing === 'voter');
    if (victim.damaged || !formed || random.chance(0.5)) return;
    world.kill(victim, true);
    victim.damaged = true;
    if (random.chance(0.4)) {
      plan.note('a disk was wiped', victim);
      return victim.disk.wipe();
    }
    plan.note('a disk rotted', victim);
    for (let flips = 1 + random.below(3); flips > 0; flips--) victim.disk.rot();
  },
};
