import {
  type FenceToken,
  finished,
  type Generation,
  type GroupId,
  type InstanceId,
  type MemberId,
  type Steps,
  type WallMs,
} from '../kernel/index.js';
import type { FenceGrant } from './types/views.js';

/** The owner of a scope in a new assignment. */
export interface Ownership {
  readonly scope: string;
  readonly owner: MemberId;
  readonly instanceId: InstanceId | null;
}

/** A scope that an assignment gave to more than one member. */
interface Contest {
  readonly scope: string;
  readonly owner: MemberId;
  readonly loser: MemberId;
}

interface Assigned {
  readonly granted: number;
  readonly contests: readonly Contest[];
}
/** Does something with each item, and lets others have the loop in between. */
type InSteps = <T>(items: Iterable<T>, each: (item: T) => void) => Steps<void>;

function* atOnce<T>(items: Iterable<T>, each: (item: T) => void): Steps<void> {
  for (const item of items) each(item);
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

const ESCAPED = /[%/]/g;
const escaped = (name: string): string =>
  name.includes('/') || name.includes('%') ? name.replace(ESCAPED, encodeURIComponent) : name;

/** Unambiguous: the last two parts have no slash. A topic has none by itself, but an assignment may hold any text. */
export const partitionScope = (group: GroupId, topic: string, partition: number): string =>
  `${group}/${escaped(topic)}/${partition}`;

/** The whole of a group with an opaque protocol. It has no slash, so it is never the scope of a partition. */
export const groupScope = (group: GroupId): string => escaped(group);

/**
 * The grants of one group. A token is the slot of the command that granted the scope to its owner, above the number that
 * tokens of the cluster start from. Slots only grow, so tokens of a scope never repeat and never go down, whatever happens
 * to members, groups or leaders in between.
 */
export class Fences {
  /** By scope; by scope and owner when several members hold the scope of the whole group. */
  #grants = new Map<string, FenceGrant>();
  #keys = new Map<MemberId, Set<string>>();

  get size(): number {
    return this.#grants.size;
  }
  all(): readonly FenceGrant[] {
    return [...this.#grants.values()];
  }
  /** Those of one owner. */
  of(owner: MemberId): readonly FenceGrant[] {
    return [...(this.#keys.get(owner) ?? [])].map((key) => this.#grants.get(key)!);
  }
  /** The token of a scope, if it is that of this owner. */
  tokenOf(scope: string, owner: MemberId): FenceToken | undefined {
    const grant = this.#grants.get(scope);
    return grant?.owner === owner ? grant.token : undefined;
  }
  /** Who owns a partition's scope. */
  ownerOf(scope: string): MemberId | undefined {
    return this.#grants.get(scope)?.owner;
  }

  /**
   * A new assignment is in force. An owner that keeps a scope keeps its token. Every other owner gets a new token, also
   * one that had the scope before and lost it. A scope that is given to several members stays with the one that has it,
   * else goes to the first of them. Returns the number of new grants, and who got nothing though the assignment says so.
   */
  assign(ownerships: readonly Ownership[], token: FenceToken, generation: Generation): Assigned {
    return finished(this.assigning(ownerships, { token, generation }, atOnce));
  }

  /** The same in steps. Until the last one is done the grants are those of before. */
  *assigning(
    ownerships: readonly Ownership[],
    granting: Pick<FenceGrant, 'token' | 'generation'>,
    inSteps: InSteps,
  ): Steps<Assigned> {
    const wanted = new Map<string, Ownership>();
    const contests: Contest[] = [];
    yield* inSteps(ownerships, (claim) => {
      const { scope } = claim;
      const other = wanted.get(scope);
      if (other === undefined) wanted.set(scope, claim);
      else if (other.owner !== claim.owner) {
        const keeps = this.ownerOf(scope) === claim.owner;
        if (keeps) wanted.set(scope, claim);
        const [owner, loser] = keeps ? [claim.owner, other.owner] : [other.owner, claim.owner];
        contests.push({ scope, owner, loser });
      }
    });
    const next = new Fences();
    let granted = 0;
    yield* inSteps(wanted.values(), ({ scope, owner, instanceId }) => {
      const grant = this.#grants.get(scope);
      if (grant?.owner === owner) return next.#set(scope, grant);
      next.#set(scope, { scope, owner, instanceId, ...granting });
      granted++;
    });
    this.#grants = next.#grants;
    this.#keys = next.#keys;
    return { granted, contests };
  }

  /** With an opaque protocol each generation is a new owner of the whole group: all that have a part share one token. */
  assignWhole(ownerships: readonly Ownership[], token: FenceToken, generation: Generation): void {
    this.clear();
    this.restore(ownerships.map((ownership) => ({ ...ownership, token, generation })));
  }

  /** The owner was removed: its scopes have no owner. */
  release(owner: MemberId): void {
    for (const key of [...(this.#keys.get(owner) ?? [])]) this.#delete(key);
  }

  /** A new process took over a static member: the old process must not write any more. */
  takeOver(from: MemberId, to: MemberId, token: FenceToken): void {
    for (const key of [...(this.#keys.get(from) ?? [])])
      this.#set(key, { ...this.#grants.get(key)!, owner: to, token });
  }

  clear(): void {
    this.#grants.clear();
    this.#keys.clear();
  }

  restore(grants: readonly FenceGrant[]): void {
    for (const grant of grants) {
      const { scope, owner } = grant;
      this.#set(this.#grants.has(scope) ? `${scope}\u0000${owner}` : scope, grant);
    }
  }

  #set(key: string, grant: FenceGrant): void {
    this.#unindex(key);
    this.#grants.set(key, grant);
    const keys = this.#keys.get(grant.owner);
    if (keys === undefined) this.#keys.set(grant.owner, new Set([key]));
    else keys.add(key);
  }

  #delete(key: string): void {
    this.#unindex(key);
    this.#grants.delete(key);
  }

  #unindex(key: string): void {
    const owner = this.#grants.get(key)?.owner;
    if (owner === undefined) return;
    const keys = this.#keys.get(owner)!;
    keys.delete(key);
    if (keys.size === 0) this.#keys.delete(owner);
  }
}
