import type { Generation, GroupId, InstanceId, Int64, MemberId, TopicName } from '../../kernel/index.js';
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
  readonly offset: Int64;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export type JoinSettings = Pick<
  GroupSettings,
  'groupSizeMax' | 'initialQuietMs' | 'initialDelayMsMax' | 'rebalanceRecordsMax'
>;

/**
 * Commands of a group, as the log holds them. Everything that is not deterministic is a field: ids that the leader made,
 * settings that limit the answer. The leader's time is beside the command (`ApplyContext.at`).
 */
export type GroupCommand =
  | {
      readonly kind: 'group.join';
      readonly group: GroupId;
      /** '' when the client has none yet. */
      readonly memberId: MemberId;
      /** Made by the leader, and used if this join needs a new id. */
      readonly newMemberId: MemberId;
      readonly instanceId: InstanceId | null;
      readonly clientId: string;
      readonly clientHost: string;
      readonly sessionTimeoutMs: number;
      readonly rebalanceTimeoutMs: number;
      readonly protocolType: string;
      readonly protocols: readonly JoinProtocol[];
      /** JoinGroup v4+: a dynamic member without an id gets one and must join again with it (KIP-394). */
      readonly memberIdRequired: boolean;
      /** JoinGroup v9+: the leader can be told to skip computing an assignment (KIP-814). */
      readonly canSkipAssignment: boolean;
      readonly reason: string | null;
      /**
       * This is the first request of the member since the shard changed its leader, and nothing that the assignment depends
       * on has changed. kafkajs sends such a JoinGroup when it has found its new coordinator.
       */
      readonly resuming: boolean;
      readonly settings: JoinSettings;
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
  /** A deadline passed at the leader. If the timer was armed again since, its token differs and the command changes nothing. */
  | { readonly kind: 'group.expire'; readonly group: GroupId; readonly timer: Timer; readonly token: number }
  /**
   * Removes those of the named offsets that are past their retention, and a named group that has neither members nor
   * offsets.
   */
  | {
      readonly kind: 'group.expireThese';
      readonly offsetsRetentionMs: number;
      readonly groups: readonly { readonly group: GroupId; readonly topics: readonly TopicPartitions[] }[];
    }
  /** The same in the whole shard, all at once. Proposed by version 0.1.0. */
  | { readonly kind: 'group.expireOffsets'; readonly offsetsRetentionMs: number }
  /**
   * Another replica leads the shard. The JoinGroup requests that waited are lost, and with them the ids of clients that came
   * without one: in all groups, members that have not been in a generation yet must join again. Feature level 4.
   */
  | { readonly kind: 'group.rollCall'; readonly quietMs: number }
  /** Tokens of the shard are above this from now on. The leader proposes it once, when the cluster is new (or new to it). */
  | { readonly kind: 'group.startTokens'; readonly from: number }
  /** A topic was deleted: removes its offsets in every group of the shard. */
  | { readonly kind: 'group.topicDeleted'; readonly topic: TopicName; readonly topicId: string };
