import { monotonicMs, type MonotonicMs, type ShardId } from '../kernel/index.js';
import type { Clock } from '../replica/index.js';
import { DeadlineHeap, type Due } from './deadline-heap.js';

/** Why a parked request is answered now. A connection that ends takes its parked requests with it, unanswered. */
export type Release<News> =
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'deadline' }
  /** This replica no longer serves the shard: answered at once, so that the client looks elsewhere (docs/clients.md#lost-leadership). */
  | { readonly kind: 'coordinator-lost' }
  | { readonly kind: 'stopping' };

export type ParkedKind = 'join' | 'sync' | 'fetch' | 'heartbeat';

/** What a request waits for. Each is optional: a Fetch has only a deadline, a JoinGroup only news and its shard. */
interface Wait<News> {
  readonly kind: ParkedKind;
  /** News under this key releases it. */
  readonly key?: string;
  /** Losing the lead of this shard releases it. */
  readonly shard?: ShardId;
  readonly deadline?: MonotonicMs;
  readonly released: (how: Release<News>) => void;
}

/** The place of a waiting request in the table. */
export interface Parked {
  /** Takes it out without an answer: its connection ended. */
  cancel(): void;
  /** Answers it now, as at its deadline. */
  wake(): void;
}

/** Without a deadline: sorts behind all others. */
const NEVER = Number.POSITIVE_INFINITY;

/**
 * Every request whose answer waits for something, of whatever kind. None has a timer of its own: one timer runs for the
 * nearest deadline of all.
 */
export class ParkedTable<News> {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #now: () => MonotonicMs;
  readonly #all = new Set<Entry<News>>();
  readonly #byKey = new Map<string, Set<Entry<News>>>();
  readonly #byShard = new Map<ShardId, Set<Entry<News>>>();
  readonly #deadlines = new DeadlineHeap<Entry<News>>();
  readonly #counts: Record<ParkedKind, number> = { join: 0, sync: 0, fetch: 0, heartbeat: 0 };
  #armedFor = NEVER;
  #disarm: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'after'>, now: () => MonotonicMs) {
    this.#clock = clock;
    this.#now = now;
  }

  get size(): number {
    return this.#all.size;
  }
  counts(): Readonly<Record<ParkedKind, number>> {
    return { ...this.#counts };
  }

  park(wait: Wait<News>): Parked {
    const entry = new Entry(this, wait);
    this.#all.add(entry);
    this.#counts[wait.kind]++;
    if (wait.key !== undefined) index(this.#byKey, wait.key, entry);
    if (wait.shard !== undefined) index(this.#byShard, wait.shard, entry);
    if (entry.deadline !== NEVER) {
      this.#deadlines.add(entry);
      this.#arm();
    }
    return entry;
  }

  /** Answers all that wait under a key; normally one, more when a client asked again over another connection. */
  news(key: string, news: News): void {
    this.#releaseAll(this.#byKey.get(key), { kind: 'news', news });
  }
  /** Answers all that wait under a key, as at their deadline. */
  wake(key: string): void {
    this.#releaseAll(this.#byKey.get(key), { kind: 'deadline' });
  }
  coordinatorLost(shard: ShardId): void {
    this.#releaseAll(this.#byShard.get(shard), { kind: 'coordinator-lost' });
  }
  stop(): void {
    this.#releaseAll(this.#all, { kind: 'stopping' });
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedFor = NEVER;
  }

  release(entry: Entry<News>, how: Release<News>): void {
    if (this.remove(entry)) entry.wait.released(how);
  }
  remove(entry: Entry<News>): boolean {
    if (!this.#all.delete(entry)) return false;
    const { key, shard, kind } = entry.wait;
    this.#counts[kind]--;
    if (key !== undefined) unindex(this.#byKey, key, entry);
    if (shard !== undefined) unindex(this.#byShard, shard, entry);
    this.#deadlines.remove(entry);
    return true;
  }

  #releaseAll(entries: Iterable<Entry<News>> | undefined, how: Release<News>): void {
    if (entries !== undefined) for (const entry of [...entries]) this.release(entry, how);
  }

  #arm(): void {
    const first = this.#deadlines.first();
    if (first === undefined || first.deadline >= this.#armedFor) return;
    this.#disarm?.();
    this.#armedFor = first.deadline;
    const delayMs = Math.max(1, Math.ceil(first.deadline - this.#now()));
    this.#disarm = this.#clock.after(delayMs, () => this.#due());
  }
  #due(): void {
    this.#disarm = undefined;
    this.#armedFor = NEVER;
    const now = this.#now();
    for (let first = this.#deadlines.first(); first !== undefined; first = this.#deadlines.first()) {
      if (first.deadline > now) break;
      this.release(first, { kind: 'deadline' });
    }
    this.#arm();
  }
}

class Entry<News> implements Parked, Due {
  place = -1;
  readonly #table: ParkedTable<News>;

  constructor(
    table: ParkedTable<News>,
    readonly wait: Wait<News>,
  ) {
    this.#table = table;
  }
  get deadline(): MonotonicMs {
    return this.wait.deadline ?? monotonicMs(NEVER);
  }
  cancel(): void {
    this.#table.remove(this);
  }
  wake(): void {
    this.#table.release(this, { kind: 'deadline' });
  }
}

function index<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, new Set([value]));
  else known.add(value);
}
function unindex<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const known = map.get(key);
  if (known?.delete(value) === true && known.size === 0) map.delete(key);
}
