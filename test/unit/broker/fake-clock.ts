import { type MonotonicMs, monotonicMs, wallMs } from '../../../src/kernel/index.js';
import type { Clock } from '../../../src/replica/index.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Time that only moves when the test says so; the end of a turn is the real one, because the sockets are real. */
export class FakeClock implements Clock {
  #now = 1_000;
  readonly #timers = new Set<Timer>();

  get timers(): number {
    return this.#timers.size;
  }
  monotonic(): MonotonicMs {
    return monotonicMs(this.#now);
  }
  wall() {
    return wallMs(1_700_000_000_000 + this.#now);
  }
  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
    }
    this.#now = until;
  }
}
