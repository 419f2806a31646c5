import type { WriteOutcome } from '../guard/index.js';

/** The JSON of the HTTP API. Names in here are a promise to scripts: add, never rename. */

/** Which state an answer was read from. */
export interface AsOf {
  /** The replica that answered. */
  readonly replica: number;
  readonly shard: number;
  /** Everything through this slot of the shard's log is in the answer. */
  readonly slot: number;
  /** Who leads the shard, as far as this replica knows. */
  readonly leader: number | null;
}

export interface GroupJson {
  readonly group: string;
  readonly type: string;
  readonly state: string;
  readonly protocolType: string;
  readonly members: number;
  readonly generation: number;
  readonly shard: number;
  readonly leader: number | null;
}
export interface GroupsJson {
  readonly asOf: readonly AsOf[];
  readonly groups: readonly GroupJson[];
  /** For `?after=`: there are more; null: these were the last. */
  readonly next: string | null;
}

export interface TopicPartitionsJson {
  readonly topic: string;
  readonly partitions: readonly number[];
}
interface MemberJson {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Has stopped and waits at the barrier of a rebalance. */
  readonly waiting: boolean;
  /** Null when the assignment cannot be read. */
  readonly partitions: readonly TopicPartitionsJson[] | null;
}
export interface GroupDetailJson {
  readonly asOf: AsOf;
  readonly group: GroupJson & { readonly protocolName: string | null; readonly groupLeader: string | null };
  readonly members: readonly MemberJson[];
}

interface OffsetJson {
  readonly topic: string;
  readonly partition: number;
  /** Decimal digits: it may be beyond what a number holds exactly. */
  readonly offset: string;
  readonly metadata: string;
  readonly committedAt: string;
  /** Where the partition ends, as digits. Null when the topic is gone. */
  readonly end: string | null;
  /** Never negative; null when the topic is gone. */
  readonly lag: string | null;
}
export interface OffsetsJson {
  readonly asOf: AsOf;
  readonly group: string;
  readonly offsets: readonly OffsetJson[];
}

/** What was, or would be, made of offsets. */
export interface OffsetChangesJson {
  readonly group: string;
  /** False: nothing was changed, this is what would be. */
  readonly executed: boolean;
  /** Digits. Null: there is no offset. */
  readonly offsets: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly from: string | null;
    readonly to: string | null;
  }[];
}
export interface DeletedGroupJson {
  readonly group: string;
}
export interface RemovedMembersJson {
  readonly group: string;
  readonly members: readonly { readonly memberId: string; readonly instanceId: string | null }[];
}

/** Who was asked to drain and leave, and has not left yet. */
export interface DrainingJson {
  readonly group: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly clientId: string;
  }[];
}

export interface RebalanceJson {
  readonly trigger: {
    readonly cause: string;
    readonly memberId: string | null;
    readonly reason: string | null;
  };
  readonly generationBefore: number;
  readonly generation: number;
  readonly outcome: string;
  readonly startedAt: string;
  readonly joinedAt: string | null;
  readonly stableAt: string | null;
  /** From the call to stop until every member had stopped. */
  readonly stopMs: number | null;
  /** From the new generation until its assignment was handed out. */
  readonly alignMs: number | null;
  readonly totalMs: number | null;
  readonly members: number;
  readonly stragglers: readonly {
    readonly memberId: string;
    readonly waitedMs: number;
    readonly removed: boolean;
  }[];
  readonly partitionsMoved: number | null;
  readonly assignment: readonly {
    readonly memberId: string;
    readonly clientId: string;
    readonly topics: readonly TopicPartitionsJson[];
  }[];
}
export interface RebalancesJson {
  readonly asOf: AsOf;
  readonly group: string;
  /** Newest last. */
  readonly rebalances: readonly RebalanceJson[];
}

export interface FencesJson {
  readonly asOf: AsOf;
  readonly group: string;
  /** The current generation; a grant may be older than it. */
  readonly generation: number;
  readonly state: string;
  /** For `?after=`: there are more; null: these were the last. */
  readonly next: string | null;
  readonly fences: readonly {
    readonly scope: string;
    readonly owner: string;
    readonly instanceId: string | null;
    readonly token: number;
    readonly generation: number;
    /** As the owner asked for when it joined. */
    readonly sessionTimeoutMs: number | null;
  }[];
}

export interface TopicJson {
  readonly name: string;
  readonly id: string;
  readonly partitions: number;
}
export interface EndsJson {
  readonly topic: string;
  /** Of all partitions, in their order. Digits. */
  readonly ends: readonly { readonly partition: number; readonly end: string }[];
}
export interface TopicsJson {
  readonly asOf: AsOf;
  readonly topics: readonly TopicJson[];
}

interface ShardJson {
  readonly shard: number;
  readonly role: string;
  readonly serving: boolean;
  readonly leader: number | null;
  readonly ballot: { readonly round: number; readonly priority: number; readonly replica: number };
  readonly firstSlot: number;
  readonly lastSlot: number;
  readonly chosenThrough: number;
  readonly appliedThrough: number;
  readonly queued: number;
  readonly inFlight: number;
  readonly hash: number;
  readonly groups: number;
  readonly members: number;
  readonly offsets: number;
  /** Of a shard that is led here: how many slots each peer does not have on disk yet. */
  readonly behind: readonly { readonly id: number; readonly slots: number }[];
}
/** Where one replica is reached, with the ports that it has chosen where the settings say 0. */
export interface AddressesJson {
  /** host:port for Kafka clients. */
  readonly kafka: string;
  /** A URL; null without an HTTP port. */
  readonly http: string | null;
  /** host:port for the other replicas. */
  readonly peers: string;
}

interface DiskJson {
  /** enough; scarce or none: this replica takes no proposals. */
  readonly room: string;
  /** No write has ended for 2 s. */
  readonly stalls: boolean;
  readonly waitingBytes: number;
  /** Of the file system. Null where the system does not say. */
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  /** Writes that had to be durable, of the last half to whole minute. The half and the 99 of 100 that were the quickest took at most so long. */
  readonly writesLately: {
    readonly count: number;
    readonly p50Ms: number | null;
    readonly p99Ms: number | null;
  };
}

export interface StatusJson {
  readonly replica: number;
  readonly clusterId: string;
  readonly pid: number;
  /** Of the package. */
  readonly version: string;
  readonly uptimeMs: number;
  /** What this replica knows, what every replica knows, and what the cluster uses: nothing above that. */
  readonly featureLevel: { readonly own: number; readonly all: number; readonly used: number };
  readonly ready: boolean;
  readonly reasons: readonly string[];
  /** voter, learner (its disk was lost: it follows and does not vote) or forming. */
  readonly standing: string;
  /** Its data directory had a vote and has none any more. Absent in earlier versions. */
  readonly removed?: boolean;
  /** The change of the replicas that is under way; null without one. Absent in earlier versions. */
  readonly change?: ChangeJson | null;
  readonly addresses: AddressesJson;
  /** `votes`: false for one that is down, and for one that lost its disk and follows without a vote. */
  readonly peers: readonly {
    readonly id: number;
    readonly up: boolean;
    readonly votes: boolean;
    /** Why it has no link, for people; null when it has one or nothing is known. */
    readonly problem: string | null;
    /** The version of the replicas' protocol that the link speaks; null without a link. */
    readonly protocol: number | null;
    /** What it knows, as it said last; null when it was not met. */
    readonly featureLevel: number | null;
  }[];
  /** The quorum system, for people: `majority of 3`. */
  readonly quorums: string;
  /** How many more replicas may fail, whichever they are, before the cluster stops; -1 when it has no quorum now. */
  readonly failuresTolerated: number;
  /** The same with all replicas up and voting. */
  readonly failuresToleratedMax: number;
  /** Voters of which none may fail: without any one of them the cluster stops. Empty when it stands still already. */
  readonly needed: readonly number[];
  /** How far wall clocks are ahead of the time of the cluster; negative when behind. Of those heard lately. Milliseconds. */
  readonly clocks: readonly { readonly id: number; readonly aheadMs: number }[];
  readonly http: readonly { readonly id: number; readonly url: string | null }[];
  readonly logBytes: number;
  readonly disk: DiskJson;
  /** Stalls of the event loop of more than 100 ms since the start. */
  readonly loopStalls: readonly { readonly cause: string; readonly count: number; readonly ms: number }[];
  /** Those that should be the same on every replica. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Settings that do not fit together, or not to this machine: each a sentence. */
  readonly settingsAdvice: readonly string[];
  readonly shards: readonly ShardJson[];
  readonly broker: Readonly<Record<string, number>>;
}

/** A change of the replicas, as one replica knows it. */
export interface ChangeJson {
  readonly number: number;
  /** `add 4, add 5` */
  readonly what: string;
  /** preparing: new replicas learn, and it can be called off. sealing: only another plan in its place leads elsewhere. */
  readonly phase: 'preparing' | 'sealing';
  /** When it was begun, by the time of the cluster, as ISO 8601; null where that is not known. Absent in earlier versions. */
  readonly since?: string | null;
  /** How many shards are ready to be sealed, have been sealed, and there are. */
  readonly ready: number;
  readonly sealed: number;
  readonly shards: number;
  /** Why shards that are led here do not go on, each reason once. */
  readonly waits: readonly string[];
}

/** The feature level that the cluster uses, and what stands against a higher one. */
export interface UpgradeJson {
  /** What the cluster uses. */
  readonly used: number;
  /** What it is to use. */
  readonly target: number;
  readonly replicas: readonly {
    readonly id: number;
    readonly up: boolean;
    /** What it knows, as it said last; null when it was not met. */
    readonly featureLevel: number | null;
  }[];
  /** Why the target cannot be used now; empty when it can, or is. */
  readonly problems: readonly string[];
  readonly executed: boolean;
}

export interface ReplicaJson {
  readonly id: number;
  /** The incarnation of the data directory that votes; empty for a new one that was not met. */
  readonly disk: string;
  /** Where the other replicas call it. */
  readonly peers: string;
  readonly kafka: string;
  readonly http: string | null;
  readonly up: boolean;
  readonly votes: boolean;
  /** It runs with another data directory than the one that votes. */
  readonly otherDisk: boolean;
  /** How many shards it leads. */
  readonly leads: number;
  /** Over all shards, as the replica that answers knows; null for one that is down. */
  readonly entriesBehind: number | null;
}

export interface ReplicasJson {
  /** Which replica answers: links and progress are as this one sees them. */
  readonly seenBy: number;
  /** Of the change that led to these replicas; 0: those that the cluster was formed with. */
  readonly number: number;
  readonly quorums: string;
  readonly replicas: readonly ReplicaJson[];
  readonly plan:
    | (Omit<ChangeJson, 'waits'> & {
        /** While it prepares: the plan that seals, whose place it is to take. Called off, it gives the place back. */
        readonly instead?: { readonly number: number; readonly what: string } | null;
        readonly replicas: readonly ReplicaJson[];
        /** Why it does not go on in the shards that this replica leads. */
        readonly waits: readonly { readonly shard: number; readonly reason: string }[];
      })
    | null;
  /** Of all plans so far, those that were called off included. */
  readonly lastNumber: number;
  readonly removed: readonly { readonly id: number; readonly disk: string }[];
}

/** What would be done, or was begun. */
export interface ReplicaPlanJson {
  readonly number: number;
  readonly what: string;
  readonly executed: boolean;
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly quorums: string;
  /** These get a vote once they have caught up. */
  readonly learns: readonly { readonly id: number; readonly up: boolean; readonly votes: boolean }[];
  /** Shards whose leader goes, and moves before. */
  readonly movesShards: readonly number[];
  readonly notes: readonly string[];
}

export interface HealthJson {
  readonly status: 'ok' | 'unavailable';
  readonly reasons: readonly string[];
}

/** RFC 9457. */
export interface ProblemJson {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
}

/** A record of `/records`. */
export interface RecordJson {
  readonly space: string;
  readonly id: string;
  readonly version: number;
  /** Digits: tokens may be larger than what JSON numbers hold exactly. Null when none ever wrote it. */
  readonly fence: string | null;
  readonly value: Readonly<Record<string, unknown>>;
}
export interface RecordsJson {
  readonly space: string;
  readonly records: readonly RecordJson[];
  /** To be given as `after` for the next page; null on the last one. */
  readonly next: string | null;
}
export interface RecordOutcomesJson {
  /** Tokens are digits. */
  readonly outcomes: readonly WriteOutcome<string>[];
}
export interface SealJson {
  readonly scope: string;
  /** Digits; null when the scope was never sealed. */
  readonly token: string | null;
}
