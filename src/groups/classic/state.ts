import type { Generation, GroupId, InstanceId, MemberId, WallMs } from '../../kernel/index.js';
import type { Fences } from '../fences.js';
import type { OffsetTable } from '../offsets.js';
import type { ClassicState, GroupNews, JoinProtocol, RebalanceRecord, TimerChange } from '../types.js';

/** A member of a classic group, as all replicas know it. */
export interface ClassicMember {
  readonly memberId: MemberId;
  readonly instanceId: InstanceId | null;
  clientId: string;
  clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly JoinProtocol[];
  /** Never had a generation yet: it cannot heartbeat before its first join is answered. */
  isNew: boolean;
  /** Stands at the barrier: its JoinGroup is counted and will be answered when the barrier opens. */
  waiting: boolean;
  /** Its SyncGroup waits for the leader's assignment. */
  awaitingAssignment: boolean;
  /** Has not synced in this generation. */
  pendingSync: boolean;
  assignment: Uint8Array;
  /** When it came to the barrier of the rebalance under way. */
  waitingSince: WallMs | null;
  /** Of the present arming of its session timer. */
  sessionToken: number;
}

/** The classic protocol's part of a group. */
export interface ClassicGroup {
  readonly kind: 'classic';
  readonly id: GroupId;
  state: ClassicState;
  generation: Generation;
  /** Null for a group that never had members. */
  protocolType: string | null;
  protocolName: string | null;
  leader: MemberId | null;
  readonly members: Map<MemberId, ClassicMember>;
  readonly staticMembers: Map<InstanceId, MemberId>;
  /** Ids handed out (KIP-394) whose holders have not come back, with the time they have and the token of the timer. */
  readonly pending: Map<MemberId, { readonly timeoutMs: number; readonly token: number }>;
  /** Tokens of the group's own timers that are armed, with the time they were given. */
  readonly timers: Map<'initial' | 'join' | 'sync', { readonly token: number; readonly afterMs: number }>;
  /** Since when it has no members. */
  emptySince: WallMs | null;
  /** Bounds of the first rebalance, from the join that began it; null outside of one. */
  initial: { readonly startedAt: WallMs; readonly quietMs: number; readonly delayMsMax: number } | null;
  readonly offsets: OffsetTable;
  readonly fences: Fences;
  /** Newest last. */
  history: RebalanceRecord[];
  historyMax: number;
}

/** What a command causes beside its reply. */
export interface Consequences {
  readonly news: GroupNews[];
  readonly timers: TimerChange[];
}

/** From which states a group may come into a state. Anything else is a defect. */
export const LEGAL_PREDECESSORS: Readonly<Record<ClassicState, readonly ClassicState[]>> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Stable', 'CompletingRebalance', 'Empty'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
  Dead: ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead'],
};
