import type { Fence } from '../locking/index.js';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Why a lease ended. `revoked`: finish and commit until the deadline. `lost`: stop at once, whatever is written is refused. */
export type LeaseEnd = 'revoked' | 'lost';

/** The reason on the signal of a lease. */
export class LeaseEndedError extends Error {
  override readonly name = 'LeaseEndedError';
  constructor(
    readonly scope: string,
    readonly end: LeaseEnd,
    readonly why: string,
  ) {
    super(`${scope} is ${end}: ${why}`);
  }
}

/** One partition, from when this worker got it until it gives it up or loses it. It is a fence of `quorate/locking`. */
export interface Lease extends Fence, TopicPartition {
  /** `group/topic/partition`. */
  readonly scope: string;
  /** The generation in which it was granted. */
  readonly epoch: number;
  /** The coordinator's token; from a coordinator that gives none (Apache Kafka) the epoch. */
  readonly token: bigint;
  /** The member id. */
  readonly owner: string;
  /** What was committed last, here or by an owner before; null: never. */
  readonly position: bigint | null;
  /** Aborts with a LeaseEndedError. After `revoked` its reason stays; ask `end` whether it was lost later. */
  readonly signal: AbortSignal;
  /** Undefined while it is owned. */
  readonly end: LeaseEnd | undefined;
  /** `performance.now()` of the moment in which it ends by itself: the end of the session, or of the drain. Moves with each heartbeat. */
  readonly deadline: number;
  /** Throws NotOwnedError unless this worker may write for the partition at this moment. After `revoked` it still may. */
  assertOwned(): void;
  /** Resolves when the position is durable. Rejects with NotOwnedError when the lease was lost before. Commits of a lease keep their order. */
  commit(position: bigint | number): Promise<void>;
}

export type WorkerState = 'idle' | 'joining' | 'working' | 'paused' | 'stopping' | 'stopped' | 'failed';

export interface WorkerEvents {
  /** A member of the group, with a new id. */
  readonly joined: { readonly memberId: string; readonly epoch: number };
  /** The handlers of these start. */
  readonly assigned: { readonly leases: readonly Lease[]; readonly epoch: number };
  /** They are to drain. */
  readonly revoked: { readonly leases: readonly Lease[]; readonly why: string };
  /** They are over, and may be owned by others. */
  readonly lost: { readonly leases: readonly Lease[]; readonly why: string };
  /** A rebalance has ended; what was kept is in `owned()` as before. */
  readonly rebalanced: { readonly epoch: number; readonly owned: number };
  readonly error: { readonly error: Error; readonly lease?: Lease };
}
