import type { VirtualTime } from './virtual-time.js';

/** Time as one process of a client has it: while it is stopped nothing happens in it, and what fell due meanwhile comes after. */
export class StoppableTime {
  readonly #time: VirtualTime;
  #stoppedUntil = 0;
  #dead = false;
  /** What fell due while it was stopped, in this order. */
  #kept: (() => void)[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get now(): number {
    return this.#time.now;
  }
  stopUntil(at: number): void {
    this.#stoppedUntil = at;
  }
  /** Nothing happens in it any more. */
  die(): void {
    this.#dead = true;
  }
  after(delayMs: number, run: () => void): () => void {
    return this.#time.after(delayMs, () => this.inProcess(run));
  }
  inProcess(run: () => void): void {
    if (this.#dead) return;
    if (this.now >= this.#stoppedUntil && this.#kept.length === 0) return run();
    this.#kept.push(run);
    if (this.#kept.length === 1) this.#goOnLater();
  }

  /** A stop may be made longer meanwhile, by what was kept as well. */
  #goOnLater(): void {
    this.#time.after(this.#stoppedUntil - this.now, () => {
      if (this.now < this.#stoppedUntil) return this.#goOnLater();
      for (const run of this.#kept.splice(0)) this.inProcess(run);
    });
  }
}
