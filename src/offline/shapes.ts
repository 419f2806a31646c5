/** What `quorate check` found in a data directory: its `--json`. Slots and numbers of records are exact: below 2^53. */
export interface CheckJson {
  readonly directory: string;
  /** `sound`: nothing that was acknowledged is missing. `damaged`: a start works, without a vote. `refused`: none works. */
  readonly verdict: 'sound' | 'damaged' | 'refused';
  readonly start: StartJson;
  readonly identity: IdentityJson | null;
  readonly log: LogJson | null;
  readonly shards: readonly ShardCheckJson[];
  /** Worth knowing, and no damage. */
  readonly notes: readonly string[];
}

/** What a start on this directory does. */
export interface StartJson {
  /**
   * `forms`: it belongs to no formed cluster yet, and takes part when all its replicas have met. `votes`: as soon as it has met
   * a quorum, and none of them remembers more of this disk than it holds. `learns`: it follows without a vote. `refuses`: it ends.
   */
  readonly does: 'forms' | 'votes' | 'learns' | 'refuses';
  readonly why: string;
  /** What it changes on the disk before it does anything else. */
  readonly mends: readonly string[];
}

export interface IdentityJson {
  readonly clusterId: string;
  readonly replicaId: number;
  readonly shards: number;
  readonly incarnation: string;
  /** What all replicas have alike, as they last ran. */
  readonly agreement: Readonly<Record<string, string>>;
  /** The replicas that the cluster was formed with: their disks, and how far those had come when they were heard last. */
  readonly peers: readonly {
    readonly id: number;
    readonly incarnation: string;
    readonly position: number | null;
  }[];
}

export interface LogJson {
  /** The number of the next record: how far this disk has come. */
  readonly position: number;
  readonly segments: readonly SegmentJson[];
  /** Bytes of a group that a crash cut off before it was acknowledged. */
  readonly tornTail: { readonly file: string; readonly offset: number; readonly bytes: number } | null;
  readonly damage: DamageJson | null;
}

export interface SegmentJson {
  readonly file: string;
  readonly firstRecord: number;
  readonly records: number;
  /** What was made durable at once. */
  readonly groups: number;
  readonly bytes: number;
}

/** Acknowledged bytes that cannot be read. */
export interface DamageJson {
  readonly file: string;
  /** Where they begin. */
  readonly offset: number;
  readonly detail: string;
  /** The number of the last record before them; 0 when there is none. */
  readonly afterRecord: number;
  /** The last slot of each shard before them, where the log says one. */
  readonly lastSlots: readonly { readonly shard: number; readonly slot: number }[];
}

export interface ShardCheckJson {
  readonly shard: number;
  readonly snapshot: { readonly file: string; readonly slot: number } | null;
  /** Why it cannot be read; null when it can. */
  readonly problem: string | null;
  readonly state: ShardStateJson | null;
}

export interface ShardStateJson {
  /** `round.priority@replica` of the highest ballot that it promised; null when there is none. */
  readonly promised: string | null;
  readonly firstSlot: number;
  /** Accepted through here. */
  readonly lastSlot: number;
  /** Known to be chosen through here, and applied. */
  readonly chosenThrough: number;
  readonly groups: number;
  readonly offsets: number;
  /** Of what was applied, as replicas compare it. */
  readonly hash: number;
}

/** What a slot holds. */
export type DumpEntryJson =
  | { readonly kind: 'noop' }
  | { readonly kind: 'seal'; readonly next: object }
  | {
      readonly kind: 'command';
      /** As the leader stamped it. */
      readonly at: string;
      readonly command: { readonly kind: string } & Readonly<Record<string, unknown>>;
    };

/** One line of `quorate dump --json`. */
export type DumpJson =
  | {
      readonly kind: 'identity';
      readonly clusterId: string;
      readonly replicaId: number;
      readonly shards: number;
      readonly incarnation: string;
    }
  | {
      readonly kind: 'snapshot-file';
      readonly shard: number;
      readonly through: number;
      readonly file: string;
    }
  | { readonly kind: 'segment'; readonly file: string; readonly firstRecord: number; readonly bytes: number }
  | { readonly kind: 'promised'; readonly shard: number; readonly ballot: string }
  | { readonly kind: 'chosen' | 'snapshot'; readonly shard: number; readonly through: number }
  | {
      readonly kind: 'configuration';
      readonly shard: number;
      readonly since: number;
      readonly configuration: object;
    }
  | {
      readonly kind: 'accepted';
      readonly shard: number;
      readonly slot: number;
      readonly ballot: string;
      readonly entry: DumpEntryJson;
    }
  /** `slot`: null when the whole record cannot be read. */
  | {
      readonly kind: 'unreadable';
      readonly shard: number;
      readonly slot: number | null;
      readonly why: string;
    }
  | { readonly kind: 'damage'; readonly file: string; readonly offset: number; readonly detail: string }
  | { readonly kind: 'torn-tail'; readonly bytes: number };
