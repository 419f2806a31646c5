import type { Random } from '../kernel/index.js';
import type { FencedStore, Lease } from './fenced-store.js';
import type { VirtualTime } from './virtual-time.js';

interface WorkOptions {
  readonly time: Pick<VirtualTime, 'after'>;
  readonly random: Random;
  readonly store: FencedStore;
  readonly lease: Lease;
  /** Between two writes, on average. Milliseconds. */
  readonly paceMs: () => number;
  /** Asked before each write. */
  readonly mayWrite: () => boolean;
  /** A write leaves. */
  readonly writes: () => void;
  /** The store knows a newer owner. */
  readonly refused: () => void;
}

/** What is done under one lease: a seal, then reads and writes, until it is stopped or refused. */
export class LeasedWork {
  readonly #options: WorkOptions;
  #stopped = false;

  constructor(options: WorkOptions) {
    this.#options = options;
    options.store.seal(options.lease, (taken) => this.#then(taken, () => this.#write()));
  }

  get lease(): Lease {
    return this.#options.lease;
  }
  get runs(): boolean {
    return !this.#stopped;
  }
  stop(): void {
    this.#stopped = true;
  }

  /** An answer reaches the process. */
  #then(taken: boolean, next: () => void): void {
    this.#options.time.after(0, () => {
      if (taken) return next();
      this.#stopped = true;
      this.#options.refused();
    });
  }

  #write(): void {
    const { time, random, store, lease, paceMs, mayWrite, writes } = this.#options;
    time.after(random.next() * 2 * paceMs(), () => {
      if (this.#stopped) return;
      store.read(lease.scope, (version) =>
        time.after(0, () => {
          if (this.#stopped) return;
          if (!mayWrite()) return this.#write();
          writes();
          store.write(lease, version, (outcome) =>
            this.#then(outcome !== 'stale-epoch', () => this.#write()),
          );
        }),
      );
    });
  }
}
