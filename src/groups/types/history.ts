import type { Generation, MemberId, WallMs } from '../../kernel/index.js';
import type { TopicPartitions } from './commands.js';

export interface RebalanceTrigger {
  readonly cause:
    | 'member-joined'
    | 'member-left'
    | 'session-expired'
    | 'subscription-changed'
    | 'leader-rejoined'
    | 'static-replaced'
    | 'sync-missed';
  /** Whose doing; null when nobody in particular. */
  readonly memberId: MemberId | null;
  readonly reason: string | null;
}

/** The history of one rebalance, for people. Times are the leader's wall clock. */
export interface RebalanceRecord {
  readonly trigger: RebalanceTrigger;
  readonly generationBefore: Generation;
  /** The generation it led to. */
  readonly generation: Generation;
  /** Stop was called. */
  readonly startedAt: WallMs;
  /** Every member had stopped and joined (or was removed): the next generation began. Null while it runs. */
  readonly joinedAt: WallMs | null;
  /** The assignment was handed out. Null while it runs, or when it was overtaken by another. */
  readonly stableAt: WallMs | null;
  readonly outcome: 'running' | 'stable' | 'empty' | 'overtaken';
  readonly members: number;
  /** Who kept the others waiting: given up at the deadline, or the last one to come (with how long after the start). */
  readonly stragglers: readonly {
    readonly memberId: MemberId;
    readonly waitedMs: number;
    readonly removed: boolean;
  }[];
  readonly assignment: readonly {
    readonly memberId: MemberId;
    readonly clientId: string;
    readonly topics: readonly TopicPartitions[];
  }[];
  /** Null when the protocol type is not "consumer" or an assignment cannot be read. */
  readonly partitionsMoved: number | null;
}
