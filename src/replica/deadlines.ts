import { type MonotonicMs, monotonicMs } from '../kernel/index.js';

interface Deadline<T> {
  readonly what: T;
  readonly afterMs: number;
  at: MonotonicMs;
  bucket: number;
  touched: boolean;
}

/**
 * Soft deadlines of a leader, in buckets of time: arming, touching and cancelling cost O(1), and touching (a heartbeat)
 * moves nothing. An entry whose bucket comes up early goes to the bucket of its present deadline.
 */
export class Deadlines<T> {
  readonly #resolutionMs: number;
  readonly #entries = new Map<string, Deadline<T>>();
  readonly #buckets = new Map<number, Set<string>>();
  #swept: number;

  constructor(now: MonotonicMs, resolutionMs = 10) {
    this.#resolutionMs = resolutionMs;
    this.#swept = Math.floor(now / resolutionMs);
  }

  get size(): number {
    return this.#entries.size;
  }

  arm(key: string, what: T, afterMs: number, now: MonotonicMs): void {
    this.cancel(key);
    const entry = { what, afterMs, at: monotonicMs(now + afterMs), bucket: 0, touched: false };
    this.#entries.set(key, entry);
    this.#place(key, entry);
  }

  /** The full time again from now on. False when there is no such deadline. */
  touch(key: string, now: MonotonicMs): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    entry.at = monotonicMs(now + entry.afterMs);
    entry.touched = true;
    return true;
  }

  /** Brings a deadline forward, unless it was touched since it was armed. */
  hurry(key: string, at: MonotonicMs): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.touched || entry.at <= at) return;
    this.#buckets.get(entry.bucket)?.delete(key);
    entry.at = at;
    this.#place(key, entry);
  }

  /** Ends it now, whenever it was touched. False when there is no such deadline. */
  end(key: string, now: MonotonicMs): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#buckets.get(entry.bucket)?.delete(key);
    entry.at = now;
    this.#place(key, entry);
    return true;
  }

  /** Whether it was touched since it was armed. False when there is no such deadline. */
  wasTouched(key: string): boolean {
    return this.#entries.get(key)?.touched === true;
  }

  cancel(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#buckets.get(entry.bucket)?.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#buckets.clear();
  }

  /** Removes and returns what is due: so many at most, the others next time. They may be touched until then. */
  due(now: MonotonicMs, max = Infinity): { readonly key: string; readonly what: T }[] {
    const current = Math.floor(now / this.#resolutionMs);
    const due: { key: string; what: T }[] = [];
    for (const bucket of this.#unswept(current)) {
      this.#sweep(bucket, now, due, max);
      if (due.length < max) continue;
      // What is left of the bucket stays in it.
      this.#swept = bucket - 1;
      return due;
    }
    this.#swept = current;
    return due;
  }

  /** The buckets through `current` that were not swept yet, in their order. */
  #unswept(current: number): readonly number[] {
    if (this.#entries.size === 0) return [];
    // After a long pause there are fewer buckets than steps.
    if (current - this.#swept <= this.#buckets.size) return range(this.#swept + 1, current);
    return [...this.#buckets.keys()].filter((bucket) => bucket <= current).sort((a, b) => a - b);
  }

  #sweep(bucket: number, now: MonotonicMs, due: { key: string; what: T }[], max: number): void {
    const keys = this.#buckets.get(bucket);
    if (keys === undefined) return;
    for (const key of keys) {
      if (due.length >= max) return;
      keys.delete(key);
      const entry = this.#entries.get(key)!;
      if (entry.at > now) {
        this.#place(key, entry);
      } else {
        this.#entries.delete(key);
        due.push({ key, what: entry.what });
      }
    }
    this.#buckets.delete(bucket);
  }

  #place(key: string, entry: Deadline<T>): void {
    // Rounded up, so that nothing fires early; never into a bucket that was swept already.
    entry.bucket = Math.max(Math.ceil(entry.at / this.#resolutionMs), this.#swept + 1);
    let keys = this.#buckets.get(entry.bucket);
    if (keys === undefined) this.#buckets.set(entry.bucket, (keys = new Set()));
    keys.add(key);
  }
}

function range(from: number, to: number): number[] {
  const result: number[] = [];
  for (let i = from; i <= to; i++) result.push(i);
  return result;
}
