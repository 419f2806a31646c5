import type {
  Address,
  HistogramReading,
  MonotonicMs,
  ReplicaId,
  ShardId,
  Slot,
  WallMs,
} from '../kernel/index.js';
import type { ReplicaFacts } from '../machine/index.js';
import type { QuorumDescription } from '../paxos/index.js';
import type { Agreement } from './agreement.js';

/** The clock of the process. `monotonic` runs on while the process is paused and never goes back. */
export interface Clock {
  monotonic(): MonotonicMs;
  wall(): WallMs;
  /** Calls back once after `delayMs`; returns what takes it back. */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls back after everything that is ready now has been handled: the end of this turn of the loop. */
  endOfTurn(callback: () => void): void;
}

/** The only source of randomness in the process. */
export interface Entropy {
  /** UUID v4, canonical lower case text. */
  uuid(): string;
  /** An integer in [0, 2^32). */
  seed(): number;
}

/** One record of a shard in the write-ahead log. `type` and `payload` mean something to the room that wrote them. */
export interface LogRecord {
  readonly shard: ShardId;
  /** 0..127 */
  readonly type: number;
  readonly payload: Uint8Array;
}

/** What a disk turned out to hold. */
export type DiskCondition =
  /** Nothing was ever stored here under this directory. */
  | { readonly kind: 'blank' }
  /** Everything acknowledged is here. `droppedBytes`: an unacknowledged tail that a crash tore off. */
  | { readonly kind: 'intact'; readonly droppedBytes: number }
  /** Acknowledged records are lost. The identity on disk has a new incarnation: this replica must not vote under its old name. */
  | { readonly kind: 'corrupt'; readonly file: string; readonly offset: number; readonly detail: string };

/** Which disks have a vote since the change of this number. By replica id. */
export interface Membership {
  /** Above 0. */
  readonly number: number;
  readonly disks: Readonly<Record<string, string>>;
  /** Absent in a Hello of an earlier version. */
  readonly quorums?: QuorumDescription;
}

/** The same with what a start needs to know of it. */
export interface KeptMembership extends Membership {
  readonly replicas: readonly ReplicaFacts[];
  readonly quorums: QuorumDescription;
}

/** Who owns a data directory. Written once, checked at every start. */
export interface DiskIdentity {
  /** 22 characters of base64url. */
  readonly clusterId: string;
  readonly replicaId: ReplicaId;
  /** How many shards the cluster was made with. */
  readonly shards: number;
  /** A UUID made together with the directory: tells a disk from its replacement. */
  readonly incarnation: string;
  /**
   * The incarnations of all replicas that formed the cluster; empty while this one does not know. This one is not among them
   * when it came later. By replica id.
   */
  readonly formedWith: Readonly<Record<string, string>>;
  /** True: it came to a cluster that others had formed. */
  readonly joined?: boolean;
  /** The quorum system that the cluster was formed with. Absent before that, and in files of earlier versions. */
  readonly founded?: QuorumDescription;
  /** Absent while the replicas are those of `formedWith`. */
  readonly membership?: KeptMembership;
  /** The settings it last ran with that all replicas have alike. Absent in files of version 0.1.0. */
  readonly agreement?: Agreement;
  /** A longer lease than now, which grants of an earlier run may still have. Absent when there is none. */
  readonly earlierLeaseMs?: number;
  /** Of a directory that was made from a backup: names backup, cluster and time. Only replicas with the same form a cluster. */
  readonly restoredFrom?: string;
  /** How far the disks of `formedWith` had come, as their replicas said. Absent in files of version 0.1.0. By replica id. */
  readonly positions?: Readonly<Record<string, number>>;
  /** The feature levels that the peers had when all of them were linked last, at one moment. Absent in files of version 0.1.0. By replica id. */
  readonly levels?: Readonly<Record<string, number>>;
  /** The feature level that the cluster uses: a version that knows less does not start here. Absent before it has formed, and in files of earlier versions. */
  readonly level?: number;
}

/** Of a disk: `scarce` takes no proposals, but a compaction; `none` not even that. What was proposed before still fits. */
export type DiskRoom = 'enough' | 'scarce' | 'none';

/** The durable memory of one replica: one log for all shards, a snapshot a shard. */
export interface Storage {
  /**
   * Appends in order. `sync: true` calls `done` once all of it, and everything appended before, is on disk; all that
   * arrives while one sync runs shares the next. `sync: false` promises nothing and calls nothing back.
   * After a failure `done` is never called again: see `onFailure`.
   */
  append(records: readonly LogRecord[], sync: boolean, done?: () => void): void;
  /**
   * Replaces the snapshot of a shard atomically (temp file, sync, read back, rename, sync of the directory). Keeps a
   * snapshot that is newer; `done` then says that this one is there.
   */
  writeSnapshot(shard: ShardId, through: Slot, chunks: Iterable<Uint8Array>, done: () => void): void;
  /**
   * The newest snapshot of a shard in chunks of at most 1 MiB, or undefined. The checksum is verified with the last chunk: the iteration
   * then rejects when the snapshot is damaged. Chunks stay as they are.
   */
  readSnapshot(
    shard: ShardId,
  ): Promise<{ readonly through: Slot; readonly chunks: AsyncIterable<Uint8Array> } | undefined>;
  /** The same one, to be read from anywhere in it. */
  openSnapshot(shard: ShardId): Promise<OpenSnapshot | undefined>;
  /**
   * Shortens the log to the records that `records` gives and all that is appended later: a restart reads them, or all
   * that was there before, and nothing between. `records` is asked once, at the moment that divides the two. One at a time.
   */
  rebase(records: () => readonly LogRecord[], done: () => void): void;
  /** Asked before each proposal: what the disk can still take. */
  room(): DiskRoom;
  /** Bytes of log on disk that a restart would read. */
  logBytes(): number;
  /** How long durable writes took, from the call of the operating system to its end. Seconds. */
  writeSeconds?(): HistogramReading;
  /** How far this disk has come: grows with every record that is on disk, and never goes down, not by `releaseBefore` either. */
  position(): number;
  saveIdentity(identity: DiskIdentity): Promise<void>;
  /** Finishes what is under way, syncs, closes. */
  close(): Promise<void>;
  /** Called once, with the file and the error, when a write or sync failed. Nothing is retried or acknowledged after. */
  onFailure(handler: (error: Error) => void): void;
}

/** A snapshot that stays readable until `close`, which must be called, also when a newer one takes its place. */
export interface OpenSnapshot {
  readonly through: Slot;
  /** Bytes. */
  readonly size: number;
  /** CRC-32C of all of it, which has been verified. */
  readonly crc: number;
  /** What begins at `offset`, at most 1 MiB of it; nothing only at the end. Rejects when it cannot be read. */
  read(offset: number): Promise<Uint8Array>;
  close(): void;
}

/** What opening a directory found. `records` streams the log in order; it must be consumed before the first append. */
export interface OpenedStorage {
  readonly storage: Storage;
  /** As it is on disk: after corruption it has a new incarnation already. */
  readonly identity: DiskIdentity | undefined;
  /** What the log says this disk is, for a new identity. Undefined when it does not say. */
  readonly incarnation: string | undefined;
  readonly condition: DiskCondition;
  readonly records: Iterable<LogRecord>;
  readonly snapshots: ReadonlyMap<ShardId, Slot>;
}

/** What a peer says of itself when a link opens. */
export interface Hello {
  readonly clusterId: string;
  readonly replicaId: ReplicaId;
  readonly shards: number;
  readonly incarnation: string;
  /** All three of its identity. */
  readonly formedWith: Readonly<Record<string, string>>;
  readonly founded?: QuorumDescription;
  readonly membership?: Membership;
  /** Of its identity. */
  readonly restoredFrom?: string;
  /** What all replicas must have alike, as this one has it. Absent in version 0.1.0. */
  readonly agreement?: Agreement;
  /** Which commands its machine knows (machine/commands.ts). Absent in version 0.1.0. */
  readonly featureLevel?: number;
  /** The feature level that the cluster uses, as far as this one has heard. Absent before it has formed, and in earlier versions. */
  readonly level?: number;
  /** How far its disk has come, and how far it remembers those of `formedWith`. Absent in version 0.1.0. */
  readonly position?: number;
  readonly positions?: Readonly<Record<string, number>>;
  /** It is about to stop, in order: it leads nothing any more, and the end of its link is no loss. */
  readonly leaving?: boolean;
  /** Where the other replicas call it. Absent in earlier versions. */
  readonly peer?: Address;
  /** Addresses that clients reach it under. */
  readonly kafka: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number } | undefined;
}

/** Frames that one peer got from another, already checked. The bytes are only valid during the call. */
export interface TransportHandler {
  /** A link in working order exists (again). Called again when the peer's hello changes. */
  onUp(peer: ReplicaId, hello: Hello): void;
  onDown(peer: ReplicaId, reason: string): void;
  /** After `onDown`: its address refuses connections, so its process has ended. Not said of a machine that is unreachable. */
  onDied(peer: ReplicaId): void;
  /** A replica of the same cluster has something else that all must have alike, or is not in the configuration: it gets no link. */
  onRefused(hello: Hello): void;
  onMessage(peer: ReplicaId, message: Uint8Array): void;
  /** Why a replica that may have a link otherwise gets none; undefined when nothing is wrong. */
  refuses(hello: Hello): string | undefined;
}

/** A peer, and where it may be called: tried in turn. */
export interface PeerAddresses {
  readonly id: ReplicaId;
  readonly addresses: readonly Address[];
}

/**
 * Links to the peers. `send` never blocks and never throws; a message may be lost (link down, queue full), is never
 * altered, and arrives at most once per link, in the order of those that are as urgent.
 */
export interface Transport {
  start(hello: () => Hello, handler: TransportHandler): Promise<void>;
  /**
   * `urgency`: 'droppable' messages (heartbeats, and what a later message repeats) overtake all others, and are dropped
   * when many of them wait; 'bulk' ones (snapshots) come last, in small portions: `send` answers false without room.
   */
  send(peer: ReplicaId, message: Uint8Array, urgency: 'normal' | 'droppable' | 'bulk'): boolean;
  /** What `hello` gives has changed: tell the peers. */
  helloChanged(): void;
  /** These replicas are the peers from now on, also at the addresses that are known already. Links with others end. */
  setPeers(peers: readonly PeerAddresses[]): void;
  /** Why a peer has no link, for people; undefined when it has one, and when nothing is known. */
  problemWith?(peer: ReplicaId): string | undefined;
  /** Bytes for a peer that the operating system has not taken yet. */
  queuedBytes?(peer: ReplicaId): number;
  /** Which version of the replicas' protocol the link with a peer speaks; undefined without a link. */
  protocolWith?(peer: ReplicaId): number | undefined;
  close(): Promise<void>;
}
