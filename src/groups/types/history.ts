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
  /** The member that caused it; null when no single member did. */
  readonly memberId: MemberId | null;
  readonly reason: string | null;
}

/** The history of one rebalance, for people. Times are the leader's wall clock. */
export interface RebalanceRecord {
  readonly trigger: RebalanceTrigger;
  readonly generationBefore: Generation;
  /** The generation that the rebalance started. */
  readonly generation: Generation;
  /** When members were told to stop. */
  readonly startedAt: WallMs;
  /** When all members had joined or were removed, and the next generation started. Null before that. */
  readonly joinedAt: WallMs | null;
  /** When members got the assignment. Null before that, and when another rebalance overtook this one. */
  readonly stableAt: WallMs | null;
  readonly outcome: 'running' | 'stable' | 'empty' | 'overtaken';
  readonly members: number;
  /** Members that the others waited for: removed at the deadline, or the last one to join (`waitedMs` after the start). */
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
