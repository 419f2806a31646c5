import type { Address, HistogramReading, Log, ReplicaId, ShardId, Work } from '../kernel/index.js';
import type { GroupSettings, ReplicaFacts, ReplicasCommand, ReplicasView } from '../machine/index.js';
import type { PaxosOptions, PaxosStatus, QuorumDescription, QuorumSystem } from '../paxos/index.js';
import type { ApplyPace } from './apply-queue.js';
import type { Coordinator, SnapshotOutcome } from './coordinator.js';
import type { Standing } from './formation.js';
import type { Held, Limits } from './limits.js';
import type { ReplicaMeasures } from './measures.js';
import type { ReplicaChange } from './replica-plans.js';
import type { Clock, DiskRoom, Entropy, OpenedStorage, Transport } from './ports.js';

export interface ReplicaAddress {
  readonly id: ReplicaId;
  /** Where clients reach it. */
  readonly kafka: Address;
  /** Where its peers call it, and where its HTTP side is, as far as known. */
  readonly peer?: Address;
  readonly http?: Address | undefined;
}

/** Times and bounds of the Paxos cores; see PaxosOptions for each. */
export type PaxosSettings = Omit<
  PaxosOptions,
  | 'self'
  | 'configuration'
  | 'incarnation'
  | 'priority'
  | 'priorityAmong'
  | 'votes'
  | 'seed'
  | 'earlierLeaseMs'
>;

export interface ReplicaOptions {
  readonly self: ReplicaId;
  /** 22 characters of base64url, the same on every replica. */
  readonly clusterId: string;
  readonly shards: number;
  /** All replicas of the cluster, this one included. */
  readonly replicas: readonly ReplicaAddress[];
  readonly quorums: QuorumSystem;
  readonly http: { readonly host: string; readonly port: number } | undefined;
  readonly paxos: PaxosSettings;
  readonly groupSettings: GroupSettings;
  /** Offsets and groups past their retention are looked for this often. Milliseconds. */
  readonly retentionSweepMs: number;
  /** DEFAULT_LIMITS where it is left out. */
  readonly limits?: Partial<Limits> | undefined;
  /** The log may grow by this much before snapshots are taken and its older part dropped. Bytes. */
  readonly compactionBytes: number;
  readonly storage: OpenedStorage;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Plays a version of the machine that knows no more than this; the present one by default. */
  readonly featureLevel?: number | undefined;
  /** What came with later versions is used as soon as every replica knows it, without a command. False by default. */
  readonly levelRaisesItself?: boolean | undefined;
  readonly applyPace?: ApplyPace;
  /** Told what runs on the loop; nobody when it is left out. */
  readonly work?: Work;
  /** The replica can no longer be trusted (disk error, divergence, broken invariant): end the process. Called once. */
  readonly onFatal: (reason: string) => void;
}

export interface Votes {
  /** What this version knows, and what every replica knows. */
  readonly featureLevel: number;
  readonly featureLevelOfAll: number;
  /** What the cluster uses. */
  readonly featureLevelUsed: number;
  /** The quorum system, for people. */
  readonly quorums: string;
  /**
   * `votes`: it has a link and says that it votes. A replica that lost its disk follows without a vote. `featureLevel`: what it knows,
   * as it said last; undefined when it was not met.
   */
  readonly peers: readonly {
    readonly id: ReplicaId;
    readonly up: boolean;
    readonly votes: boolean;
    readonly featureLevel: number | undefined;
  }[];
  /** How many more replicas may fail, whichever they are, before the cluster stops; -1 when it has no quorum now. */
  readonly failuresTolerated: number;
  /** The same with all replicas up and voting. */
  readonly failuresToleratedMax: number;
  /** Voters of which none may fail: without any one of them the cluster stops. Empty when it stands still already. */
  readonly needed: readonly ReplicaId[];
}

export interface ReplicaStatus extends Votes {
  readonly self: ReplicaId;
  readonly clusterId: string;
  readonly standing: Standing['kind'];
  readonly missing: readonly ReplicaId[];
  /** Its cluster has formed: while it waits for peers, it waits for a quorum of them only. */
  readonly formed: boolean;
  /** How far wall clocks are ahead of the time of the cluster, of the replicas whose clock was heard lately. Milliseconds. */
  readonly clocks: readonly { readonly id: ReplicaId; readonly aheadMs: number }[];
  readonly logBytes: number;
  /** Its disk finishes nothing: it leads nothing and does not vote until it does. */
  readonly diskStalls: boolean;
  /** On their way to the disk. */
  readonly diskWaitingBytes: number;
  /** Without enough room it takes no proposals. */
  readonly diskRoom: DiskRoom;
  /** Writes that had to be durable, of the last half to whole minute. */
  readonly diskWritesLately: HistogramReading;
  /** Why there is no link with a peer, as far as it is known. */
  readonly linkProblems: readonly { readonly id: ReplicaId; readonly reason: string }[];
  /** What waits to be sent to each peer. */
  readonly peerQueues: readonly { readonly id: ReplicaId; readonly bytes: number }[];
  /** What waits for leaders elsewhere, or for one to be known. */
  readonly waiting: { readonly commands: number; readonly reads: number };
  /** The version of the replicas' protocol that each link speaks, of the peers that have one. */
  readonly protocols: readonly { readonly id: ReplicaId; readonly version: number }[];
  readonly shards: readonly (PaxosStatus & {
    readonly shard: ShardId;
    readonly hash: number;
    readonly groups: number;
    readonly members: number;
    readonly offsets: number;
    /** About the memory of its records. */
    readonly recordBytes: number;
    /** Reads that wait until a quorum says who leads. */
    readonly readsWaiting: number;
  })[];
}

/** The replicas of the cluster, as shard 0 has them here, and as this replica sees them. */
export interface ReplicasStatus {
  readonly view: ReplicasView;
  readonly current: readonly ReplicaFacts[];
  readonly quorums: QuorumDescription;
  /** Those that have a link now (and this one), with the disks that they have. */
  readonly up: ReadonlyMap<ReplicaId, string>;
  /** Those of them that vote in every shard. */
  readonly voters: ReadonlySet<ReplicaId>;
  /** Why the plan does not go on in the shards that are led here. */
  readonly waits: ReadonlyMap<ShardId, string>;
}

/** A plan that may be begun: by its command, at shard 0. Or why it may not. */
export type Planned =
  | {
      readonly command: Extract<ReplicasCommand, { kind: 'replicas.plan' | 'replicas.supersede' }>;
      /** What it changes: the replicas of the cluster, or of the plan in whose place it comes. */
      readonly from: readonly ReplicaFacts[];
      /** Of the new replicas, for people. */
      readonly quorums: string;
      readonly notes: readonly string[];
    }
  | { readonly problem: string };

/** One replica of a cluster: the shell around the pure core. */
export interface Replica extends Coordinator {
  start(): Promise<void>;
  /** Asks others to lead what is led here, and waits until they do or `withinMs` is over. It goes on as a follower. */
  handOver(withinMs: number): Promise<void>;
  /** Hands leadership over (for at most `handOverMs`), then closes links and disk. */
  stop(handOverMs?: number): Promise<void>;
  status(): ReplicaStatus;
  /** The whole state of a shard, with all that was acknowledged before the call, at any replica. */
  snapshotAnywhere(shard: ShardId, done: (outcome: SnapshotOutcome) => void): void;
  measures(): ReplicaMeasures;
  /** What it holds now of all that is limited. */
  held(): readonly Held[];
  replicas(): ReplicasStatus;
  /** By what is applied and known here. */
  planReplicas(change: ReplicaChange): Planned;
}
