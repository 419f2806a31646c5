import type { Random, ReplicaId } from '../kernel/index.js';
import type { DiskImage, SimulatedDisk } from './disk.js';
import type { SimulatedNetwork } from './network.js';
import type { SimulatedProcess } from './process.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

/** What somebody wrote into the settings of one replica. Times in milliseconds. */
export interface OddSettings {
  readonly leaseMs?: number;
  readonly replicas?: number;
}

/** One replica over all its lives. */
export interface Station {
  readonly id: ReplicaId;
  readonly disk: SimulatedDisk;
  readonly drift: number;
  wallOffset: number;
  /** The feature level of the version that it will run from its next start on, and of the one that it started with last. */
  level: number;
  runs: number;
  /** It was rolled back although all had been upgraded: it may refuse to start, and may end. */
  tooOld: boolean;
  /** Other settings than those of the others. */
  odd: OddSettings;
  /** Its wall clock was wrong once. */
  wallJumped: boolean;
  /** It never starts again. */
  isGone: boolean;
  process: SimulatedProcess | undefined;
  /** Of its disk, when it was opened last. */
  incarnation: string | undefined;
  /** How often it was started. */
  lives: number;
  /** Its disk has had trouble in this life. */
  troubled: boolean;
  /** How far its disk had come when its last process died; undefined when an older copy was restored since. */
  reached: number | undefined;
  /** Its disk was damaged or lost: it may refuse to start, or follow without a vote. */
  damaged: boolean;
  /** Its disk was wiped, zeroed, set back or found corrupt: it has forgotten promises, and all can tell. */
  forgot: boolean;
  /** So many of its next starts fail half-way: another process has the port. */
  portTaken: number;
  /** What an operator has put aside, and how far the disk had come then. */
  copy: { readonly image: DiskImage; readonly position: number } | undefined;
}

/** What faults reach of a world. */
export interface FaultyWorld {
  readonly trace: Trace;
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  readonly stations: readonly Station[];
  /** Those that run, or will again. */
  readonly placed: readonly Station[];
  readonly electionTimeoutMs: number;
  /** The feature level of the version that all began with; undefined: the present one. */
  readonly olderLevel: number | undefined;
  /** There was a moment at which all ran the present version. */
  readonly allUpgraded: boolean;
  readonly shards: number;
  /** A log is cut when it has grown by so much. */
  readonly compactionBytes: number;
  /** A crash; `noticed`: the peers hear of it at once. It comes back after a while, or after `backAfterMs`. */
  kill(station: Station, noticed: boolean, backAfterMs?: number): void;
  /** A restart by an operator: `inOrder` as after SIGTERM, otherwise a crash. */
  restart(station: Station, inOrder: boolean, backAfterMs: number): void;
}

/** One fault that strikes. It draws from a source of its own, so that others may be left out without changing it. */
export class Strike {
  readonly world: FaultyWorld;
  readonly random: Random;
  /** The one disk that may be damaged: the others must keep a quorum of memories. */
  readonly victim: Station;
  readonly #over: () => boolean;

  /** `over`: all has healed. */
  constructor(world: FaultyWorld, random: Random, victim: Station, over: () => boolean) {
    this.world = world;
    this.random = random;
    this.victim = victim;
    this.#over = over;
  }

  /** Undoes the fault some time later, unless all has healed by then. */
  later(msMax: number, undo: () => void): void {
    this.after(this.random.below(msMax), undo);
  }
  after(delayMs: number, next: () => void): void {
    this.world.time.after(delayMs, () => {
      if (!this.#over()) next();
    });
  }
  any(): Station {
    return this.random.pick(this.world.placed);
  }
  others(station: Station): readonly Station[] {
    return this.world.placed.filter((other) => other !== station);
  }
  note(what: string, station?: Station): void {
    const { trace, time } = this.world;
    trace.note(time.now, station === undefined ? what : `${what} ${station.id}`);
    trace.reached(what);
  }
}

export type Fault = (strike: Strike) => void;
