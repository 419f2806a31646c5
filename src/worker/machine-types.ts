import type { BackOff } from '../client/index.js';
import type { LeaseEnd, TopicPartition } from './types.js';

/** Milliseconds, but for the ratio. */
export interface MachineSettings {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** How long a handler may take to settle after `revoked`. */
  readonly drainMs: number;
  /** The share of the session that is given up here, because two clocks run at different speeds. */
  readonly clockDriftRatio: number;
  /** True: what is kept is not interrupted by a rebalance (KIP-429). False: everything is revoked before each. */
  readonly cooperative: boolean;
  /** The name of a static member (KIP-345). */
  readonly instanceId?: string | null;
  readonly backOff: BackOff;
}

/** What a lease is to the machine. Ids are never used again. */
export interface Held extends TopicPartition {
  readonly id: number;
  readonly epoch: number;
  readonly token: bigint | null;
  readonly memberId: string;
}

/** A request got no answer. */
export const UNREACHABLE = -2;

export interface GroupMemberFacts {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly metadata: Buffer;
}

/** `sentAt`: when the request left. `code`: Kafka's error, or UNREACHABLE with the reason in `detail`. */
interface Answered {
  readonly sentAt: number;
  readonly code: number;
  readonly detail?: string;
}
export interface Joined extends Answered {
  readonly kind: 'joined';
  /** Of the effect that asked. */
  readonly attempt: number;
  readonly memberId: string;
  readonly generation: number;
  readonly protocolName: string;
  /** The members, for the one that assigns; null for all others. */
  readonly members: readonly GroupMemberFacts[] | null;
}
export interface Synced extends Answered {
  readonly kind: 'synced';
  readonly attempt: number;
  readonly assigned: readonly (TopicPartition & { readonly token: bigint | null })[];
  /** How long the coordinator waits for a member whose connection has ended. Milliseconds; 0: for its session. */
  readonly graceMs?: number;
}
export interface Beat extends Answered {
  readonly kind: 'beat';
  readonly memberId: string;
  readonly generation: number;
  /** An operator wants this member to drain and leave. */
  readonly drain?: boolean;
}

export type Input =
  | { readonly kind: 'start' | 'tick' }
  | Joined
  | Synced
  | Beat
  /** The handler of the lease has returned after its end, and will not run again. */
  | { readonly kind: 'settled'; readonly id: number }
  /** The assignments could not be computed; the whole round is tried again. */
  | { readonly kind: 'not-assigned'; readonly attempt: number; readonly detail: string }
  /** The subscribed topics have changed: the group has to share out anew. */
  | { readonly kind: 'topics-changed' }
  | { readonly kind: 'leave'; readonly reason: string; readonly silently: boolean }
  | { readonly kind: 'left' };

export type Effect =
  | {
      readonly kind: 'join';
      readonly attempt: number;
      readonly memberId: string;
      readonly generation: number;
      readonly owned: readonly TopicPartition[];
      readonly reason: string;
    }
  | {
      readonly kind: 'sync';
      readonly attempt: number;
      readonly memberId: string;
      readonly generation: number;
      readonly protocolName: string;
      readonly members: readonly GroupMemberFacts[] | null;
    }
  | { readonly kind: 'heartbeat'; readonly memberId: string; readonly generation: number }
  | { readonly kind: 'leave'; readonly memberId: string; readonly reason: string }
  /** Run its handler. */
  | { readonly kind: 'open'; readonly leases: readonly Held[] }
  /** `lost` may follow `revoked`. */
  | { readonly kind: 'end'; readonly ids: readonly number[]; readonly end: LeaseEnd; readonly why: string }
  /** The handler has not settled within the drain. */
  | { readonly kind: 'overdue'; readonly id: number }
  | { readonly kind: 'became-member'; readonly memberId: string; readonly generation: number }
  | { readonly kind: 'rebalanced'; readonly generation: number; readonly owned: number }
  /** Tried again, unless `fatal`. */
  | {
      readonly kind: 'failed';
      readonly request: string;
      readonly code: number;
      readonly detail: string;
      readonly fatal: boolean;
    };
