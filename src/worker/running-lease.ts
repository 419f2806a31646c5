import { ConnectionError, BrokerError, backOffMs } from '../client/index.js';
import type { Int64 } from '../kernel/index.js';
import { NotOwnedError } from '../locking/index.js';
import { errorCode } from '../wire/index.js';
import type { Held } from './machine-types.js';
import { pausing } from './pausing.js';
import { framesOf, type Place, placeOutside } from './place.js';
import { type Lease, LeaseEndedError, type LeaseEnd } from './types.js';

/** What a lease asks of its worker. */
export interface LeaseContext {
  readonly group: string;
  now(): number;
  /** When everything owned is lost, unless the coordinator answers before. */
  sessionEndsAt(): number;
  /** Of the worker: for a handler that never used its lease. */
  readonly madeAt: Place;
  /** Kafka's error code. Rejects with ConnectionError or BrokerError. */
  commit(lease: Held, position: Int64): Promise<number>;
  /** What is committed; null: nothing. Rejects with ConnectionError or BrokerError. */
  committed(lease: Held): Promise<Int64 | null>;
}

/** Passes by itself: the coordinator is elsewhere, or the group on its way to the next generation. */
const PASSING: readonly number[] = [
  errorCode('COORDINATOR_LOAD_IN_PROGRESS'),
  errorCode('COORDINATOR_NOT_AVAILABLE'),
  errorCode('NOT_COORDINATOR'),
  errorCode('REBALANCE_IN_PROGRESS'),
  // Of a generation that has passed: the worker is on its way to the next one, or the lease is about to be lost.
  errorCode('ILLEGAL_GENERATION'),
  errorCode('UNKNOWN_MEMBER_ID'),
];
const BACK_OFF = { firstMs: 20, mostMs: 500 };
/** This method of the lease, and the one that the handler has called. */
const LEASE_FRAMES = 2;
const INT64_MAX = 2n ** 63n - 1n;

/** Kafka's code of a failure that passes by itself; all others are thrown again. */
function passing(error: unknown): number {
  if (error instanceof ConnectionError) return errorCode('NOT_COORDINATOR');
  if (error instanceof BrokerError && PASSING.includes(error.errorCode)) return error.errorCode;
  throw error;
}

/** The lease as its handler sees it. */
export class RunningLease implements Lease {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly scope: string;
  readonly epoch: number;
  readonly #token: bigint;
  readonly owner: string;
  readonly #held: Held;
  readonly #context: LeaseContext;
  readonly #controller = new AbortController();
  readonly #over = new AbortController();
  #end: LeaseEnd | undefined;
  #why = '';
  #drainUntil = Number.POSITIVE_INFINITY;
  #position: bigint | null = null;
  #lastUse: { readonly what: string; readonly at: number; readonly place: Place } | undefined;
  /** When its handler was called last. */
  #begunAt: number | undefined;
  /** Commits go one after the other. */
  #commits: Promise<void> = Promise.resolve();

  constructor(held: Held, context: LeaseContext) {
    const { id, topic, partition, epoch, token, memberId } = held;
    this.#held = held;
    this.#context = context;
    this.id = id;
    this.topic = topic;
    this.partition = partition;
    this.scope = `${context.group}/${topic}/${partition}`;
    this.epoch = epoch;
    this.#token = token ?? BigInt(epoch);
    this.owner = memberId;
  }

  /** The first read of a run shows where its handler begins; later ones cost nothing. */
  get signal(): AbortSignal {
    if (this.#lastUse === undefined) this.#used('read its signal');
    return this.#controller.signal;
  }
  /** Read by a store for each write. */
  get token(): bigint {
    this.#used('wrote with its token');
    return this.#token;
  }
  /** Aborts when nothing may be written any more. */
  get over(): AbortSignal {
    return this.#over.signal;
  }
  get end(): LeaseEnd | undefined {
    return this.#end;
  }
  get deadline(): number {
    return Math.min(this.#context.sessionEndsAt(), this.#drainUntil);
  }
  get position(): bigint | null {
    return this.#position;
  }

  /** Asks the coordinator for the position, until it answers or the lease has ended. */
  async readPosition(): Promise<void> {
    for (let attempt = 0; !this.signal.aborted; attempt++) {
      const found = await this.#context.committed(this.#held).catch((error: unknown) => {
        passing(error);
        return undefined;
      });
      if (found !== undefined) {
        this.#position = found === null ? null : BigInt(found);
        return;
      }
      await pausing(backOffMs(BACK_OFF, attempt, Math.random()), this.signal);
    }
  }

  /** By the machine. `lost` may follow `revoked`. */
  ends(end: LeaseEnd, why: string, drainUntil: number): void {
    if (this.#end === 'lost') return;
    this.#end = end;
    this.#why = why;
    const error = new LeaseEndedError(this.scope, end, why);
    if (end === 'revoked') this.#drainUntil = drainUntil;
    else this.#over.abort(error);
    this.#controller.abort(error);
  }

  /** The handler is called now; what was done with the lease before is not its doing. */
  handlerBegins(): void {
    this.#begunAt = this.#context.now();
    this.#lastUse = undefined;
  }
  /** When the handler used the lease last. */
  get usedAt(): number {
    return this.#lastUse?.at ?? Number.NEGATIVE_INFINITY;
  }
  /**
   * Where the handler was when it last used the lease: for who looks for one that does not settle. What waits in an `await` has no
   * stack any more; this one leads through the functions that await it.
   */
  lastUse(): string {
    const context = this.#context;
    if (this.#begunAt === undefined) return `${this.scope}: its handler has not begun.`;
    if (this.#lastUse === undefined)
      return `${this.scope}: its handler has begun ${Math.round(context.now() - this.#begunAt)} ms ago, and has not used its lease. Its worker was made here:\n${framesOf(context.madeAt)}`;
    const { what, at, place } = this.#lastUse;
    return `${this.scope}: its handler ${what} ${Math.round(context.now() - at)} ms ago, and has not used its lease since:\n${framesOf(place, LEASE_FRAMES)}`;
  }
  #used(what: string): void {
    if (this.#begunAt === undefined) return;
    this.#lastUse = { what, at: this.#context.now(), place: placeOutside(placeOutside) };
  }

  assertOwned(): void {
    this.#used('called assertOwned');
    this.#assertOwned();
  }
  #assertOwned(): void {
    if (this.#end === 'lost') throw new NotOwnedError(this.scope, this.#why);
    if (this.#context.now() < this.deadline) return;
    throw new NotOwnedError(
      this.scope,
      this.#end === 'revoked' ? 'its drain is over' : 'nothing was heard from the coordinator in time',
    );
  }

  commit(position: bigint | number): Promise<void> {
    this.#used(`called commit(${position})`);
    const wanted = BigInt(position);
    if (wanted < 0n || wanted > INT64_MAX)
      return Promise.reject(new RangeError(`a position is from 0 to 2^63-1, and not ${position}`));
    const done = this.#commits.then(() => this.#commitNow(wanted));
    this.#commits = done.catch(() => undefined);
    return done;
  }

  async #commitNow(position: bigint): Promise<void> {
    const asNumber = Number(position);
    const exact: Int64 = Number.isSafeInteger(asNumber) ? asNumber : position;
    for (let attempt = 0; ; attempt++) {
      this.#assertOwned();
      const code = await this.#context.commit(this.#held, exact).catch(passing);
      if (code === 0) {
        this.#position = position;
        return;
      }
      if (!PASSING.includes(code)) throw new BrokerError(`a commit of ${this.scope}`, code);
      await pausing(backOffMs(BACK_OFF, attempt, Math.random()), this.over);
    }
  }
}
