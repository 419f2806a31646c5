import { monotonicMs, wallMs } from '../../kernel/index.js';
import { type Clock, systemClock } from '../../replica/index.js';
import type { Gate } from './gate.js';

/** The time of a test cluster: the machine's, or one that stands still until it is advanced. */
export interface TestTime {
  readonly clock: Clock;
  /** Runs `ms` of virtual time. */
  advance(ms: number): Promise<void>;
}

export const realTime: TestTime = {
  clock: systemClock,
  advance: () =>
    Promise.reject(
      new Error(
        "this cluster runs on the machine's clock: start it with startTestCluster({ clock: 'virtual' }) to advance its time",
      ),
    ),
};

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Turns of the real loop after which nothing more comes of what has just run, besides what clients send. */
const TURNS_TO_SETTLE = 3;

/** Time that moves by `advance` alone. What is due at one instant runs in the order in which it was asked for. */
export class VirtualTime implements TestTime {
  readonly clock: Clock;
  #now = 0;
  #order = 0;
  #timers: Timer[] = [];
  /** Work for the end of a turn that has not run yet. */
  #underWay = 0;
  #advancing: Promise<void> = Promise.resolve();

  constructor() {
    const startedAt = Date.now();
    this.clock = {
      monotonic: () => monotonicMs(this.#now),
      wall: () => wallMs(startedAt + Math.round(this.#now)),
      after: (delayMs, callback) => this.#after(delayMs, callback),
      endOfTurn: (callback) => {
        this.#underWay++;
        setImmediate(() => {
          this.#underWay--;
          callback();
        });
      },
    };
  }

  /** One after the other, when asked twice. */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0)) return Promise.reject(new Error(`advance(${ms}): give milliseconds, 0 or more`));
    this.#advancing = this.#advancing.then(() => this.#advance(ms));
    return this.#advancing;
  }

  async #advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.#settle();
    for (;;) {
      const due = this.#timers[0];
      if (due === undefined || due.at > until) break;
      this.#timers.shift();
      this.#now = Math.max(this.#now, due.at);
      due.run();
      if (this.#timers[0]?.at !== due.at) await this.#settle();
    }
    this.#now = until;
    await this.#settle();
  }

  /** Until the replicas have nothing more to say to each other. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < TURNS_TO_SETTLE; quiet = this.#underWay === 0 ? quiet + 1 : 0)
      await new Promise<void>((resolve) => setImmediate(resolve));
  }

  #after(delayMs: number, run: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run };
    let low = 0;
    for (let high = this.#timers.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#timers[middle]!.at <= timer.at) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at >= 0) this.#timers.splice(at, 1);
    };
  }
}

/** The same clock, for one replica: what it calls back passes the gate. */
export const gatedClock = (clock: Clock, gate: Gate): Clock => ({
  monotonic: () => clock.monotonic(),
  wall: () => clock.wall(),
  after: (delayMs, callback) => {
    let wanted = true;
    const cancel = clock.after(delayMs, () => {
      gate.run(() => {
        if (wanted) callback();
      });
    });
    return () => {
      wanted = false;
      cancel();
    };
  },
  endOfTurn: (callback) => clock.endOfTurn(() => gate.run(callback)),
});
