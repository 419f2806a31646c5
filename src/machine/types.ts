import type { ShardId, Slot, TopicId, TopicName, WallMs } from '../kernel/index.js';
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
  Ends,
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

/** What a command, or a step of it, causes beside its reply. */
export interface AppliedStep {
  readonly news: readonly News[];
  readonly timers: readonly TimerChange[];
}
export interface Applied extends AppliedStep {
  readonly reply: Reply;
}
/** A command of which only the first step is done. */
export interface BegunCommand extends Applied {
  /** The other steps, each with what it causes; undefined: all is done. */
  readonly rest: IterableIterator<AppliedStep> | undefined;
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
  /** A command is under way, in steps: some of what it does may show, and `appliedThrough` does not count it yet. */
  readonly underWay: boolean;
  /** Rolling hash over everything applied. Equal on all replicas at the same slot. */
  readonly hash: number;
  /** Notices not yet acknowledged by a shard (shard 0), oldest first. */
  pendingNotices(shard: number): readonly Notice[];
}

/** The replicated state machine of one shard. Its state depends on the log alone and is the same on every replica. */
export interface Machine extends MachineView {
  /** The highest time that stood on an applied command; 0 before the first. */
  readonly clock: WallMs;
  readonly ends: Ends;
  /** Applies the entry of the next slot: a command's bytes, or null for a no-op. */
  apply(at: Slot, payload: Uint8Array | null): Applied | undefined;
  /**
   * The same in steps of a few milliseconds. The next entry must wait until `rest` has ended; `appliedThrough` and `hash`
   * count the entry from then on. No snapshot is taken in between.
   */
  begin(at: Slot, payload: Uint8Array | null): BegunCommand | undefined;
  /** Which configuration of replicas the log is in, as the replica wrote it; undefined for the first one. */
  readonly configuration: Uint8Array | undefined;
  /** Applies the entry of the next slot where the replicas change: it only says so in snapshots. */
  applySeal(at: Slot, configuration: Uint8Array): void;
  /**
   * The whole state in chunks, as it is when the first one is asked for: commands may be applied between two chunks. Ends with
   * `return` when not all is asked for.
   */
  snapshot(chunkBytes?: number): Iterable<Uint8Array>;
}

export interface MachineOptions {
  readonly shard: ShardId;
  readonly shards: number;
  /** Plays a version that knows no more than this; the present one by default. */
  readonly featureLevel?: number | undefined;
  /** `ApplyContext.membersAStep`. */
  readonly membersAStep?: number | undefined;
}

export type { ApplyContext, TimerChange };
