import { unwatched, type Work } from '../kernel/index.js';
import type { Clock } from '../replica/index.js';

/** So long a turn of the loop starts requests, and so long it writes answers. Milliseconds. */
const TURN_MS = 8;

/** A connection, as far as its work is shared out over turns. */
export interface Worker {
  /** Among those that are to be flushed; kept by `Turns`. */
  touched: boolean;
  /** Starts requests that have come, as long as there is time. */
  resume(): void;
  /** Writes the answers whose turn has come. */
  flush(): void;
}

/**
 * Shares the work for clients out over turns of the loop. What does not fit into a turn waits for the next one, first come
 * first served, and the loop looks at timers and at the other replicas in between: however many clients speak at once, a
 * heartbeat between replicas is not late because of them.
 */
export class Turns {
  readonly #clock: Pick<Clock, 'monotonic' | 'endOfTurn'>;
  /** When the time for starting requests in this turn is over; undefined before the first one. */
  #until: number | undefined;
  #open = false;
  #touched: Worker[] = [];
  readonly #starved = new Set<Worker>();

  /** `work`: told what runs on the loop. */
  constructor(
    clock: Pick<Clock, 'monotonic' | 'endOfTurn'>,
    readonly work: Work = unwatched,
  ) {
    this.#clock = clock;
  }

  /** Whether this turn has time for one more request. */
  hasTime(): boolean {
    const now = this.#clock.monotonic();
    if (this.#until === undefined) {
      this.#until = now + TURN_MS;
      this.#openTurn();
    }
    return now < this.#until;
  }
  /** To be resumed in a turn that has time. */
  later(worker: Worker): void {
    this.#starved.add(worker);
    this.#openTurn();
  }
  /** To be flushed at the end of this turn: one write for all answers that the turn gathered. */
  touch(worker: Worker): void {
    if (worker.touched) return;
    worker.touched = true;
    this.#touched.push(worker);
    this.#openTurn();
  }
  /** How many wait for a turn that has time. */
  get starved(): number {
    return this.#starved.size;
  }
  forget(worker: Worker): void {
    this.#starved.delete(worker);
  }

  #openTurn(): void {
    if (this.#open) return;
    this.#open = true;
    this.#clock.endOfTurn(() => this.work('requests', () => this.#endTurn()));
  }
  #endTurn(): void {
    this.#open = false;
    this.#until = undefined;
    const until = this.#clock.monotonic() + TURN_MS;
    const touched = this.#touched;
    this.#touched = [];
    let flushed = 0;
    for (; flushed < touched.length && (flushed === 0 || this.#clock.monotonic() < until); flushed++) {
      touched[flushed]!.touched = false;
      touched[flushed]!.flush();
    }
    if (flushed < touched.length) {
      this.#touched = [...touched.slice(flushed), ...this.#touched];
      this.#openTurn();
    }
    for (const worker of this.#starved) {
      if (!this.hasTime()) break;
      this.#starved.delete(worker);
      worker.resume();
    }
    if (this.#starved.size > 0) this.#openTurn();
  }
}
