import { unwatched, type Work } from '../kernel/index.js';
import type { Clock } from '../replica/index.js';

/** So long a turn of the loop starts requests, and so long it writes answers. Milliseconds. */
const TURN_MS = 8;
/** So many requests a connection starts, before it is another one's turn. */
const SHARE = 4;

/** A connection, as far as its work is shared out over turns. */
export interface Worker {
  /** Among those that are to be flushed; kept by `Turns`. */
  touched: boolean;
  /** Its next request is one of a rebalance: of those thousands may come at once. */
  readonly joins: boolean;
  /** Starts requests that have come, as long as there is time. */
  resume(): void;
  /** Writes the answers whose turn has come. */
  flush(): void;
}

/** Who waits, first come first served. */
class Line {
  readonly #waiting = new Set<Worker>();
  /** Goes on where it was: a new one would pass by all places that those before it have left. */
  #places = this.#waiting.values();

  get length(): number {
    return this.#waiting.size;
  }
  add(worker: Worker): void {
    this.#waiting.add(worker);
  }
  delete(worker: Worker): void {
    this.#waiting.delete(worker);
  }
  take(): Worker | undefined {
    if (this.#waiting.size === 0) return undefined;
    let { value } = this.#places.next();
    // It ended when the line was empty.
    if (value === undefined) {
      this.#places = this.#waiting.values();
      ({ value } = this.#places.next());
    }
    this.#waiting.delete(value!);
    return value;
  }
}

/**
 * Shares the work for clients out over turns of the loop. What does not fit into a turn waits for the next one, and the loop looks
 * at timers and at the other replicas in between: however many clients speak at once, a heartbeat between replicas is not late
 * because of them. Connections wait in two lines, which are served in turn: those that join or sync next, and all others, so that
 * no heartbeat and no commit waits until a large group is formed.
 */
export class Turns {
  readonly #clock: Pick<Clock, 'monotonic' | 'endOfTurn'>;
  /** When the time for starting requests in this turn is over; undefined before the first one. */
  #until: number | undefined;
  #open = false;
  #touched: Worker[] = [];
  /** The line whose turn it is comes first. */
  #lines: readonly [Line, Line];
  readonly #joining = new Line();
  readonly #others = new Line();

  /** `work`: told what runs on the loop. */
  constructor(
    clock: Pick<Clock, 'monotonic' | 'endOfTurn'>,
    readonly work: Work = unwatched,
  ) {
    this.#clock = clock;
    this.#lines = [this.#others, this.#joining];
  }

  /** Whether a connection that has just started so many requests may start one more. Otherwise it is to say `later`. */
  allow(started: number): boolean {
    return this.#hasTime() && (started < SHARE || this.starved === 0);
  }
  #hasTime(): boolean {
    const now = this.#clock.monotonic();
    if (this.#until === undefined) {
      this.#until = now + TURN_MS;
      this.#openTurn();
    }
    return now < this.#until;
  }
  /** To be resumed in a turn that has time. */
  later(worker: Worker): void {
    (worker.joins ? this.#joining : this.#others).add(worker);
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
    return this.#joining.length + this.#others.length;
  }
  forget(worker: Worker): void {
    this.#joining.delete(worker);
    this.#others.delete(worker);
  }
  #takeNext(): Worker | undefined {
    const [first, second] = this.#lines;
    this.#lines = [second, first];
    return first.take() ?? second.take();
  }

  #openTurn(): void {
    if (this.#open) return;
    this.#open = true;
    this.#clock.endOfTurn(this.#turnEnds);
  }
  /** Made once: there are thousands of turns a second. */
  readonly #turnEnds = (): void => this.work('requests', this.#end);
  readonly #end = (): void => this.#endTurn();
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
    while (this.starved > 0 && this.#hasTime()) this.#takeNext()?.resume();
    if (this.starved > 0) this.#openTurn();
  }
}
