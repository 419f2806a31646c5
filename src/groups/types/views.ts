import type {
  FenceToken,
  Generation,
  GroupId,
  InstanceId,
  MemberId,
  Slot,
  TopicName,
  WallMs,
} from '../../kernel/index.js';
import type { ClassicState } from '../classic/states.js';
import type { GroupCommand, TopicPartitions } from './commands.js';
import type { RebalanceRecord } from './history.js';
import type { GroupNews } from './news.js';
import type { GroupReply, Verdict } from './replies.js';
import type { TimerChange } from './timers.js';

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
  heartbeat(question: HeartbeatQuestion): { readonly error: Verdict; readonly renew: boolean };
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
