import { NotOwnedError } from '../errors.js';
import {
  followMembership,
  type HeartbeatFacts,
  type JoinedGroup,
  type KafkajsConsumer,
} from './consumer-events.js';
import { Hold, keyOf, type PartitionFence } from './hold.js';
import { HttpTokenSource, type TokenSource } from './token-source.js';
import { type FenceHandler, WorkLoops, type WorkOptions } from './work-loops.js';

export interface FencesOfOptions {
  /** Where replicas of Quorate answer HTTP; more than one survives a failure. */
  readonly urls: readonly string[];
  /** Milliseconds. Default: as the coordinator says that the consumer asked for. */
  readonly sessionTimeoutMs?: number;
  /** By how much two clocks may differ in their pace: the session ends that much earlier here. Default 0.01. */
  readonly clockDriftRatio?: number;
  /** One question for the tokens. Milliseconds. Default 2,000. */
  readonly requestTimeoutMs?: number;
  /** `ready` rejects when the tokens could not be had for so long. Milliseconds. Default 10,000. */
  readonly readyTimeoutMs?: number;
  /** Pause before tokens are requested again when no replica could answer; doubles up to 20 times. Milliseconds. Default 100. */
  readonly retryMs?: number;
  /** Instead of the HTTP of `urls`, e.g. for tests. */
  readonly source?: TokenSource;
  /** Milliseconds of a monotonic clock; for tests. */
  readonly now?: () => number;
}

export interface FenceEvents {
  /** These partitions are owned from now on, and their tokens are known: work on them. */
  readonly owned: { readonly fences: readonly PartitionFence[] };
  /** They are not any more: stop. Each of them was in an `owned` before. */
  readonly ended: { readonly fences: readonly PartitionFence[]; readonly why: string };
  /**
   * The tokens cannot be had at the moment; asked again until they can. `error` has what each URL said. With `fence`: its handler
   * threw, or its seal was refused; both are tried again.
   */
  readonly error: { readonly error: Error; readonly fence?: PartitionFence };
}

export interface ConsumerFences {
  /** The partition as of the current assignment. Ask again after each rebalance: the object of an earlier assignment stays ended. */
  partition(topic: string, partition: number): PartitionFence;
  /**
   * Waits until the token is known. Rejects with NotOwnedError when the partition is not, or no longer, assigned here, and after
   * `readyTimeoutMs`.
   */
  ready(topic: string, partition: number): Promise<PartitionFence>;
  /** Returns what stops it. Whatever ends or returns is told, also without a rebalance (a session that ran out and came back). */
  on<K extends keyof FenceEvents>(event: K, listener: (event: FenceEvents[K]) => void): () => void;
  /**
   * Runs the handler for each partition, from `owned` to its end: after the seals of its stores, again after a back-off when it
   * throws (`error`, or the console when nobody listens), and never twice at a time for one partition. Call it once, before the
   * consumer runs or later.
   */
  work(handler: FenceHandler, options?: WorkOptions): void;
  /** Resolves when no handler of `work` runs: after the consumer has disconnected, before pools are closed. */
  settled(): Promise<void>;
  /** Stops following the consumer. Everything counts as lost. */
  close(): void;
}

/**
 * The fences of what a kafkajs consumer owns. The consumer may have joined its group already.
 *
 *   const fences = fencesOf(consumer, { urls: ['http://127.0.0.1:8080'] });
 *   fences.work(async (fence) => { ... }, { stores: [store] });
 */
export function fencesOf(consumer: KafkajsConsumer, options: FencesOfOptions): ConsumerFences {
  return new FollowedConsumer(consumer, options);
}

type Listeners = { readonly [K in keyof FenceEvents]: Set<(event: FenceEvents[K]) => void> };

class FollowedConsumer implements ConsumerFences {
  readonly #options: FencesOfOptions;
  readonly #retryMs: number;
  readonly #readyTimeoutMs: number;
  readonly #source: TokenSource;
  readonly #now: () => number;
  readonly #unfollow: () => void;
  readonly #listeners: Listeners = { owned: new Set(), ended: new Set(), error: new Set() };
  readonly #waitingForAny: (() => void)[] = [];
  #group: JoinedGroup | undefined;
  #hold: Hold | undefined;
  /** Undefined: never heard of. A consumer that has joined before is known by its heartbeats. */
  #hasEnded: string | undefined;
  #generation: number | undefined;
  #lastError: Error | undefined;
  #loops: WorkLoops | undefined;

  constructor(consumer: KafkajsConsumer, options: FencesOfOptions) {
    this.#options = options;
    this.#retryMs = options.retryMs ?? 100;
    this.#readyTimeoutMs = options.readyTimeoutMs ?? 10_000;
    this.#source = options.source ?? new HttpTokenSource(options.urls, options.requestTimeoutMs ?? 2_000);
    this.#now = options.now ?? (() => performance.now());
    this.#unfollow = followMembership(
      consumer,
      {
        joined: (group, sentAt) => this.#begin(group, sentAt),
        heartbeat: (facts, sentAt) => this.#heard(facts, sentAt),
        ended: (why) => this.#end(why),
      },
      this.#now,
    );
  }

  #end(why: string): void {
    this.#group = undefined;
    this.#hasEnded = why;
    this.#hold?.end(why);
  }

  #begin(group: JoinedGroup, sentAt: number): void {
    this.#group = group;
    this.#hold?.end('there is a newer assignment');
    const { sessionTimeoutMs: timeoutMs, clockDriftRatio: driftRatio = 0.01 } = this.#options;
    const hold = new Hold(
      group,
      sentAt,
      { timeoutMs, driftRatio, assumedMs: 30_000, now: this.#now },
      {
        owned: (fences) => this.#owned(fences),
        ended: (fences, why) => this.#emit('ended', { fences, why }),
      },
    );
    this.#hold = hold;
    for (const resume of this.#waitingForAny.splice(0)) resume();
    void this.#learnTokens(hold);
  }

  #owned(fences: readonly PartitionFence[]): void {
    // A listener that calls `work` begins with these itself.
    const loops = this.#loops;
    this.#emit('owned', { fences });
    for (const fence of fences) loops?.begin(fence);
  }

  work(handler: FenceHandler, options: WorkOptions = {}): void {
    if (this.#loops !== undefined) throw new Error('a handler works already: one handler for each partition');
    this.#loops = new WorkLoops(handler, options, (error, fence) => {
      if (this.#listeners.error.size === 0) console.error(`${fence.scope}: its handler has failed`, error);
      this.#emit('error', { error, fence });
    });
    for (const fence of this.#hold?.owned() ?? []) this.#loops.begin(fence);
  }
  settled(): Promise<void> {
    return this.#loops?.settled() ?? Promise.resolve();
  }

  #heard({ groupId, memberId, groupGenerationId }: HeartbeatFacts, sentAt: number): void {
    this.#generation = groupGenerationId;
    if (this.#hold === undefined && this.#hasEnded === undefined && typeof groupId === 'string')
      return this.#begin({ groupId, memberId, memberAssignment: undefined }, sentAt);
    this.#hold?.renew(sentAt);
    // The session was over here and the coordinator thinks otherwise, e.g. because it gave everybody a full one when it
    // took over. So the tokens of what this process owns now are requested again.
    if (this.#hold?.ended === true && this.#group !== undefined) this.#begin(this.#group, sentAt);
  }

  async #learnTokens(hold: Hold): Promise<void> {
    for (let pause = this.#retryMs; !hold.ended; pause = Math.min(pause * 2, 20 * this.#retryMs)) {
      try {
        hold.learn(await this.#source.grants(hold.group.groupId, hold.signal), this.#generation);
        this.#lastError = undefined;
        if (hold.complete) return;
      } catch (error) {
        if (hold.ended) return;
        this.#lastError = error as Error;
        this.#emit('error', { error: this.#lastError });
      }
      await new Promise((resume) => setTimeout(resume, pause).unref());
    }
  }

  partition(topic: string, partition: number): PartitionFence {
    return (this.#hold ?? this.#nothing()).partition(topic, partition);
  }

  #nothing(): Hold {
    const session = { timeoutMs: 1, driftRatio: 0, assumedMs: 1, now: this.#now };
    const silent = { owned: () => undefined, ended: () => undefined };
    const group = { groupId: '?', memberId: '', memberAssignment: {} };
    const hold = new Hold(group, this.#now(), session, silent);
    hold.end(this.#hasEnded ?? 'the consumer has not joined its group yet');
    return hold;
  }

  async ready(topic: string, partition: number): Promise<PartitionFence> {
    const late = AbortSignal.timeout(this.#readyTimeoutMs);
    const isLate = new Promise<void>((resume) => late.addEventListener('abort', () => resume()));
    if (this.#hold === undefined && this.#hasEnded === undefined)
      await Promise.race([isLate, new Promise<void>((resume) => this.#waitingForAny.push(resume))]);
    const hold = this.#hold;
    const fence = this.partition(topic, partition);
    await Promise.race([isLate, hold?.known(keyOf(topic, partition))]);
    if (late.aborted && hold?.ended === false && !hold.complete) {
      const why = this.#lastError?.message ?? 'no answer so far';
      throw new NotOwnedError(
        fence.scope,
        `its token could not be had within ${this.#readyTimeoutMs} ms (${why})`,
      );
    }
    fence.assertOwned();
    return fence;
  }

  on<K extends keyof FenceEvents>(event: K, listener: (event: FenceEvents[K]) => void): () => void {
    this.#listeners[event].add(listener);
    return () => void this.#listeners[event].delete(listener);
  }

  #emit<K extends keyof FenceEvents>(event: K, payload: FenceEvents[K]): void {
    for (const listener of [...this.#listeners[event]]) listener(payload);
  }

  close(): void {
    this.#unfollow();
    this.#end('its consumer is no longer followed');
  }
}
