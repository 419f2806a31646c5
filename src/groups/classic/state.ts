import type { Generation, GroupId, InstanceId, MemberId, WallMs } from '../../kernel/index.js';
import { Fences } from '../fences.js';
import { OffsetTable } from '../offsets.js';
import type { RebalanceRecord } from '../types/history.js';
import { Roster } from './roster.js';
import type { ClassicState } from './states.js';

/** The timers of the group itself. Members have timers of their own. */
export type GroupTimer = 'initial' | 'join' | 'sync';

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
  readonly members: Roster;
  readonly staticMembers: Map<InstanceId, MemberId>;
  /** Issued ids (KIP-394) whose clients have not joined with them, each with its timeout and the token of its timer. */
  readonly pending: Map<MemberId, { readonly timeoutMs: number; readonly token: number }>;
  /** The armed timers of the group, each with its token and its duration. */
  readonly timers: Map<GroupTimer, { readonly token: number; readonly afterMs: number }>;
  /** Since when it has no members. */
  emptySince: WallMs | null;
  /** Bounds of the first rebalance, set by the join that started it; null outside of one. */
  initial: { readonly startedAt: WallMs; readonly quietMs: number; readonly delayMsMax: number } | null;
  readonly offsets: OffsetTable;
  readonly fences: Fences;
  /** Newest last. */
  history: RebalanceRecord[];
  historyMax: number;
}

export function newClassicGroup(id: GroupId, generation: Generation, historyMax = 20): ClassicGroup {
  return {
    kind: 'classic',
    id,
    state: 'Empty',
    generation,
    protocolType: null,
    protocolName: null,
    leader: null,
    members: new Roster(),
    staticMembers: new Map(),
    pending: new Map(),
    timers: new Map(),
    emptySince: null,
    initial: null,
    offsets: new OffsetTable(),
    fences: new Fences(),
    history: [],
    historyMax,
  };
}
