import { backOffMs } from '../client/index.js';
import { NotOwnedError } from '../locking/index.js';
import type { CheckedOptions } from './options.js';
import { aborted, pausing } from './pausing.js';
import type { RunningLease } from './running-lease.js';
import { Seals } from './seals.js';
import { LeaseEndedError } from './types.js';

const RESTART_MS_MAX = 30_000;

/** At most so many at a time, in the order in which they came. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  constructor(slots: number) {
    this.#free = slots;
  }
  /** False: the signal has aborted first. */
  async take(signal: AbortSignal): Promise<boolean> {
    while (this.#free < 1 && !signal.aborted) {
      let wake = (): void => undefined;
      const free = new Promise<void>((resume) => this.#waiting.push((wake = resume)));
      await Promise.race([free, aborted(signal)]);
      if (signal.aborted) this.#forget(wake);
    }
    if (signal.aborted) return false;
    this.#free--;
    return true;
  }
  #forget(wake: () => void): void {
    const at = this.#waiting.indexOf(wake);
    // It was woken for a place that it does not take.
    if (at < 0) this.#waiting.shift()?.();
    else this.#waiting.splice(at, 1);
  }
  give(): void {
    this.#free++;
    this.#waiting.shift()?.();
  }
}

interface HandlersPort {
  failed(error: Error, lease: RunningLease): void;
  /** What else has to settle when the lease has ended. */
  ended(lease: RunningLease): Promise<void>;
}

/** Runs the handler of each lease: seals, position, handler; again after a throw, until the lease ends. */
export class Handlers {
  readonly #options: CheckedOptions;
  readonly #port: HandlersPort;
  readonly #slots: Slots;
  readonly #seals: Seals;

  constructor(options: CheckedOptions, port: HandlersPort) {
    this.#options = options;
    this.#port = port;
    this.#slots = new Slots(options.concurrency);
    this.#seals = new Seals(options.stores);
  }

  /** Looks whether the stores still know the seals of the handlers that run. */
  checkSeals(): Promise<void> {
    return this.#seals.check((error, lease) => this.#port.failed(error, lease));
  }

  /** Resolves when the lease has ended and its handler has settled. */
  async run(lease: RunningLease): Promise<void> {
    const backOff = { firstMs: this.#options.restartMs, mostMs: RESTART_MS_MAX };
    for (let attempt = 0; !lease.signal.aborted; attempt++) {
      try {
        if (await this.#once(lease)) break;
      } catch (error) {
        if (!isEnd(lease, error)) this.#port.failed(error as Error, lease);
      }
      await pausing(backOffMs(backOff, attempt, Math.random()), lease.signal);
    }
    await aborted(lease.signal);
    await this.#port.ended(lease);
  }

  /** False: it did not come to run. */
  async #once(lease: RunningLease): Promise<boolean> {
    if (!(await this.#slots.take(lease.signal))) return false;
    try {
      await this.#seals.make(lease);
      await lease.readPosition();
      if (lease.signal.aborted) return false;
      lease.handlerBegins();
      await this.#options.onPartition(lease);
      return true;
    } finally {
      this.#seals.forget(lease);
      this.#slots.give();
    }
  }
}

/** A handler that stops because it was told to has not failed. */
export function isEnd(lease: Pick<RunningLease, 'signal'>, error: unknown): boolean {
  if (!lease.signal.aborted) return false;
  if (error === lease.signal.reason || error instanceof LeaseEndedError || error instanceof NotOwnedError)
    return true;
  return error instanceof Error && error.name === 'AbortError';
}
