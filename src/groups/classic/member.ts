import type { InstanceId, MemberId, WallMs } from '../../kernel/index.js';
import type { JoinProtocol } from '../types/commands.js';

/** A member of a classic group, as all replicas know it. */
export interface ClassicMember {
  readonly memberId: MemberId;
  readonly instanceId: InstanceId | null;
  clientId: string;
  clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  /** The roster counts who supports what, and who waits: it alone changes these three. */
  readonly protocols: readonly JoinProtocol[];
  /** It has not been in a generation yet: it cannot send heartbeats before its first JoinGroup is answered. */
  isNew: boolean;
  /** It waits at the barrier: its JoinGroup is counted and gets its answer when the barrier opens. */
  readonly waiting: boolean;
  /** Its SyncGroup waits for the leader's assignment. */
  awaitingAssignment: boolean;
  /** It has not sent SyncGroup in this generation. */
  readonly pendingSync: boolean;
  assignment: Uint8Array;
  /** When it reached the barrier of the current rebalance. */
  waitingSince: WallMs | null;
  /** The slot of the command that armed its session timer last. */
  sessionToken: number;
}
