import { uptime } from 'node:os';

/** By how much the uptime may be wrong. Milliseconds. */
const UPTIME_ERROR_MS = 20;
const [ALIVE_AT, HEARD_AT, GIVEN_UP] = [0, 1, 2] as const;
const WORDS = 3;

/** Runs on through a suspend of the machine, and is the same in all threads. Milliseconds. */
const uptimeMs = (): number => uptime() * 1_000;
/** The same in all threads of a process, whatever their time origin. Milliseconds. */
const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/** What the main thread and its heartbeat thread know of each other at any moment, also while one of them is blocked. */
export class SharedMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #words: BigInt64Array;

  constructor(buffer = new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#words = new BigInt64Array(buffer);
  }

  /** By the main thread, while its loop turns. */
  alive(): void {
    Atomics.store(this.#words, ALIVE_AT, BigInt(monotonicMs()));
  }
  /** For how long the loop of the main thread has not turned. Milliseconds. */
  get quietMs(): number {
    return monotonicMs() - Number(Atomics.load(this.#words, ALIVE_AT));
  }

  /** By the heartbeat thread: the coordinator has answered a heartbeat that left at this time of `sendingNow`. */
  heard(sentAt: number): void {
    Atomics.store(this.#words, HEARD_AT, BigInt(Math.floor(sentAt)));
  }
  static sendingNow(): number {
    return uptimeMs();
  }
  /** How long ago the last answered heartbeat of the thread left, at most. Infinity: none was answered. Milliseconds. */
  get heardAgoMs(): number {
    const heardAt = Number(Atomics.load(this.#words, HEARD_AT));
    return heardAt === 0 ? Number.POSITIVE_INFINITY : uptimeMs() - heardAt + UPTIME_ERROR_MS;
  }

  /** By the heartbeat thread, before it leaves the group: from now on nothing is owned. */
  giveUp(): void {
    Atomics.store(this.#words, GIVEN_UP, 1n);
  }
  get hasGivenUp(): boolean {
    return Atomics.load(this.#words, GIVEN_UP) === 1n;
  }
  /** By the main thread, when it has lost everything. */
  beginAnew(): void {
    Atomics.store(this.#words, HEARD_AT, 0n);
    Atomics.store(this.#words, GIVEN_UP, 0n);
  }
}
