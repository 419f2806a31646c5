import { NotOwnedError } from '../errors.js';
import type { Fence } from '../model.js';
import type { JoinedGroup } from './consumer-events.js';
import type { Grant } from './token-source.js';

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

export const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`;

function partitionOf(key: string): { readonly topic: string; readonly partition: number } {
  const slash = key.lastIndexOf('/');
  return { topic: key.slice(0, slash), partition: Number(key.slice(slash + 1)) };
}

export interface Session {
  /** Milliseconds until the session ends, from when the last answered request left. Undefined: as the coordinator says. */
  readonly timeoutMs: number | undefined;
  /** Given up at its end, because two clocks run at different speeds. */
  readonly driftRatio: number;
  /** Until the coordinator has said it: the default of kafkajs. */
  readonly assumedMs: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

export interface HoldEvents {
  owned(fences: readonly PartitionFence[]): void;
  ended(fences: readonly PartitionFence[], why: string): void;
}

/** One assignment, from when it was given until it ends. It never comes back to life. */
export class Hold {
  readonly group: JoinedGroup;
  readonly #session: Session;
  readonly #events: HoldEvents;
  readonly #controller = new AbortController();
  /** Undefined: assigned here, the token is not known yet. */
  readonly #tokens = new Map<string, bigint | undefined>();
  readonly #waiting: (() => void)[] = [];
  #sessionMs: number;
  #heardAt: number;
  #endedBy: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** All is known: what is owned, and with which tokens. */
  #complete = false;

  /** `heardAt`: when the request left that the coordinator answered last. */
  constructor(group: JoinedGroup, heardAt: number, session: Session, events: HoldEvents) {
    this.group = group;
    this.#session = session;
    this.#events = events;
    this.#heardAt = heardAt;
    this.#sessionMs = (session.timeoutMs ?? session.assumedMs) * (1 - session.driftRatio);
    for (const [topic, partitions] of Object.entries(group.memberAssignment ?? {}))
      for (const partition of partitions) this.#tokens.set(keyOf(topic, partition), undefined);
    this.#watch();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  get complete(): boolean {
    return this.#complete;
  }
  get ended(): boolean {
    if (this.#endedBy === undefined && this.#session.now() >= this.#heardAt + this.#sessionMs)
      this.end('nothing was heard from the coordinator for a session timeout');
    return this.#endedBy !== undefined;
  }

  renew(heardAt: number): void {
    if (!this.ended) this.#heardAt = Math.max(this.#heardAt, heardAt);
  }

  end(why: string): void {
    if (this.#endedBy !== undefined) return;
    this.#endedBy = why;
    clearTimeout(this.#timer);
    this.#controller.abort(new NotOwnedError(this.group.groupId, why));
    this.#wake();
    const known = this.#known();
    if (known.length > 0) this.#events.ended(known, why);
  }

  /** Those with a token that were told as owned; none when this has ended. */
  owned(): readonly PartitionFence[] {
    return this.ended ? [] : this.#known();
  }
  #known(): readonly PartitionFence[] {
    return [...this.#tokens].filter(([, token]) => token !== undefined).map(([key]) => this.#fence(key));
  }

  /** One timer, re-armed when it finds that the session was renewed meanwhile. */
  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        if (!this.ended) this.#watch();
      },
      Math.max(1, this.#heardAt + this.#sessionMs - this.#session.now()),
    );
    this.#timer.unref();
  }

  /**
   * A grant to another member is from another generation, unless the group is stable: then the group leader gave the
   * partition to both, and the coordinator chose the other.
   */
  learn(grants: readonly Grant[], generation: number | undefined): void {
    if (this.ended) return;
    this.#learnSession(grants);
    if (this.#endedBy !== undefined) return;
    const { groupId, memberId, memberAssignment } = this.group;
    if (memberAssignment === undefined) this.#adopt(grants, generation);
    const byScope = new Map(grants.map((grant) => [grant.scope, grant]));
    const learnt: string[] = [];
    for (const [key, known] of this.#tokens) {
      const grant = byScope.get(`${groupId}/${key}`);
      if (grant?.owner === memberId && known === undefined) {
        this.#tokens.set(key, grant.token);
        learnt.push(key);
      } else if (grant?.isSettled === true && grant.owner !== memberId) this.#tokens.delete(key);
    }
    const all = [...this.#tokens.values()].every((token) => token !== undefined);
    this.#complete = all && (memberAssignment !== undefined || this.#tokens.size > 0);
    this.#wake();
    if (learnt.length > 0) this.#events.owned(learnt.map((key) => this.#fence(key)));
  }

  /** What the coordinator has granted to this member in the generation that its heartbeats name. */
  #adopt(grants: readonly Grant[], generation: number | undefined): void {
    const { groupId, memberId } = this.group;
    for (const { scope, owner, groupGeneration } of grants) {
      if (owner !== memberId || groupGeneration !== generation) continue;
      const key = scope.slice(groupId.length + 1);
      if (!this.#tokens.has(key)) this.#tokens.set(key, undefined);
    }
  }

  #learnSession(grants: readonly Grant[]): void {
    if (this.#session.timeoutMs !== undefined) return;
    const said = grants.find(({ owner }) => owner === this.group.memberId)?.sessionTimeoutMs;
    if (said === undefined) return;
    this.#sessionMs = said * (1 - this.#session.driftRatio);
    if (!this.ended) this.#watch();
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /** Resolves when the token is known, or will never be. */
  async known(key: string): Promise<void> {
    while (!this.ended && !this.#complete && this.#isOpen(key))
      await new Promise<void>((resume) => this.#waiting.push(resume));
  }
  #isOpen(key: string): boolean {
    if (this.#tokens.has(key)) return this.#tokens.get(key) === undefined;
    return this.group.memberAssignment === undefined && !this.#complete;
  }

  #fence(key: string): PartitionFence {
    const { topic, partition } = partitionOf(key);
    return this.partition(topic, partition);
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
    return this.#isOpen(keyOf(topic, partition))
      ? 'its token is not known yet'
      : 'it is assigned to another member';
  }
}
