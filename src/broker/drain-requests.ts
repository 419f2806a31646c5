import type { GroupId, MemberId, MonotonicMs } from '../kernel/index.js';

/** How long one request counts. Who wants a member to drain asks again until it has left: a new leader knows nothing of it. */
const COUNTS_MS = 5_000;

/** Members that an operator wants to drain and leave. Their heartbeats are answered with it; nothing is replicated. */
export class DrainRequests {
  readonly #now: () => MonotonicMs;
  readonly #until = new Map<string, MonotonicMs>();

  constructor(now: () => MonotonicMs) {
    this.#now = now;
  }

  ask(group: GroupId, members: readonly MemberId[]): void {
    const now = this.#now();
    for (const [key, until] of this.#until) if (now >= until) this.#until.delete(key);
    for (const member of members) this.#until.set(keyOf(group, member), (now + COUNTS_MS) as MonotonicMs);
  }

  /** Costs nothing while no operator asks for anything. */
  counts(group: GroupId, member: MemberId): boolean {
    if (this.#until.size === 0) return false;
    return this.#now() < (this.#until.get(keyOf(group, member)) ?? 0);
  }
}

const keyOf = (group: GroupId, member: MemberId): string => `${group}\u0000${member}`;
