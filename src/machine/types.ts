import type { Slot, TopicId, TopicName, WallMs } from '../kernel/index.js';
import type {
  ApplyContext,
  GroupCommand,
  GroupNews,
  GroupReply,
  GroupsView,
  TimerChange,
} from '../groups/index.js';
import type { RegisterCommand, RegisterReply, RegistersView } from '../registers/index.js';
import type { LevelCommand, LevelReply } from './feature-level.js';
import type { ReplicasCommand, ReplicasReply, ReplicasView } from './replica-plan.js';
import type {
  EndsCommand,
  EndsView,
  PartitionEnd,
  Topic,
  TopicCommand,
  TopicReply,
  TopicsView,
} from '../topics/index.js';

/** A fact of shard 0 that other shards must learn, numbered so that a receiver can drop what it has seen. */
export interface Notice {
  readonly sequence: number;
  readonly fact:
    | { readonly kind: 'topic-deleted'; readonly name: TopicName; readonly id: TopicId }
    /** Feature level 3. */
    | {
        readonly kind: 'ends-set-back';
        readonly id: TopicId;
        readonly ends: readonly PartitionEnd[];
        /** Grows with each time. */
        readonly revision: number;
      };
}

/** Commands between shards: the sender log is in shard 0, the receiver's memory in each other shard. */
export type NoticeCommand =
  /** In the receiving shard: act on those not seen yet. */
  | { readonly kind: 'notice.receive'; readonly notices: readonly Notice[] }
  /** In shard 0: a shard has everything through this sequence; forget what all have. */
  | { readonly kind: 'notice.acknowledge'; readonly shard: number; readonly through: number };

export type Command =
  | GroupCommand
  | TopicCommand
  | EndsCommand
  | NoticeCommand
  | RegisterCommand
  | ReplicasCommand
  | LevelCommand;

export type NoticeReply = { readonly kind: 'noticed'; readonly through: number };
export type Reply = GroupReply | TopicReply | NoticeReply | RegisterReply | ReplicasReply | LevelReply;

/** Which reply a command gets. */
export type ReplyTo<C extends Command> = C extends TopicCommand
  ? TopicReply
  : C extends NoticeCommand
    ? NoticeReply
    : C extends RegisterCommand
      ? RegisterReply
      : C extends ReplicasCommand
        ? ReplicasReply
        : C extends LevelCommand
          ? LevelReply
          : GroupReply;

export interface StampedCommand {
  readonly at: WallMs;
  readonly command: Command;
}

export type News =
  | GroupNews
  | { readonly kind: 'topic-created'; readonly topic: Topic }
  | { readonly kind: 'topic-deleted'; readonly topic: Topic }
  | { readonly kind: 'topic-changed'; readonly topic: Topic }
  | { readonly kind: 'ends-set-back'; readonly topic: Topic }
  /** Which replicas there are, or what is planned. */
  | { readonly kind: 'replicas-changed' }
  | { readonly kind: 'level-raised'; readonly level: number };

export interface Applied {
  readonly reply: Reply;
  readonly news: readonly News[];
  readonly timers: readonly TimerChange[];
}

/** What may be asked of a shard's machine. */
export interface MachineView {
  readonly groups: GroupsView;
  /** Filled in shard 0 only. */
  readonly topics: TopicsView;
  readonly registers: RegistersView;
  readonly ends: EndsView;
  /** Which replicas the cluster has, and which it is to have: in shard 0 only. */
  readonly replicas: ReplicasView;
  /** The feature level that a command said to use; 0 before the first. In shard 0 only. */
  readonly level: number;
  readonly appliedThrough: Slot;
  /** Rolling hash over everything applied. Equal on all replicas at the same slot. */
  readonly hash: number;
  /** Notices not yet acknowledged by a shard (shard 0), oldest first. */
  pendingNotices(shard: number): readonly Notice[];
}

export type { ApplyContext, TimerChange };
