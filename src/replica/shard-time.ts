import { type MonotonicMs, type WallMs, wallMs } from '../kernel/index.js';
import type { Clock } from './ports.js';

/** How fast the time of a shard goes on while it is ahead of what the clocks agree on, so that they meet. */
const SLOWER = 0.95;

/**
 * The time that stands on the commands of one shard. It never stands still and never goes back: where the shard is ahead
 * of what the clocks of the cluster agree on, it goes on from there by the monotonic clock.
 */
export class ShardTime {
  readonly #clock: Clock;
  readonly #agreed: (now: MonotonicMs) => WallMs | undefined;
  /** The time of the newest command that was applied, and when that was. */
  #reached: WallMs;
  #reachedAt: number;

  /** `agreed`: what the clocks of the cluster agree on; undefined while that is not known. */
  constructor(clock: Clock, agreed: (now: MonotonicMs) => WallMs | undefined, reached: WallMs) {
    this.#clock = clock;
    this.#agreed = agreed;
    this.#reached = reached;
    this.#reachedAt = clock.monotonic();
  }

  reached(time: WallMs): void {
    if (time <= this.#reached) return;
    this.#reached = time;
    this.#reachedAt = this.#clock.monotonic();
  }

  stamp(now: MonotonicMs = this.#clock.monotonic()): WallMs {
    const elapsed = (now - this.#reachedAt) * SLOWER;
    const own = wallMs(this.#reached + elapsed);
    // The first command of a cluster needs a time, whatever is known by then.
    const agreed = this.#agreed(now) ?? (this.#reached === 0 ? this.#clock.wall() : own);
    return wallMs(Math.max(own, agreed));
  }
}
