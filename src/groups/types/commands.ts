import type { Generation, GroupId, InstanceId, MemberId, TopicName } from '../../kernel/index.js';
import type { GroupSettings } from './settings.js';
import type { Timer } from './timers.js';

export interface JoinProtocol {
  readonly name: string;
  /** Opaque to the coordinator; a ConsumerProtocolSubscription when the protocol type is "consumer". */
  readonly metadata: Uint8Array;
}
export interface TopicPartitions {
  readonly topic: TopicName;
  readonly partitions: readonly number[];
}
export interface OffsetToCommit {
  readonly topic: TopicName;
  /** The topic's id when it was committed; null when the client or topic has none. */
  readonly topicId: string | null;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/**
 * Commands of a group, as they stand in the log. All that is not deterministic is inside: ids made by the leader,
 * settings that bound the answer. The time of the leader comes beside it (`at`).
 */
export type GroupCommand =
  | {
      readonly kind: 'group.join';
      readonly group: GroupId;
      /** '' when the client has none yet. */
      readonly memberId: MemberId;
      /** Made by the leader; used if this join needs a new id. */
      readonly newMemberId: MemberId;
      readonly instanceId: InstanceId | null;
      readonly clientId: string;
      readonly clientHost: string;
      readonly sessionTimeoutMs: number;
      readonly rebalanceTimeoutMs: number;
      readonly protocolType: string;
      readonly protocols: readonly JoinProtocol[];
      /** JoinGroup v4+: a dynamic member without an id is given one and must come back with it (KIP-394). */
      readonly memberIdRequired: boolean;
      /** JoinGroup v9+: the leader can be told to skip computing an assignment (KIP-814). */
      readonly canSkipAssignment: boolean;
      readonly reason: string | null;
      /**
       * The first word of this member since the shard changed its leader, and nothing that its group's assignment rests on
       * has changed: it was told to look for its coordinator and comes back with a JoinGroup, as kafkajs does.
       */
      readonly resuming: boolean;
      readonly settings: Pick<
        GroupSettings,
        'groupSizeMax' | 'initialQuietMs' | 'initialDelayMsMax' | 'rebalanceRecordsMax'
      >;
    }
  | {
      readonly kind: 'group.sync';
      readonly group: GroupId;
      readonly generation: Generation;
      readonly memberId: MemberId;
      readonly instanceId: InstanceId | null;
      readonly protocolType: string | null;
      readonly protocolName: string | null;
      /** Non-empty from the leader only. */
      readonly assignments: readonly { readonly memberId: MemberId; readonly assignment: Uint8Array }[];
    }
  | {
      readonly kind: 'group.leave';
      readonly group: GroupId;
      readonly members: readonly {
        readonly memberId: MemberId;
        readonly instanceId: InstanceId | null;
        readonly reason: string | null;
      }[];
    }
  | {
      readonly kind: 'group.commit';
      readonly group: GroupId;
      /** -1 for a simple commit. */
      readonly generation: Generation;
      /** '' for a simple commit. */
      readonly memberId: MemberId;
      readonly instanceId: InstanceId | null;
      /** OffsetCommit v9+: answers GROUP_ID_NOT_FOUND where older versions get ILLEGAL_GENERATION. */
      readonly groupNotFoundKnown: boolean;
      /** OffsetCommit v2-4: milliseconds from now; null = the setting. */
      readonly retentionMs: number | null;
      readonly offsetMetadataBytesMax: number;
      readonly offsets: readonly OffsetToCommit[];
    }
  | { readonly kind: 'group.delete'; readonly group: GroupId }
  | {
      readonly kind: 'group.deleteOffsets';
      readonly group: GroupId;
      readonly topics: readonly TopicPartitions[];
    }
  /** A deadline passed at the leader. Re-checked: a token of an older arming changes nothing. */
  | { readonly kind: 'group.expire'; readonly group: GroupId; readonly timer: Timer; readonly token: number }
  /** One sweep over the shard: offsets past their retention, groups with nothing left. */
  | { readonly kind: 'group.expireOffsets'; readonly offsetsRetentionMs: number }
  /** A topic was deleted: its offsets go, in every group of the shard. */
  | { readonly kind: 'group.topicDeleted'; readonly topic: TopicName; readonly topicId: string };
