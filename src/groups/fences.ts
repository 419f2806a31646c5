import {
  type FenceToken,
  type Generation,
  type GroupId,
  type InstanceId,
  type MemberId,
  type WallMs,
} from '../kernel/index.js';
import type { FenceGrant } from './types/views.js';

/** The owner of a scope in a new assignment. */
export interface Ownership {
  readonly scope: string;
  readonly owner: MemberId;
  readonly instanceId: InstanceId | null;
}

/** How many tokens a second of a cluster's age leaves room for; a shard grants far fewer. */
const TOKENS_A_SECOND = 2 ** 21;
/** Of the year 2106. Tokens of a clock beyond it would not be below 2^53. */
const SECONDS_MAX = 2 ** 32 - 1_000_000;

/**
 * Where the tokens of a cluster start that is formed now: the time in the high bits. A cluster that was made earlier has
 * given lower ones only, so stores that saw those take the writes of this one.
 */
export const tokensFromNow = (now: WallMs): number =>
  Math.min(Math.max(0, Math.floor(now / 1_000)), SECONDS_MAX) * TOKENS_A_SECOND;

export const partitionScope = (group: GroupId, topic: string, partition: number): string =>
  `${group}/${topic}/${partition}`;

/**
 * The grants of one group. A token is the slot of the command that granted the scope to its owner, above the number that
 * tokens of the cluster start from. Slots only grow, so tokens of a scope never repeat and never go down, whatever happens
 * to members, groups or leaders in between.
 */
export class Fences {
  readonly #grants = new Map<string, FenceGrant>();

  get size(): number {
    return this.#grants.size;
  }
  all(): readonly FenceGrant[] {
    return [...this.#grants.values()];
  }

  /**
   * A new assignment is in force. An owner that keeps a scope keeps its token. Every other owner gets a new token, also
   * one that had the scope before and lost it. Returns the number of new grants.
   */
  assign(ownerships: readonly Ownership[], token: FenceToken, generation: Generation): number {
    const wanted = new Set(ownerships.map(({ scope }) => scope));
    for (const scope of this.#grants.keys()) if (!wanted.has(scope)) this.#grants.delete(scope);
    let granted = 0;
    for (const { scope, owner, instanceId } of ownerships) {
      if (this.#grants.get(scope)?.owner === owner) continue;
      this.#grants.set(scope, { scope, owner, instanceId, token, generation });
      granted++;
    }
    return granted;
  }

  /** The owner was removed: its scopes have no owner. */
  release(owner: MemberId): void {
    for (const [scope, grant] of this.#grants) if (grant.owner === owner) this.#grants.delete(scope);
  }

  /** A new process took over a static member: the old process must not write any more. */
  takeOver(from: MemberId, to: MemberId, token: FenceToken): void {
    for (const [scope, grant] of this.#grants) {
      if (grant.owner === from) this.#grants.set(scope, { ...grant, owner: to, token });
    }
  }

  clear(): void {
    this.#grants.clear();
  }

  restore(grants: readonly FenceGrant[]): void {
    for (const grant of grants) this.#grants.set(grant.scope, grant);
  }
}
