import type {
  FenceToken,
  Generation,
  GroupId,
  InstanceId,
  Int64,
  MemberId,
  Slot,
  TopicName,
  WallMs,
} from '../../kernel/index.js';
import type { ClassicState } from '../classic/states.js';
import type { GroupCommand, OffsetToCommit, TopicPartitions } from './commands.js';
import type { RebalanceRecord } from './history.js';
import type { GroupNews } from './news.js';
import type { GroupReply, Verdict } from './replies.js';
import type { TimerChange } from './timers.js';

/** The owner of a partition, and the token that proves it to a database (docs/groups.md, fence tokens). */
export interface PartitionTokens {
  readonly topic: TopicName;
  readonly partitions: readonly { readonly partition: number; readonly token: FenceToken }[];
}

export interface FenceGrant {
  /** `group/topic/partition`; the group alone for opaque protocols. */
  readonly scope: string;
  readonly owner: MemberId;
  readonly instanceId: InstanceId | null;
  readonly token: FenceToken;
  /** The generation it was granted in. */
  readonly generation: Generation;
}

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
    /** It waits at the barrier. */
    readonly waiting: boolean;
    readonly metadata: Uint8Array;
    readonly assignment: Uint8Array;
    /** The partitions of the assignment, when it can be read. */
    readonly partitions: readonly TopicPartitions[] | null;
  }[];
}

/** An offset past its retention; without a topic, a group that is used no more. */
export interface Expirable {
  readonly group: GroupId;
  readonly topic: TopicName | null;
  readonly partition: number;
}

export interface CommittedOffset extends OffsetToCommit {
  readonly committedAt: WallMs;
}

export interface HeartbeatQuestion {
  readonly group: GroupId;
  readonly generation: Generation;
  readonly memberId: MemberId;
  readonly instanceId: InstanceId | null;
}

export interface HeartbeatAnswer {
  readonly error: Verdict;
  /** The session starts again from now. Also with REBALANCE_IN_PROGRESS. */
  readonly renew: boolean;
  /** In a stable group, where nothing changes for the member before there is news: its session. Milliseconds. */
  readonly steadyForMs?: number;
}

/** Reads of the groups of one shard. */
export interface GroupsView {
  heartbeat(question: HeartbeatQuestion): HeartbeatAnswer;
  /** Undefined: nothing was committed, or it expired, or the topic was deleted and created again. */
  committed(group: GroupId, topic: TopicName, partition: number): CommittedOffset | undefined;
  /** All of a group's offsets. Empty for an unknown group. */
  /** One by one: what is committed while they are read is seen or not. */
  committedAll(group: GroupId): Iterable<CommittedOffset>;
  /** How many those are. */
  committedCount(group: GroupId): number;
  /**
   * The highest offsets that groups have committed for the named partitions of topics, by topic and partition; none where no
   * group has one. All partitions of one request at once: each group is looked at once, not once for each of them.
   */
  furthest(
    places: ReadonlyMap<TopicName, { readonly topicId: string; readonly partitions: ReadonlySet<number> }>,
  ): ReadonlyMap<TopicName, ReadonlyMap<number, Int64>>;
  has(group: GroupId): boolean;
  /** What is past its retention, and null for each offset that is not: take as many as there is time for. */
  expirable(at: WallMs, retentionMs: number): Iterable<Expirable | null>;
  /** The token of the timer of an id that was handed out and not joined with; undefined: there is none. */
  issuedToken(group: GroupId, member: MemberId): number | undefined;
  /** Members without an instance id. */
  dynamicMembers(group: GroupId): Iterable<MemberId>;
  /** Whom the end of the timer would remove: who has not joined (dynamic members), or not synced. */
  missing(group: GroupId, timer: 'join' | 'sync'): Iterable<MemberId>;
  /** One after the other: take as many as there is time for. */
  list(): Iterable<GroupSummary>;
  describe(group: GroupId): GroupDescription | undefined;
  /** Newest last. Includes the one that runs. */
  rebalances(group: GroupId): readonly RebalanceRecord[];
  fences(group: GroupId, owner?: MemberId): readonly FenceGrant[];
  /** The tokens of an assignment's partitions, of those that are granted to this member. */
  tokensOf(group: GroupId, member: MemberId, assignment: Uint8Array): readonly PartitionTokens[];
  /** Who owns a partition in this generation. Undefined: nobody, it cannot be read, or the group has another generation. */
  ownerOf(group: GroupId, generation: Generation, topic: TopicName, partition: number): MemberId | undefined;
  /**
   * How many partitions of each subscribed topic the members have; 0 for a topic that had none when they were assigned.
   * Undefined when `leader` does not lead a stable group, and when subscriptions or assignments cannot be read.
   */
  sharedOut(group: GroupId, leader: MemberId): ReadonlyMap<TopicName, number> | undefined;
  /** All armed timers, for a new leader. Each starts again with its full time. */
  timers(): readonly Extract<TimerChange, { kind: 'arm' }>[];
  /** Whether a JoinGroup of a member that has not been in a generation waits for its answer. */
  readonly hasUnanswered: boolean;
  /** Fence tokens that this shard grants from now on are above this. 0: it has not been told where to start. */
  readonly tokensFrom: number;
  readonly groupCount: number;
  readonly memberCount: number;
  readonly offsetCount: number;
}

/** What a command, or a step of it, causes beside its reply. */
export interface Consequences {
  readonly news: readonly GroupNews[];
  readonly timers: readonly TimerChange[];
}
export interface GroupOutcome extends Consequences {
  readonly reply: GroupReply;
}
/** A command of which only the first step is done. */
export interface BegunOutcome extends GroupOutcome {
  /** The other steps, each with what it causes; undefined: all is done. */
  readonly rest: IterableIterator<Consequences> | undefined;
}

/** The place of a command in the log, and its time. */
export interface ApplyContext {
  readonly slot: Slot;
  /** The wall clock of the leader that proposed the command. It never goes back from one slot to the next. */
  readonly at: WallMs;
  /** A step ends after so many members; `MEMBERS_A_STEP` by default. What is done does not depend on it. */
  readonly membersAStep?: number | undefined;
}

/** The groups of one shard: their replicated state, and the only way to change it. Deterministic. */
export interface Groups extends GroupsView {
  apply(command: GroupCommand, context: ApplyContext): GroupOutcome;
  /**
   * The same in steps of a few milliseconds: a rebalance of thousands of members is one command. The next command, and a
   * snapshot, must wait until `rest` has ended. Reads in between see the group on its way.
   */
  begin(command: GroupCommand, context: ApplyContext): BegunOutcome;
  /** Adds the generation, the state and the sizes of a group to a running CRC. */
  fingerprint(group: GroupId, previous: number): number;
}
