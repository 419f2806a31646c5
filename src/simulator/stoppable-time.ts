import type { VirtualTime } from './virtual-time.js';

/** Time as one process of a client has it: while it is stopped nothing happens in it, and what fell due meanwhile comes after. */
export class StoppableTime {
  readonly #time: VirtualTime;
  #stoppedUntil = 0;
  #dead = false;

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
    const leftMs = this.#stoppedUntil - this.#time.now;
    if (leftMs > 0) this.#time.after(leftMs, () => this.inProcess(run));
    else run();
  }
}
