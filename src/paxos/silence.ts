/** How long another side may say nothing before it counts as gone. */

import { type MonotonicMs, monotonicMs } from '../kernel/index.js';

/** Silence of so many times the worst recent gap between two signs of life is more than slowness. */
const WORST_GAPS = 3;
/** However slow everything is: after so many election timeouts silence counts. */
const TIMEOUTS_MAX = 4;
/** After so long a gap counts for half. Milliseconds. */
const HALF_LIFE_MS = 10_000;

/**
 * The limit follows what is measured: one election timeout while signs of life come steadily, up to four on a network or
 * machine where they are late. Time in which this replica itself did not run is excused (`excuse`).
 */
export class Silence {
  readonly #timeoutMs: number;
  #heardAt: MonotonicMs;
  #worstGapMs = 0;

  constructor(electionTimeoutMs: number, now: MonotonicMs) {
    this.#timeoutMs = electionTimeoutMs;
    this.#heardAt = now;
  }

  /** A sign of life. */
  heard(now: MonotonicMs): void {
    const gapMs = Math.max(0, now - this.#heardAt);
    this.#worstGapMs = Math.max(gapMs, this.#worstGapMs * 2 ** (-gapMs / HALF_LIFE_MS));
    this.#heardAt = monotonicMs(Math.max(now, this.#heardAt));
  }

  /** Waits anew, for somebody else: the time before says nothing about it. */
  restart(now: MonotonicMs): void {
    this.#heardAt = now;
  }

  /** This replica did not run for so long, so it could not hear. What it has heard since counts from when it was heard. */
  excuse(ms: number, now: MonotonicMs): void {
    this.#heardAt = monotonicMs(Math.max(this.#heardAt, Math.min(now, this.#heardAt + ms)));
  }

  /** When it counts, unless something is heard before. */
  get endsAt(): MonotonicMs {
    const limitMs = Math.min(
      TIMEOUTS_MAX * this.#timeoutMs,
      Math.max(this.#timeoutMs, WORST_GAPS * this.#worstGapMs),
    );
    return monotonicMs(this.#heardAt + limitMs);
  }
}
