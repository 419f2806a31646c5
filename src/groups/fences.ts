import {
  type Generation,
  fenceToken,
  type GroupId,
  type InstanceId,
  type MemberId,
  type Slot,
} from '../kernel/index.js';
import type { FenceGrant } from './types/views.js';

/** The owner of a scope in a new assignment. */
export interface Ownership {
  readonly scope: string;
  readonly owner: MemberId;
  readonly instanceId: InstanceId | null;
}

export const partitionScope = (group: GroupId, topic: string, partition: number): string =>
  `${group}/${topic}/${partition}`;

/**
 * The grants of one group. A token is the slot of the command that granted the scope to its owner: slots only grow, so
 * tokens of a scope never repeat and never go down, whatever happens to members, groups or leaders in between.
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
  assign(ownerships: readonly Ownership[], slot: Slot, generation: Generation): number {
    const wanted = new Set(ownerships.map(({ scope }) => scope));
    for (const scope of this.#grants.keys()) if (!wanted.has(scope)) this.#grants.delete(scope);
    let granted = 0;
    for (const { scope, owner, instanceId } of ownerships) {
      if (this.#grants.get(scope)?.owner === owner) continue;
      this.#grants.set(scope, { scope, owner, instanceId, token: fenceToken(slot), generation });
      granted++;
    }
    return granted;
  }

  /** The owner was removed: its scopes have no owner. */
  release(owner: MemberId): void {
    for (const [scope, grant] of this.#grants) if (grant.owner === owner) this.#grants.delete(scope);
  }

  /** A new process took over a static member: the old process must not write any more. */
  takeOver(from: MemberId, to: MemberId, slot: Slot): void {
    for (const [scope, grant] of this.#grants) {
      if (grant.owner === from) this.#grants.set(scope, { ...grant, owner: to, token: fenceToken(slot) });
    }
  }

  clear(): void {
    this.#grants.clear();
  }

  restore(grants: readonly FenceGrant[]): void {
    for (const grant of grants) this.#grants.set(grant.scope, grant);
  }
}
