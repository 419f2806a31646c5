import type { Random, ShardId } from '../kernel/index.js';
import type { UnderWay } from './disk.js';
import { forgotPromise, type History, type ToldOthers } from './history.js';
import { type FoundShard, type Owed, rehearseCrash, rehearseDamage } from './rehearsal.js';
import { type Setup, stream } from './setup.js';
import type { Station } from './strike.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

/** How likely a crash is rehearsed before a change of a directory, while a write is under way, and before any other effect of a disk. */
const BEFORE: Readonly<Record<string, number>> = {
  directory: 0.2,
  "write's end": 0.002,
  "cut write's end": 0.15,
} satisfies Record<'directory' | UnderWay, number>;
const BEFORE_OTHERS = 0.005;
const WITH_DAMAGE = 0.3;

/** Crashes that could happen now, on copies of the disks: a fault need not wait for the crash that would show it. */
export class CrashRehearsals {
  readonly #setup: Setup;
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  readonly #history: History;
  readonly #random: Random;

  constructor(setup: Setup, time: VirtualTime, trace: Trace, history: History) {
    this.#setup = setup;
    this.#time = time;
    this.#trace = trace;
    this.#history = history;
    this.#random = stream(setup.seed, 'rehearsals');
  }

  /** A disk is about to do something. `told`: what its replica told others; asked only when it is needed. */
  before(what: string, station: Station, told: () => ReadonlyMap<ShardId, ToldOthers>): void {
    const random = this.#random;
    if (this.#setup.rehearses !== true || station.damaged) return;
    if (!random.chance(BEFORE[what] ?? BEFORE_OTHERS)) return;
    this.#trace.reached('a crash was rehearsed');
    const { id: replica, process, reached = 0 } = station;
    const known = told();
    const owed: Owed = { position: process?.position() ?? reached, lacks: (found) => lacks(known, found) };
    const { image } = station.disk.afterPowerFailure(random);
    const { shards, segmentBytes } = this.#setup;
    const rehearse = random.chance(WITH_DAMAGE) ? rehearseDamage : rehearseCrash;
    const at = this.#time.now;
    rehearse(image, owed, { shards, segmentBytes, random }).then(
      (problem) => {
        if (problem !== undefined) this.#history.rehearsed.push({ at, replica, before: what, problem });
      },
      (error: unknown) => {
        throw error;
      },
    );
  }
}

function lacks(told: ReadonlyMap<ShardId, ToldOthers>, found: readonly FoundShard[]): string | undefined {
  for (const [shard, before] of told) {
    const { ballot, through } = before;
    const own = found[shard]!;
    if (forgotPromise(before, own))
      return `in shard ${shard} it had promised ${JSON.stringify(ballot)}, and knows ${JSON.stringify(own.ballot)}`;
    if (own.through < through)
      return `in shard ${shard} it had accepted through slot ${through}, and has them through ${own.through}`;
  }
  return undefined;
}
