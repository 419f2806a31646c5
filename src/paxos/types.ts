import type { MonotonicMs, ReplicaId, Slot } from '../kernel/index.js';
import type { Ballot } from './ballot.js';
import type { Begun, Configuration, PaxosConfiguration } from './configuration.js';
import type { Entry } from './entry.js';
import type { Message } from './messages.js';

export type { Begun, Configuration, Entry, PaxosConfiguration };

/** The shell's name for a proposal, a read or a persist: returned to it in the effect that answers. Unique per process run. */
export type ProposalId = number;
export type ReadId = number;
export type PersistId = number;

/** What an acceptor must find again after a crash, as records in the order they were persisted. */
export type HardRecord =
  | { readonly kind: 'promised'; readonly ballot: Ballot }
  | {
      readonly kind: 'accepted';
      readonly ballot: Ballot;
      readonly firstSlot: Slot;
      readonly entries: readonly Entry[];
    }
  /** A hint that spares learning again what was chosen; never needed for safety, never worth an fsync of its own. */
  | { readonly kind: 'chosen'; readonly through: Slot }
  /** The log through this slot lives in a snapshot; earlier accepted values may be forgotten. */
  | { readonly kind: 'snapshot'; readonly through: Slot }
  /** Behind a seal the next configuration has begun. The promises before it were made in another one. */
  | { readonly kind: 'configuration'; readonly since: Slot; readonly configuration: Configuration };

export interface Send {
  readonly to: ReplicaId;
  readonly message: Message;
}

export type Input =
  | { readonly kind: 'message'; readonly from: ReplicaId; readonly message: Message }
  /**
   * Time has passed. The shell ticks every `tickMs` or so; the core reads deadlines off `now` and never counts ticks.
   * `keepLeadership`: not now the time to hand over to the preferred leader. `diskStalls`: writes begin and do not end.
   */
  | { readonly kind: 'tick'; readonly keepLeadership?: boolean; readonly diskStalls?: boolean }
  /** This process did not run for so long (its loop was busy, or it was stopped): nobody else is to blame for that silence. Milliseconds. */
  | { readonly kind: 'stalled'; readonly ms: number }
  /** A peer's process has ended, by what the operating system says. A hint: followers need not wait for its silence to end. */
  | { readonly kind: 'peerDied'; readonly peer: ReplicaId }
  /** There is a new link to a peer. What was on its way over the one before is lost. */
  | { readonly kind: 'peerUp'; readonly peer: ReplicaId }
  /** Proposals gathered in one turn of the loop. */
  | {
      readonly kind: 'propose';
      readonly proposals: readonly { readonly id: ProposalId; readonly payload: Uint8Array }[];
    }
  /** A leader ends its configuration: proposes the seal that names the next one. Answered like a proposal. */
  | { readonly kind: 'reconfigure'; readonly id: ProposalId; readonly next: Configuration }
  /** The records of this persist effect, and of all before it, are durable. */
  | { readonly kind: 'persisted'; readonly id: PersistId }
  /** The machine has applied every slot through this one. */
  | { readonly kind: 'applied'; readonly through: Slot }
  /** A linearizable read is wanted. */
  | { readonly kind: 'read'; readonly id: ReadId }
  /** Hand leadership to a replica (planned: shutdown, return to the preferred leader). Ignored unless leading. */
  | { readonly kind: 'transfer'; readonly to: ReplicaId }
  /** A durable snapshot of the machine covers the log through this slot; the log before it may be trimmed. */
  | {
      readonly kind: 'snapshotTaken';
      readonly through: Slot;
      /** Slots from here on stay, for a peer that fetches the snapshot before them. */
      readonly keepFrom?: Slot | undefined;
    }
  /** A snapshot received from a peer is durable and the machine is at this slot. */
  | {
      readonly kind: 'snapshotInstalled';
      readonly through: Slot;
      /** The configuration that this slot belongs to; undefined for the first. */
      readonly begun?: Begun | undefined;
    };

export type ProposalFailure =
  /** This replica does not lead; nothing was proposed. Safe to send elsewhere. */
  | 'not-leader'
  /** Too much is queued already; nothing was proposed. */
  | 'overloaded'
  /** Another configuration is on its way, or the one named does not follow this one; nothing was proposed. */
  | 'not-next'
  /** Leadership was lost after the proposal was sent out: it may or may not be chosen later. */
  | 'outcome-unknown';

export interface Leadership {
  readonly role: 'follower' | 'candidate' | 'leader';
  /** True from the moment the leader's own no-op is chosen and applied here. Only then may it serve. */
  readonly serving: boolean;
  /** Who leads, as far as this replica knows. */
  readonly leader: ReplicaId | undefined;
  readonly ballot: Ballot;
}

/** Why a leader leads no more: who promised a higher ballot, no accept quorum answers, it was to hand over, its disk stalls, a seal. */
export type StepDownCause =
  'higher-ballot' | 'no-quorum' | 'handed-over' | 'disk-stalls' | 'next-configuration';

export type Effect =
  | { readonly kind: 'send'; readonly to: ReplicaId; readonly message: Message }
  /**
   * Make `records` durable, in order, then send `then`. The messages promise what the records say: the type keeps
   * anyone from sending them early. Acknowledge with a `persisted` input; several may be in flight, and acknowledging
   * one acknowledges all before it. `records` may be written without a sync when `sync` is false (then `then` is empty).
   */
  | {
      readonly kind: 'persist';
      readonly id: PersistId;
      readonly records: readonly HardRecord[];
      readonly sync: boolean;
      readonly then: readonly Send[];
    }
  /** These consecutive slots are chosen: apply them in order. `proposals[i]` names our own proposal in slot i, if it is one. */
  | {
      readonly kind: 'chosen';
      readonly firstSlot: Slot;
      readonly entries: readonly Entry[];
      readonly proposals: readonly (ProposalId | undefined)[];
    }
  | {
      readonly kind: 'proposalsFailed';
      readonly ids: readonly ProposalId[];
      readonly reason: ProposalFailure;
    }
  /** The read may be served from the applied state, now that it covers `through` (already applied). */
  | { readonly kind: 'readReady'; readonly ids: readonly ReadId[] }
  | { readonly kind: 'readsFailed'; readonly ids: readonly ReadId[] }
  /** `steppedDown`: it led until now. */
  | {
      readonly kind: 'leadership';
      readonly leadership: Leadership;
      readonly steppedDown: StepDownCause | undefined;
    }
  /** `to` needs slots that are trimmed here: stream it the newest snapshot. Repeated until it reports progress. */
  | { readonly kind: 'snapshotNeeded'; readonly to: ReplicaId }
  /** A broken invariant seen from outside (e.g. two values chosen for a slot): the replica must stop. */
  | { readonly kind: 'fatal'; readonly reason: string };

export interface Returns {
  /** Leadership stays away for so long after a first loss ... Milliseconds. */
  readonly afterMs: number;
  /** ... twice as long after each loss that follows soon, and at most for so long. Milliseconds. */
  readonly afterMsMax: number;
  /** A shard with more proposals stays where it is: a hand-over would turn clients away. Proposals a second. */
  readonly busyPerSecond: number;
}

export interface PaxosOptions {
  readonly self: ReplicaId;
  /** The one that the cluster was formed with. Later ones are in the log and in snapshots. */
  readonly configuration: PaxosConfiguration;
  /** Of the disk that this replica keeps its promises on. A seal names the disks that vote behind it. */
  readonly incarnation?: string;
  /** Of this replica for this shard: the highest-priority healthy, caught-up replica ends up leading. */
  readonly priority: number;
  /** The same for later configurations, by their replicas. By default `priority`. */
  readonly priorityAmong?: (replicas: readonly ReplicaId[]) => number;
  /** In the first configuration. False for a replica whose disk was lost or corrupted: it learns, and never promises, accepts or campaigns. */
  readonly votes: boolean;
  /** A follower that has not heard a leader (through its quorum) for this long may campaign. Milliseconds. */
  readonly electionTimeoutMs: number;
  /** One heartbeat round. Milliseconds; at most a third of the election timeout. */
  readonly heartbeatIntervalMs: number;
  /** When leadership goes back to the preferred leader. By default `returnsSlowly`. */
  readonly returns?: Returns;
  /** How long an acceptor's lease grant to a leader lasts after it acknowledged a heartbeat. Milliseconds; at most the election timeout. */
  readonly leaseMs: number;
  /** How long grants of an earlier run may last that had a longer lease. Default 0. Milliseconds. */
  readonly earlierLeaseMs?: number;
  /** The share of a lease given up for clocks that run at different speeds, e.g. 0.05. */
  readonly clockDriftRatio: number;
  /** Bounds of what is proposed and not yet chosen. Beyond them proposals queue, up to `queuedMax`, then fail. */
  readonly windowEntriesMax: number;
  readonly windowBytesMax: number;
  readonly queuedEntriesMax: number;
  readonly queuedBytesMax: number;
  /** The most one catch-up message or one promise chunk may carry. Bytes. */
  readonly chunkBytesMax: number;
  /** How many chosen entries to keep in memory behind a snapshot for peers that lag a little. */
  readonly retainedEntries: number;
  /** Spreads simultaneous campaigns; any seed will do in production, a chosen one in tests. */
  readonly seed: number;
}

/** State found on disk: the records of one shard, replayed in order. */
export interface Recovered {
  readonly records: Iterable<HardRecord>;
  /** The slot the machine's own snapshot is at (0 without one). */
  readonly snapshotThrough: Slot;
  /** The configuration that the snapshot's slot belongs to; undefined for the first. */
  readonly begun?: Begun | undefined;
}

export interface PaxosStatus {
  readonly self: ReplicaId;
  readonly leadership: Leadership;
  readonly configuration: PaxosConfiguration;
  /** The slot of the seal that the configuration began behind. */
  readonly since: Slot;
  /** It votes in this configuration, as far as that is for it to say. */
  readonly votes: boolean;
  readonly promised: Ballot;
  readonly firstSlot: Slot;
  readonly lastSlot: Slot;
  /** The memory of the log. */
  readonly logMemoryBytes: number;
  readonly chosenThrough: Slot;
  readonly appliedThrough: Slot;
  readonly queued: number;
  readonly inFlight: number;
  /** Local time until which reads may be served without asking anyone; undefined without a lease. */
  readonly leaseUntil: MonotonicMs | undefined;
  readonly peers: readonly {
    readonly id: ReplicaId;
    /** As it said last. */
    readonly votes: boolean;
    readonly matched: Slot;
    /** As it said last. */
    readonly chosenThrough: Slot;
    readonly heardMsAgo: number | undefined;
  }[];
  /** Who learns without being in the configuration, as they said last. */
  readonly learners: readonly {
    readonly id: ReplicaId;
    readonly chosenThrough: Slot;
    readonly heardMsAgo: number | undefined;
  }[];
}

/** The pure core of one shard's log on one replica. No clock, no socket, no disk: `now` and inputs in, effects out. */
export interface Paxos {
  /** The array is the caller's from then on. */
  step(input: Input, now: MonotonicMs): Effect[];
  /** True while a read may be answered from applied state without asking anyone. Check again when the reply leaves. */
  leaseHolds(now: MonotonicMs): boolean;
  status(now: MonotonicMs): PaxosStatus;
  /** The records that a restart needs beside the newest snapshot: promise, accepted values not covered by it, what is chosen. */
  hardState(): readonly HardRecord[];
  /**
   * Throws InvariantError where the state contradicts itself. Looks at every open slot: for tests, after each step. The
   * part that costs nothing is checked by each step itself.
   */
  checkInvariants(): void;
}
