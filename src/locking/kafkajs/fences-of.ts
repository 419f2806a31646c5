import { NotOwnedError } from '../errors.js';
import type { Fence } from '../model.js';
import { followMembership, type JoinedGroup, type KafkajsConsumer } from './consumer-events.js';
import { type Grant, HttpTokenSource, type TokenSource } from './token-source.js';

export interface FencesOfOptions {
  /** Where replicas of Quorate answer HTTP; more than one survives a failure. */
  readonly urls: readonly string[];
  /** As given to the consumer. Milliseconds. Default 30,000, which is the default of kafkajs. */
  readonly sessionTimeoutMs?: number;
  /** By how much two clocks may differ in their pace: the session ends that much earlier here. Default 0.01. */
  readonly clockDriftRatio?: number;
  /** One question for the tokens. Milliseconds. Default 2,000. */
  readonly requestTimeoutMs?: number;
  /** Pause before tokens are requested again when no replica could answer. Milliseconds. Default 100. */
  readonly retryMs?: number;
  /** Instead of the HTTP of `urls`, e.g. for tests. */
  readonly source?: TokenSource;
  /** Milliseconds of a monotonic clock; for tests. */
  readonly now?: () => number;
}

/** A partition as this process owns it, from one assignment to the next. To be given to a store as the fence of a write. */
export interface PartitionFence extends Fence {
  readonly topic: string;
  readonly partition: number;
  /** Reading it throws NotOwnedError while it is not known. It stays readable when the partition was lost. */
  readonly token: bigint;
  readonly owner: string;
  /** Aborts when the partition is no longer owned here: a rebalance begins, the session ran out, the consumer ended. */
  readonly signal: AbortSignal;
  /** Throws NotOwnedError unless the partition is owned here at this moment, as far as this process can know. */
  assertOwned(): void;
}

export interface ConsumerFences {
  /** The partition as of the current assignment. Ask again after each rebalance: the object of an earlier assignment stays ended. */
  partition(topic: string, partition: number): PartitionFence;
  /** Waits until the token is known. Rejects with NotOwnedError when the partition is not, or no longer, assigned here. */
  ready(topic: string, partition: number): Promise<PartitionFence>;
  /** Stops following the consumer. Everything counts as lost. */
  close(): void;
}

/**
 * The fences of what a kafkajs consumer owns:
 *
 *   const fences = fencesOf(consumer, { urls: ['http://127.0.0.1:8080'], sessionTimeoutMs: 30_000 });
 *   eachMessage: async ({ topic, partition }) => {
 *     const fence = await fences.ready(topic, partition);
 *     await store.seal(fence);
 *     ...
 *     await accounts.update(account, { balance }, { fence });
 *   }
 */
export function fencesOf(consumer: KafkajsConsumer, options: FencesOfOptions): ConsumerFences {
  return new FollowedConsumer(consumer, options);
}

const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`;

class FollowedConsumer implements ConsumerFences {
  readonly #sessionMs: number;
  readonly #retryMs: number;
  readonly #source: TokenSource;
  readonly #now: () => number;
  readonly #unfollow: () => void;
  #group: JoinedGroup | undefined;
  #hold: Hold | undefined;

  constructor(consumer: KafkajsConsumer, options: FencesOfOptions) {
    const { sessionTimeoutMs = 30_000, clockDriftRatio = 0.01, requestTimeoutMs = 2_000 } = options;
    this.#sessionMs = sessionTimeoutMs * (1 - clockDriftRatio);
    this.#retryMs = options.retryMs ?? 100;
    this.#source = options.source ?? new HttpTokenSource(options.urls, requestTimeoutMs);
    this.#now = options.now ?? (() => performance.now());
    this.#unfollow = followMembership(
      consumer,
      {
        joined: (group, sentAt) => this.#begin(group, sentAt),
        heartbeat: (sentAt) => this.#heard(sentAt),
        ended: (why) => {
          this.#group = undefined;
          this.#hold?.end(why);
        },
      },
      this.#now,
    );
  }

  #begin(group: JoinedGroup, sentAt: number): void {
    this.#group = group;
    this.#hold?.end('there is a newer assignment');
    this.#hold = new Hold(group, sentAt + this.#sessionMs, this.#now);
    void this.#learnTokens(this.#hold);
  }

  #heard(sentAt: number): void {
    this.#hold?.renew(sentAt + this.#sessionMs);
    // The session was over here and the coordinator thinks otherwise, e.g. because it gave everybody a full one when it
    // took over. So the tokens of what this process owns now are requested again.
    if (this.#hold?.ended === true && this.#group !== undefined) this.#begin(this.#group, sentAt);
  }

  async #learnTokens(hold: Hold): Promise<void> {
    while (!hold.ended) {
      try {
        if (hold.learn(await this.#source.grants(hold.group.groupId, hold.signal))) return;
      } catch {
        // Nobody could tell, or the hold has ended; the loop asks which.
      }
      await new Promise((resume) => setTimeout(resume, this.#retryMs));
    }
  }

  partition(topic: string, partition: number): PartitionFence {
    this.#hold ??= Hold.none(this.#now);
    return this.#hold.partition(topic, partition);
  }

  async ready(topic: string, partition: number): Promise<PartitionFence> {
    const hold = this.#hold;
    const fence = this.partition(topic, partition);
    await hold?.known(keyOf(topic, partition));
    fence.assertOwned();
    return fence;
  }

  close(): void {
    this.#unfollow();
    this.#group = undefined;
    this.#hold?.end('its consumer is no longer followed');
  }
}

/** One assignment, from when it was given until it ends. It never comes back to life. */
class Hold {
  readonly group: JoinedGroup;
  readonly #now: () => number;
  readonly #controller = new AbortController();
  /** Undefined: assigned here, the token is not known yet. */
  readonly #tokens = new Map<string, bigint | undefined>();
  readonly #waiting: (() => void)[] = [];
  #deadline: number;
  #endedBy: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(group: JoinedGroup, deadline: number, now: () => number) {
    this.group = group;
    this.#deadline = deadline;
    this.#now = now;
    for (const [topic, partitions] of Object.entries(group.memberAssignment))
      for (const partition of partitions) this.#tokens.set(keyOf(topic, partition), undefined);
    this.#watch();
  }

  /** Before the first assignment. */
  static none(now: () => number): Hold {
    const hold = new Hold({ groupId: '?', memberId: '', memberAssignment: {} }, now() + 1, now);
    hold.end('the consumer has not joined its group yet');
    return hold;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  get ended(): boolean {
    if (this.#endedBy === undefined && this.#now() >= this.#deadline)
      this.end('nothing was heard from the coordinator for a session timeout');
    return this.#endedBy !== undefined;
  }

  renew(deadline: number): void {
    if (!this.ended) this.#deadline = Math.max(this.#deadline, deadline);
  }

  end(why: string): void {
    if (this.#endedBy !== undefined) return;
    this.#endedBy = why;
    clearTimeout(this.#timer);
    this.#controller.abort(new NotOwnedError(this.group.groupId, why));
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /** One timer, re-armed when it finds that the session was renewed meanwhile. */
  #watch(): void {
    this.#timer = setTimeout(
      () => {
        if (!this.ended) this.#watch();
      },
      Math.max(1, this.#deadline - this.#now()),
    );
    this.#timer.unref();
  }

  /**
   * True when the token of every partition is known. A grant to another member is from another generation, unless the group
   * is stable: then the group leader gave the partition to both, and the coordinator chose the other.
   */
  learn(grants: readonly Grant[]): boolean {
    const { groupId, memberId } = this.group;
    const byScope = new Map(grants.map((grant) => [grant.scope, grant]));
    for (const key of this.#tokens.keys()) {
      const grant = byScope.get(`${groupId}/${key}`);
      if (grant?.owner === memberId) this.#tokens.set(key, grant.token);
      else if (grant?.isSettled === true) this.#tokens.delete(key);
    }
    for (const resume of this.#waiting.splice(0)) resume();
    return [...this.#tokens.values()].every((token) => token !== undefined);
  }

  /** Resolves when the token is known, or will never be. */
  async known(key: string): Promise<void> {
    while (!this.ended && this.#tokens.has(key) && this.#tokens.get(key) === undefined)
      await new Promise<void>((resume) => this.#waiting.push(resume));
  }

  partition(topic: string, partition: number): PartitionFence {
    const { groupId, memberId } = this.group;
    const scope = `${groupId}/${topic}/${partition}`;
    const tokenNow = (): bigint => {
      const token = this.#tokens.get(keyOf(topic, partition));
      if (token === undefined) throw new NotOwnedError(scope, this.#whyNot(topic, partition));
      return token;
    };
    return {
      topic,
      partition,
      scope,
      owner: memberId,
      signal: this.signal,
      get token(): bigint {
        return tokenNow();
      },
      assertOwned: (): void => {
        if (this.ended) throw new NotOwnedError(scope, this.#endedBy!);
        tokenNow();
      },
    };
  }

  #whyNot(topic: string, partition: number): string {
    if (this.#endedBy !== undefined) return this.#endedBy;
    return this.#tokens.has(keyOf(topic, partition))
      ? 'its token is not known yet'
      : 'it is assigned to another member';
  }
}
