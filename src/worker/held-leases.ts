import type { Effect, Held } from './machine-types.js';
import type { TopicPartition } from './types.js';

type Entry = Held & {
  /** `over`: not owned any more, but its handler has not settled: the partition waits for it. */
  state: 'owned' | 'revoked' | 'over';
  drainUntil: number;
};
type Wanted = TopicPartition & { readonly token: bigint | null; readonly epoch: number };

const keyOf = ({ topic, partition }: TopicPartition): string => `${partition}/${topic}`;

/** The leases of a member. At most one for each partition whose handler has not settled. */
export class HeldLeases {
  readonly #effect: (effect: Effect) => void;
  readonly #byKey = new Map<string, Entry>();
  readonly #byId = new Map<number, Entry>();
  /** Assigned, and not opened yet: a lease of before has to settle. */
  readonly #wanted = new Map<string, Wanted>();
  /** Asked for after each of thousands of handlers that settle: nothing is counted anew. */
  readonly #counts: Record<Entry['state'], number> = { owned: 0, revoked: 0, over: 0 };
  /** No drain is over before. */
  #drainUntil = Number.POSITIVE_INFINITY;
  #nextId = 1;

  constructor(effect: (effect: Effect) => void) {
    this.#effect = effect;
  }

  /** Some may be written for: owned, or draining. */
  get hasAny(): boolean {
    return this.#counts.owned + this.#counts.revoked > 0;
  }
  get isDraining(): boolean {
    return this.#counts.revoked > 0;
  }
  /** When the first drain is over, or before. */
  get drainUntil(): number {
    return this.isDraining ? this.#drainUntil : Number.POSITIVE_INFINITY;
  }

  /** Those that may be written for: nobody else may get them now. */
  all(): readonly TopicPartition[] {
    return [...this.#byKey.values()]
      .filter(({ state }) => state !== 'over')
      .map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Owned, or to be opened. */
  keeps(partition: TopicPartition): boolean {
    const key = keyOf(partition);
    return this.#byKey.get(key)?.state === 'owned' || this.#wanted.has(key);
  }

  /** A new assignment: what is owned and not in it is revoked. */
  assign(
    assigned: readonly (TopicPartition & { readonly token: bigint | null })[],
    epoch: number,
    drainUntil: number,
  ): void {
    this.#wanted.clear();
    for (const each of assigned) this.#wanted.set(keyOf(each), { ...each, epoch });
    const replaced: Entry[] = [];
    const revoked: Entry[] = [];
    for (const [key, entry] of this.#byKey) {
      if (entry.state !== 'owned') continue;
      const wanted = this.#wanted.get(key);
      if (wanted === undefined) revoked.push(entry);
      else if (wanted.token !== null && wanted.token !== entry.token) replaced.push(entry);
      else this.#wanted.delete(key);
    }
    this.#lose(replaced, 'it had another owner in between');
    this.#revoke(revoked, drainUntil, 'the group gives it to another member');
  }

  /** Opens what was assigned, and whose lease of before has settled. */
  open(memberId: string): void {
    const leases: Held[] = [];
    for (const [key, wanted] of [...this.#wanted]) {
      if (this.#byKey.has(key)) continue;
      this.#wanted.delete(key);
      const entry: Entry = { ...wanted, id: this.#nextId++, memberId, state: 'owned', drainUntil: 0 };
      this.#byKey.set(key, entry);
      this.#byId.set(entry.id, entry);
      this.#counts.owned++;
      const { state: _state, drainUntil: _drainUntil, ...held } = entry;
      leases.push(held);
    }
    if (leases.length > 0) this.#effect({ kind: 'open', leases });
  }

  settled(id: number): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    this.#byId.delete(id);
    this.#counts[entry.state]--;
    this.#byKey.delete(keyOf(entry));
  }

  revokeAll(drainUntil: number, why: string): void {
    this.#wanted.clear();
    this.#revoke(
      [...this.#byKey.values()].filter(({ state }) => state === 'owned'),
      drainUntil,
      why,
    );
  }
  loseAll(why: string): void {
    this.#wanted.clear();
    this.#lose(
      [...this.#byKey.values()].filter(({ state }) => state !== 'over'),
      why,
    );
  }

  /** Those whose drain is over are lost. */
  drain(now: number): void {
    if (now < this.drainUntil) return;
    const late = [...this.#byKey.values()].filter(
      ({ state, drainUntil }) => state === 'revoked' && now >= drainUntil,
    );
    for (const { id } of late) this.#effect({ kind: 'overdue', id });
    this.#lose(late, 'its handler did not settle before the end of the drain');
    this.#drainUntil = Number.POSITIVE_INFINITY;
    for (const { state, drainUntil } of this.#byKey.values())
      if (state === 'revoked') this.#drainUntil = Math.min(this.#drainUntil, drainUntil);
  }

  #revoke(entries: readonly Entry[], drainUntil: number, why: string): void {
    for (const entry of entries) {
      this.#becomes(entry, 'revoked');
      entry.drainUntil = drainUntil;
      this.#drainUntil = Math.min(this.#drainUntil, drainUntil);
    }
    this.#end(entries, 'revoked', why);
  }
  #lose(entries: readonly Entry[], why: string): void {
    for (const entry of entries) this.#becomes(entry, 'over');
    this.#end(entries, 'lost', why);
  }
  #becomes(entry: Entry, state: Entry['state']): void {
    this.#counts[entry.state]--;
    entry.state = state;
    this.#counts[state]++;
  }
  #end(entries: readonly Entry[], end: 'revoked' | 'lost', why: string): void {
    if (entries.length > 0) this.#effect({ kind: 'end', ids: entries.map(({ id }) => id), end, why });
  }
}
