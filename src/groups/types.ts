import type {
  Generation,
  FenceToken,
  GroupId,
  InstanceId,
  MemberId,
  Slot,
  TopicName,
  WallMs,
} from '../kernel/index.js';

/** The answers Kafka's group APIs know, by Kafka's names. `src/wire` maps them to codes. */
export type GroupError =
  | 'OFFSET_METADATA_TOO_LARGE'
  | 'COORDINATOR_NOT_AVAILABLE'
  | 'ILLEGAL_GENERATION'
  | 'INCONSISTENT_GROUP_PROTOCOL'
  | 'INVALID_GROUP_ID'
  | 'UNKNOWN_MEMBER_ID'
  | 'INVALID_SESSION_TIMEOUT'
  | 'REBALANCE_IN_PROGRESS'
  | 'NON_EMPTY_GROUP'
  | 'GROUP_ID_NOT_FOUND'
  | 'MEMBER_ID_REQUIRED'
  | 'GROUP_MAX_SIZE_REACHED'
  | 'FENCED_INSTANCE_ID'
  | 'GROUP_SUBSCRIBED_TO_TOPIC';

/** Settings of the group room. Part of the cluster's facts: the leader stamps those that matter into commands. */
export interface GroupSettings {
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  readonly groupSizeMax: number;
  /** The first rebalance of a group ends when no joiner came for this long ... */
  readonly initialQuietMs: number;
  /** ... and after this long at the latest. */
  readonly initialDelayMsMax: number;
  readonly offsetMetadataBytesMax: number;
  readonly offsetsRetentionMs: number;
  readonly rebalanceRecordsMax: number;
}

export const DEFAULT_GROUP_SETTINGS: GroupSettings = {
  sessionTimeoutMsMin: 1_000,
  sessionTimeoutMsMax: 1_800_000,
  groupSizeMax: 100_000,
  initialQuietMs: 100,
  initialDelayMsMax: 3_000,
  offsetMetadataBytesMax: 4_096,
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  rebalanceRecordsMax: 20,
};

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

/** Timers live with the leader; the state only says which exist. `token` tells one arming from the next. */
export type Timer =
  | { readonly kind: 'session'; readonly member: MemberId }
  /** A member id was handed out (KIP-394) and its holder has not come back yet. */
  | { readonly kind: 'pending'; readonly member: MemberId }
  /** The first rebalance: no joiner for the quiet time, or the longest wait is over. */
  | { readonly kind: 'initial' }
  | { readonly kind: 'join' }
  | { readonly kind: 'sync' };
export type TimerChange =
  | {
      readonly kind: 'arm';
      readonly group: GroupId;
      readonly timer: Timer;
      readonly afterMs: number;
      readonly token: number;
    }
  | { readonly kind: 'cancel'; readonly group: GroupId; readonly timer: Timer }
  /** The group is gone, with all its timers. */
  | { readonly kind: 'cancel-group'; readonly group: GroupId };

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

export interface JoinAnswer {
  readonly error: GroupError | 'NONE';
  readonly generation: Generation;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly memberId: MemberId;
  readonly skipAssignment: boolean;
  /** Filled for the leader only. */
  readonly members: readonly {
    readonly memberId: MemberId;
    readonly instanceId: InstanceId | null;
    readonly metadata: Uint8Array;
  }[];
}
export interface SyncAnswer {
  readonly error: GroupError | 'NONE';
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** Never zero bytes for protocol type "consumer": an encoded empty assignment instead (kafka-clients P8). */
  readonly assignment: Uint8Array;
}

/** What the sender of a command learns. `parked`: the answer comes later as news, under the member id given here. */
export type GroupReply =
  | { readonly kind: 'join'; readonly answer: JoinAnswer }
  | { readonly kind: 'join-parked'; readonly memberId: MemberId }
  | { readonly kind: 'sync'; readonly answer: SyncAnswer }
  | { readonly kind: 'sync-parked'; readonly memberId: MemberId }
  | {
      readonly kind: 'leave';
      readonly error: GroupError | 'NONE';
      readonly members: readonly {
        readonly memberId: MemberId;
        readonly instanceId: InstanceId | null;
        readonly error: GroupError | 'NONE';
      }[];
    }
  /** `error` covers the whole request; otherwise `errors[i]` belongs to `offsets[i]`. */
  | {
      readonly kind: 'commit';
      readonly error: GroupError | 'NONE';
      readonly errors: readonly (GroupError | 'NONE')[];
    }
  | { readonly kind: 'delete'; readonly error: GroupError | 'NONE' }
  | {
      readonly kind: 'deleteOffsets';
      readonly error: GroupError | 'NONE';
      readonly topics: readonly {
        readonly topic: TopicName;
        readonly partitions: readonly { readonly partition: number; readonly error: GroupError | 'NONE' }[];
      }[];
    }
  | { readonly kind: 'done' };

/** What a parked request was waiting for, and what people and metrics want to know. Only the leader acts on it. */
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
      readonly cause:
        | 'left'
        | 'session-expired'
        | 'missed-rebalance'
        | 'missed-sync'
        | 'replaced'
        | 'removed'
        | 'pending-expired';
    }
  | { readonly kind: 'rebalance-started'; readonly group: GroupId; readonly trigger: RebalanceTrigger }
  | { readonly kind: 'rebalance-ended'; readonly group: GroupId; readonly record: RebalanceRecord }
  | { readonly kind: 'group-empty'; readonly group: GroupId; readonly generation: Generation }
  | { readonly kind: 'group-deleted'; readonly group: GroupId };

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

/** Who may write to what a partition stands for, and the token that proves it (docs/groups.md, fence tokens). */
export interface FenceGrant {
  /** `group/topic/partition`; the group alone for opaque protocols. */
  readonly scope: string;
  readonly owner: MemberId;
  readonly instanceId: InstanceId | null;
  readonly token: FenceToken;
  /** The generation it was granted in. */
  readonly generation: Generation;
}

export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

export interface GroupSummary {
  readonly group: GroupId;
  readonly type: 'classic' | 'consumer';
  readonly state: ClassicState;
  readonly protocolType: string;
  readonly members: number;
  readonly generation: Generation;
}
export interface GroupDescription extends GroupSummary {
  readonly protocolName: string | null;
  readonly leader: MemberId | null;
  readonly memberDetails: readonly {
    readonly memberId: MemberId;
    readonly instanceId: InstanceId | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly sessionTimeoutMs: number;
    readonly rebalanceTimeoutMs: number;
    /** Has stopped and waits at the barrier. */
    readonly waiting: boolean;
    readonly metadata: Uint8Array;
    readonly assignment: Uint8Array;
    /** What the assignment says, when it can be read. */
    readonly partitions: readonly TopicPartitions[] | null;
  }[];
}

export interface CommittedOffset {
  readonly topic: TopicName;
  readonly topicId: string | null;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly committedAt: WallMs;
}

export interface HeartbeatQuestion {
  readonly group: GroupId;
  readonly generation: Generation;
  readonly memberId: MemberId;
  readonly instanceId: InstanceId | null;
}

/** What may be asked of the groups of one shard. Pure reads. */
export interface GroupsView {
  /** `renew`: the member was heard, its session starts anew (also with REBALANCE_IN_PROGRESS). */
  heartbeat(question: HeartbeatQuestion): { readonly error: GroupError | 'NONE'; readonly renew: boolean };
  /** Undefined: nothing was ever committed there (or it expired, or the topic was made anew). */
  committed(group: GroupId, topic: TopicName, partition: number): CommittedOffset | undefined;
  /** All of a group's offsets. Empty for an unknown group. */
  committedAll(group: GroupId): readonly CommittedOffset[];
  list(): readonly GroupSummary[];
  describe(group: GroupId): GroupDescription | undefined;
  /** Newest last; the running one included. */
  rebalances(group: GroupId): readonly RebalanceRecord[];
  fences(group: GroupId): readonly FenceGrant[];
  /** The timers that must run, e.g. for a new leader: every member gets its full time again. */
  timers(): readonly Extract<TimerChange, { kind: 'arm' }>[];
  readonly groupCount: number;
  readonly memberCount: number;
  readonly offsetCount: number;
}

export interface GroupOutcome {
  readonly reply: GroupReply;
  readonly news: readonly GroupNews[];
  readonly timers: readonly TimerChange[];
}

/** Where a command stands in the log. */
export interface ApplyContext {
  readonly slot: Slot;
  /** The leader's wall clock when it proposed. Never goes back from one slot to the next. */
  readonly at: WallMs;
}

/** The groups of one shard: all their hard state, and the one way to change it. Deterministic. */
export interface Groups extends GroupsView {
  apply(command: GroupCommand, context: ApplyContext): GroupOutcome;
  /** Mixes what matters of a group's present state into a running CRC (generation, state, members, last change), cheaply. */
  fingerprint(group: GroupId, previous: number): number;
}
