import type { ClientSurroundings } from './clients.js';
import type { FencedStore, Lease } from './fenced-store.js';
import { LeasedWork } from './leased-work.js';

/** How long work may go on after its end was told. Milliseconds. */
const OVERDUE_MS = 2_000;

interface Running {
  readonly work: LeasedWork;
  /** It was told to stop. */
  ended: boolean;
}

/**
 * The work of one member: it seals what it is given in a store of its own, and then writes under the token. Now and then work
 * does not stop when it is told to, and nothing but the token holds it back.
 */
export class LeaseWorker {
  readonly #around: ClientSurroundings;
  readonly #store: FencedStore;
  readonly #name: string;
  readonly #gone: () => boolean;
  readonly #running = new Map<string, Running>();

  constructor(around: ClientSurroundings, store: FencedStore, name: string, gone: () => boolean) {
    this.#around = around;
    this.#store = store;
    this.#name = name;
    this.#gone = gone;
  }

  /** What it owns from now on. What it has under the same token goes on. */
  owns(leases: readonly Lease[]): void {
    const kept = new Set(leases.map(keyOf));
    for (const [key, running] of this.#running) if (!kept.has(key)) this.#end(running);
    for (const lease of leases) {
      const running = this.#running.get(keyOf(lease));
      if (running?.work.runs === true && running.work.lease.owner === lease.owner) running.ended = false;
      else this.#running.set(keyOf(lease), { work: this.#begin(lease), ended: false });
    }
  }

  #begin(lease: Lease): LeasedWork {
    const { time, random, trace, paceMs } = this.#around;
    return new LeasedWork({
      ...{ time, random, store: this.#store, lease, paceMs },
      mayWrite: () => !this.#gone(),
      writes: () => undefined,
      refused: () => {
        trace.reached('a store refused an old token');
        trace.note(time.now, `${this.#name} is refused with token ${lease.token} of ${lease.scope}`);
      },
    });
  }

  #end(running: Running): void {
    const { random, time, trace } = this.#around;
    if (running.ended) return;
    running.ended = true;
    if (!random.chance(0.15)) return running.work.stop();
    trace.reached('work went on after its end');
    time.after(random.below(OVERDUE_MS), () => {
      if (running.ended) running.work.stop();
    });
  }
}

const keyOf = ({ scope, token }: Lease): string => `${scope}@${token}`;
