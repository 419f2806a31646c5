import type { GroupId, MemberId, MonotonicMs, ReplicaId, ShardId, Slot } from '../kernel/index.js';
import type {
  Command,
  GroupCommand,
  GroupSettings,
  MachineView,
  News,
  NoticeCommand,
  RegisterCommand,
  LevelCommand,
  ReplicasCommand,
  ReplyTo,
  TopicCommand,
} from '../machine/index.js';
import type { CommandTrace } from './command-traces.js';

/** Why a command or read was not done. */
export type Refusal =
  /** Led elsewhere (or nowhere yet). Nothing happened; ask the leader. */
  | { readonly kind: 'not-leader'; readonly leader: ReplicaId | undefined }
  /** Too much is waiting already, or a replica of an older version does not know the command. Nothing happened; come back later. */
  | { readonly kind: 'overloaded' }
  /** It was proposed and leadership was lost before the answer: it may or may not happen. Retrying is safe for Kafka's requests. */
  | { readonly kind: 'outcome-unknown' };

export type Outcome<R> = { readonly kind: 'ok'; readonly reply: R } | Refusal;
export type ReadOutcome = { readonly kind: 'ok'; readonly view: MachineView } | Refusal;
export type SnapshotOutcome =
  /** In chunks, each made when it is asked for. Ends with `return` when not all is asked for. */
  { readonly kind: 'ok'; readonly through: Slot; readonly chunks: IterableIterator<Uint8Array> } | Refusal;
/** One view a shard, in their order. */
export type ReadAllOutcome = { readonly kind: 'ok'; readonly views: readonly MachineView[] } | Refusal;

/** Commands that any replica may be asked for, on behalf of the one that leads: their replies are plain JSON. */
export type ForwardableCommand =
  | TopicCommand
  | NoticeCommand
  | RegisterCommand
  | ReplicasCommand
  | LevelCommand
  | Extract<GroupCommand, { kind: 'group.commit' | 'group.delete' | 'group.deleteOffsets' | 'group.leave' }>;

export interface LeadershipChange {
  readonly leader: ReplicaId | undefined;
  readonly serving: boolean;
}

export interface BrokerAddress {
  /** Where its HTTP side is, when it has said so. */
  readonly http?: { readonly host: string; readonly port: number } | undefined;
  readonly id: ReplicaId;
  readonly host: string;
  readonly port: number;
  /** Heard from lately (always true for this replica). */
  readonly up: boolean;
  /** It has said that it is about to stop. */
  readonly leaving?: boolean;
  /** False for a replica that lost its disk, and follows without a vote. Absent: it votes. */
  readonly votes?: boolean;
}

/**
 * What the broker may ask of the replica: the door between the wire and consensus. Callbacks run at most once, in a
 * later turn or in this one, always on the loop; none is lost: each ends in ok or in a refusal.
 */
export interface Coordinator {
  readonly clusterId: string;
  readonly self: ReplicaId;
  readonly shards: number;
  readonly groupSettings: GroupSettings;
  /** Every replica of the configuration, by id; those never heard from are there too when their address is known. */
  brokers(): readonly BrokerAddress[];
  shardOf(group: GroupId): ShardId;
  /** The replica that leads as far as this one knows; undefined while there is none. */
  leaderOf(shard: ShardId): ReplicaId | undefined;
  /** True when this replica leads the shard and may serve. */
  serves(shard: ShardId): boolean;
  /** True when reads of the shard may be answered from applied state right now. Ask again when the answer leaves. */
  leaseHolds(shard: ShardId): boolean;
  /** Local clock, for deadlines of parked requests. */
  now(): MonotonicMs;
  /** Proposes a command at this replica; `done` gets the machine's reply once it is chosen and applied. */
  submit<C extends Command>(
    shard: ShardId,
    command: C,
    done: (outcome: Outcome<ReplyTo<C>>) => void,
    trace?: CommandTrace,
  ): void;
  /** At whichever replica leads the shard, forwarded over the peer link when that is another one. */
  submitAnywhere<C extends ForwardableCommand>(
    shard: ShardId,
    command: C,
    done: (outcome: Outcome<ReplyTo<C>>) => void,
  ): void;
  /** A linearizable read: under the lease at once, else after a round of read-index. */
  read(shard: ShardId, done: (outcome: ReadOutcome) => void): void;
  /** As `read`, at any replica: asks the leader how far it is, and waits until this replica has applied as much. */
  readAnywhere(shard: ShardId, done: (outcome: ReadOutcome) => void): void;
  /** `readAnywhere` of every shard; refused when one is. */
  readAll(done: (outcome: ReadAllOutcome) => void): void;
  /** The state as applied here; may lag behind the leader. */
  peek(shard: ShardId): MachineView;
  /**
   * Whether this leader has heard the member since it took the shard over. Commits do not count: a client may commit beside the
   * loop that still looks for its coordinator. False when it does not lead.
   */
  heard(group: GroupId, member: MemberId): boolean;
  /** A member was heard: its session starts again. Leader only; ignored elsewhere. */
  touch(group: GroupId, member: MemberId, by?: 'commit'): void;
  /** The session of a member is over: it is removed, unless it is heard before. Leader only; ignored elsewhere. */
  endSession(group: GroupId, member: MemberId): void;
  /** UUID v4. */
  uuid(): string;
  /** News of applied commands, in log order, on every replica; `serving` tells whether this replica leads. Returns the unsubscriber. */
  onNews(listener: (shard: ShardId, news: readonly News[], serving: boolean) => void): () => void;
  /** This replica began or ceased to serve a shard, or the known leader changed. */
  onLeadership(listener: (shard: ShardId, change: LeadershipChange) => void): () => void;
}
