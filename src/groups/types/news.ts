import type { Generation, GroupId, InstanceId, MemberId } from '../../kernel/index.js';
import type { RebalanceRecord, RebalanceTrigger } from './history.js';
import type { JoinAnswer, SyncAnswer } from './replies.js';

/** Answers to parked requests, and events for log lines and metrics. Only the leader of the shard acts on them. */
export type GroupNews =
  | {
      readonly kind: 'join-answer';
      readonly group: GroupId;
      readonly memberId: MemberId;
      readonly answer: JoinAnswer;
    }
  | {
      readonly kind: 'sync-answer';
      readonly group: GroupId;
      readonly memberId: MemberId;
      readonly answer: SyncAnswer;
    }
  | {
      readonly kind: 'member-joined';
      readonly group: GroupId;
      readonly memberId: MemberId;
      readonly instanceId: InstanceId | null;
      readonly clientId: string;
      readonly clientHost: string;
    }
  | {
      readonly kind: 'member-left';
      readonly group: GroupId;
      readonly memberId: MemberId;
      readonly cause: LeaveCause;
    }
  | { readonly kind: 'rebalance-started'; readonly group: GroupId; readonly trigger: RebalanceTrigger }
  | { readonly kind: 'rebalance-ended'; readonly group: GroupId; readonly record: RebalanceRecord }
  /** The group leader gave partitions to two members. `scope` is the first of them. */
  | {
      readonly kind: 'assigned-twice';
      readonly group: GroupId;
      /** The name of the assignment strategy. */
      readonly assignor: string | null;
      readonly leader: MemberId | null;
      readonly partitions: number;
      readonly scope: string;
      readonly owner: MemberId;
      readonly loser: MemberId;
    }
  | { readonly kind: 'group-empty'; readonly group: GroupId; readonly generation: Generation }
  | { readonly kind: 'group-deleted'; readonly group: GroupId };

/** Why a member is no longer in its group. */
export type LeaveCause =
  'left' | 'session-expired' | 'missed-rebalance' | 'missed-sync' | 'replaced' | 'removed' | 'unanswered';
