import type { GroupId, HistogramReading, MemberId, ReplicaId, ShardId, WorkKind } from '../kernel/index.js';
import type { MachineView, RegisterCommand, RegisterReply, ReplyTo, TopicReply } from '../machine/index.js';
import type { AddressesJson } from './shapes.js';
import type {
  ForwardableCommand,
  Outcome,
  Planned,
  ReadAllOutcome,
  ReadOutcome,
  Refusal,
  ReplicaChange,
  ReplicaMeasures,
  ReplicasStatus,
  ReplicaStatus,
  SnapshotOutcome,
} from '../replica/index.js';

/** May clients be sent here? `reasons` says what is missing, for people. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/** What became of a change to the cluster's topics. */
export type TopicOutcome = TopicReply | Refusal;

/** What held the event loop: work of the replica, or `gc` (garbage collection), `machine` (the process did not run), `other`. */
export type StallCause = WorkKind | 'gc' | 'machine' | 'other';
/** Stalls of the event loop of more than 100 ms since the start: how many, and how long together. */
export type LoopStalls = readonly {
  readonly cause: StallCause;
  readonly count: number;
  readonly ms: number;
}[];

/** How long work held the event loop without giving it back, by what it was. Seconds. */
export type LoopHeld = readonly (HistogramReading & { readonly cause: StallCause })[];

export interface DiskSpace {
  /** What this process may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** All that the HTTP side may ask of a replica. Reads are of the state as applied here, unless they say otherwise. */
export interface AdminSource {
  readonly self: ReplicaId;
  readonly clusterId: string;
  readonly shards: number;
  /** Settings that apply where a request leaves them open. */
  readonly defaultPartitions: number;
  readiness(): Readiness;
  status(): ReplicaStatus;
  stalls(): LoopStalls;
  loopHeld(): LoopHeld;
  /** How late the event loop was, looked at every 50 ms. Seconds. */
  loopDelay(): HistogramReading;
  measures(): ReplicaMeasures;
  /** Of the package. */
  readonly version: string;
  /** Since this replica was made. Milliseconds. */
  uptimeMs(): number;
  /** The file system of the data directory; undefined where the system does not say. Bytes. */
  diskSpace(): DiskSpace | undefined;
  /** The settings that should be the same on every replica. */
  sharedSettings(): Readonly<Record<string, string | number | boolean>>;
  /** Settings that do not fit together, or not to this machine: each a sentence. */
  settingsAdvice(): readonly string[];
  shardOf(group: GroupId): ShardId;
  leaderOf(shard: ShardId): ReplicaId | undefined;
  serves(shard: ShardId): boolean;
  /** The machine of a shard as applied here; may lag behind the leader. */
  view(shard: ShardId): MachineView;
  /** Where this replica is reached. `through`: the port of this replica that the client came to, which may be told others. */
  addresses(through: number | undefined): AddressesJson;
  /** Where the HTTP side of each replica is, as far as known, for a client that came to the port `through`. */
  httpAddresses(
    through: number | undefined,
  ): readonly { readonly id: ReplicaId; readonly url: string | undefined }[];
  /** Counters and gauges of the Kafka side, by camelCase name. */
  brokerCounters(): Readonly<Record<string, number>>;
  createTopic(name: string, partitions: number): Promise<TopicOutcome>;
  deleteTopic(name: string): Promise<TopicOutcome>;
  growTopic(name: string, partitions: number): Promise<TopicOutcome>;
  /** The replicas of the cluster, as applied and seen here. */
  replicas(): ReplicasStatus;
  planReplicas(change: ReplicaChange): Planned;
  /** A linearizable read of a shard that is led here. */
  read(shard: ShardId): Promise<ReadOutcome>;
  /** A linearizable read of a shard, at any replica. */
  readAnywhere(shard: ShardId): Promise<ReadOutcome>;
  /** A linearizable read of all shards, at any replica. */
  readAll(): Promise<ReadAllOutcome>;
  /** The whole state of a shard, linearizable, at any replica. */
  snapshot(shard: ShardId): Promise<SnapshotOutcome>;
  /** Done by whichever replica leads the shard. */
  change<C extends ForwardableCommand>(shard: ShardId, command: C): Promise<Outcome<ReplyTo<C>>>;
  /** Members are told to drain and leave, if the group is led here; for a few seconds, so ask again until they have left. */
  drain(group: GroupId, members: readonly MemberId[]): void;
  /** The longest note beside an offset. Bytes. */
  readonly offsetMetadataBytesMax: number;
  /** The shard that holds a space of records. */
  shardOfSpace(space: string): ShardId;
  /** Changes records at whichever replica leads their space. */
  changeRecords(command: RegisterCommand): Promise<RegisterReply | Refusal>;
}
