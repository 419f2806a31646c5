import { judge, judgeSeal, type RecordState, type Seal, type WriteOutcome } from '../guard/index.js';
import type { Random } from '../kernel/index.js';
import type { History } from './history.js';
import type { VirtualTime } from './virtual-time.js';

/** One way, as a rule. Milliseconds. */
const DELAY_MS = 1;
/** How long a request may be under way now and then: longer than a session of its sender lasts. */
const LATE_MS = 2_500;

/** The right to write in a scope, as a member was given it. */
export interface Lease {
  readonly scope: string;
  readonly token: bigint;
  readonly owner: string;
}

/**
 * A store that Quorate does not know, as a user's database is: it holds one record for each scope, judges by the production
 * rule, and takes requests in the order in which they arrive, which may be long after they were sent.
 */
export class FencedStore {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #history: History;
  readonly #records = new Map<string, RecordState>();
  readonly #seals = new Map<string, Seal>();

  constructor(time: VirtualTime, random: Random, history: History) {
    this.#time = time;
    this.#random = random;
    this.#history = history;
  }

  #travel(then: () => void): void {
    this.#time.after(this.#random.chance(0.03) ? this.#random.below(LATE_MS) : DELAY_MS, then);
  }

  /** `done` gets whether it was taken. */
  seal(lease: Lease, done: (taken: boolean) => void): void {
    this.#travel(() => {
      const { outcome, next } = judgeSeal(lease, this.#seals.get(lease.scope));
      if (next !== undefined) this.#seals.set(lease.scope, next);
      this.#judged('seal', lease, outcome.kind === 'sealed');
      this.#travel(() => done(outcome.kind === 'sealed'));
    });
  }

  read(scope: string, done: (version: number) => void): void {
    this.#travel(() => {
      const version = this.#records.get(scope)?.version ?? 0;
      this.#travel(() => done(version));
    });
  }

  /** Of the version that was read; 0: there was none. */
  write(lease: Lease, version: number, done: (outcome: WriteOutcome['kind']) => void): void {
    const write =
      version === 0
        ? ({ kind: 'insert', fence: lease } as const)
        : ({ kind: 'update', version, fence: lease } as const);
    this.#travel(() => {
      const { scope } = lease;
      const sealed = this.#seals.get(scope)?.token ?? null;
      const judged = judge(write, { record: this.#records.get(scope), sealed });
      if (judged.effect === 'put') this.#records.set(scope, judged.next);
      this.#judged('write', lease, judged.effect === 'put');
      this.#travel(() => done(judged.outcome.kind));
    });
  }

  #judged(what: 'seal' | 'write', { scope, token, owner }: Lease, taken: boolean): void {
    const at = this.#time.now;
    this.#history.fenced.push({ at, what, scope, token: Number(token), owner, taken });
  }
}
