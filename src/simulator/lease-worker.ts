import type { ClientSurroundings } from './clients.js';
import type { FencedStore, Lease } from './fenced-store.js';

/** Between two writes of one that owns something, on average. Milliseconds. */
const WRITES_EVERY_MS = 60;
/** How long work may go on after its end was told. Milliseconds. */
const OVERDUE_MS = 2_000;

interface Running {
  readonly lease: Lease;
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
    for (const [key, running] of this.#running) if (!kept.has(key)) this.#end(key, running);
    for (const lease of leases) {
      const running = this.#running.get(keyOf(lease));
      if (running?.lease.owner === lease.owner) {
        running.ended = false;
        continue;
      }
      this.#running.set(keyOf(lease), { lease, ended: false });
      this.#seal(lease);
    }
  }

  #end(key: string, running: Running): void {
    const { random, time, trace } = this.#around;
    if (running.ended) return;
    running.ended = true;
    if (!random.chance(0.15)) return void this.#running.delete(key);
    trace.reached('work went on after its end');
    time.after(random.below(OVERDUE_MS), () => {
      if (running.ended && this.#running.get(key) === running) this.#running.delete(key);
    });
  }

  #runs(lease: Lease): boolean {
    return this.#running.get(keyOf(lease))?.lease === lease && !this.#gone();
  }

  #seal(lease: Lease): void {
    this.#store.seal(lease, (taken) => {
      if (taken) this.#write(lease);
      else this.#refused(lease);
    });
  }

  #write(lease: Lease): void {
    const { time, random } = this.#around;
    time.after(random.next() * 2 * WRITES_EVERY_MS, () => {
      if (!this.#runs(lease)) return;
      this.#store.read(lease.scope, (version) => {
        this.#store.write(lease, version, (outcome) => {
          if (outcome === 'stale-epoch') this.#refused(lease);
          else this.#write(lease);
        });
      });
    });
  }

  /** Somebody else has it. */
  #refused(lease: Lease): void {
    const { trace, time } = this.#around;
    trace.reached('a store refused an old token');
    trace.note(time.now, `${this.#name} is refused with token ${lease.token} of ${lease.scope}`);
    if (this.#running.get(keyOf(lease))?.lease === lease) this.#running.delete(keyOf(lease));
  }
}

const keyOf = ({ scope, token }: Lease): string => `${scope}@${token}`;
