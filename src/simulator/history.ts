import type { Generation, GroupId, MemberId, ReplicaId, ShardId, Slot, TopicName } from '../kernel/index.js';
import { type Ballot, compareBallots } from '../paxos/index.js';
import type { DiskCondition } from '../replica/index.js';

/** A write or read of the record of one space, in the time of the world. */
export interface RecordAccess {
  readonly space: string;
  /** Undefined: a read. */
  readonly write: { readonly expected: number; readonly token: number } | undefined;
  readonly startedAt: number;
  endedAt: number;
  /** What its client knows: `refused` did not happen; `unknown` may have happened, or may happen yet. */
  outcome: 'ok' | 'conflict' | 'stale' | 'refused' | 'unknown';
  /** Made by a write, or found by a read or a conflict (0: nothing there). */
  version: number | undefined;
}

/** The offsets that one committer commits: each higher than all before. */
export interface Commits {
  readonly group: GroupId;
  readonly topic: TopicName;
  tried: number;
  acknowledged: number;
}

/** A read of what a committer has committed. */
export interface OffsetRead {
  readonly group: GroupId;
  /** What had been acknowledged when the read began. */
  readonly atLeast: number;
  readonly found: number;
  /** What had been tried when it ended. */
  readonly atMost: number;
  /** Nobody knew when the read ended whether what it found would be chosen, or when. */
  readonly open?: boolean;
}

/** What a replica had applied at some moment. */
export interface Sample {
  readonly replica: ReplicaId;
  readonly shard: ShardId;
  readonly through: Slot;
  readonly hash: number;
}

/** A grant that some replica shows, and when it showed it first. */
export interface GrantSeen {
  readonly at: number;
  readonly replica: ReplicaId;
  readonly scope: string;
  readonly token: number;
  readonly owner: MemberId;
  readonly through: Slot;
}

/** Replicas that may answer reads of a shard on their own at one moment. */
export interface LeaseSeen {
  readonly at: number;
  readonly shard: ShardId;
  readonly holders: readonly ReplicaId[];
}

/** What a member of a group was told: its generation, or, `partitions`, what it owns there. Times of the world. */
export interface MemberTold {
  readonly group: GroupId;
  readonly member: MemberId;
  readonly generation: Generation;
  readonly at: number;
  readonly partitions: readonly number[] | undefined;
}

/** Something that only a member of the present generation may do: it was taken. */
export interface MemberAct {
  readonly what: 'commit' | 'heartbeat';
  readonly group: GroupId;
  readonly member: MemberId;
  readonly generation: Generation;
  readonly startedAt: number;
}

/** The highest ballot that a replica has promised or accepted, and through which slot it has accepted. */
export interface ToldOthers {
  /** Of its shard: the ballots of another configuration say nothing in this one. */
  readonly configuration: number;
  readonly ballot: Ballot;
  readonly through: number;
}

/** In a later configuration nothing was promised yet. */
export const forgotPromise = (told: ToldOthers, found: ToldOthers): boolean =>
  found.configuration < told.configuration ||
  (found.configuration === told.configuration && compareBallots(found.ballot, told.ballot) < 0);

/** What a replica had told others, and what it knows after its next start. It votes. */
export interface PromiseKept {
  readonly replica: ReplicaId;
  readonly shard: ShardId;
  readonly told: ToldOthers;
  readonly found: ToldOthers;
}

/** A disk as a start found it. `known`: it has had this incarnation before. `damaged`: something has been lost on it before. */
export interface Opened {
  readonly replica: ReplicaId;
  readonly condition: DiskCondition['kind'];
  readonly incarnation: string;
  readonly known: boolean;
  readonly damaged: boolean;
  /** How far it had come when its last process died (0: not known), and how far it has come by what the start found. */
  readonly reached: number;
  readonly position: number;
}

/** A crash that was rehearsed on a copy of a disk, and what was wrong then. `before`: the effect that was to come. */
export interface Rehearsal {
  readonly at: number;
  readonly replica: ReplicaId;
  readonly before: string;
  readonly problem: string;
}

/** Something that a leader did with fewer replicas behind it than it needs: `with` are those whose word had reached it. */
export interface QuorumMissed {
  readonly at: number;
  readonly shard: ShardId;
  readonly leader: ReplicaId;
  readonly ballot: string;
  readonly what: string;
  readonly with: readonly ReplicaId[];
}

/** A read that shows less than some replica had applied when it began. */
export interface StaleRead {
  readonly at: number;
  readonly replica: ReplicaId;
  readonly shard: ShardId;
  readonly shows: number;
  readonly applied: number;
}

/** The log of a replica whose disk is well. Bytes. */
export interface LogSize {
  readonly replica: ReplicaId;
  readonly bytes: number;
  readonly bytesMax: number;
}

/** A process that ended by itself, or did not start. */
export interface Ending {
  readonly replica: ReplicaId;
  readonly reason: string;
  /** A fault of its disk explains it. */
  readonly explained: boolean;
}

/** A replica that may answer reads on its own although its disk stalls, and since when it knows of that. */
export interface StalledLease {
  readonly at: number;
  readonly since: number;
  readonly replica: ReplicaId;
  readonly shard: ShardId;
}

/** A state as a snapshot of it reads, and as a snapshot of the state restored from that. */
export interface StateSeen {
  readonly replica: ReplicaId;
  readonly shard: ShardId;
  readonly through: Slot;
  readonly crc: number;
  readonly crcRestored: number;
}

/** A command on its way to be accepted, and a replica that never ran a version that can apply it. */
export interface TooNew {
  readonly at: number;
  readonly replica: ReplicaId;
  readonly level: number;
  readonly oldest: ReplicaId;
}

/** A message of a kind that its receiver does not know. */
export interface Unreadable {
  readonly at: number;
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly level: number;
  readonly knows: number;
}

/** What a store outside the cluster was asked to do under a token, in the order in which it judged. */
export interface FencedAct {
  readonly at: number;
  readonly what: 'seal' | 'write';
  readonly scope: string;
  readonly token: number;
  readonly owner: string;
  readonly taken: boolean;
}

/** A worker of the SDK begins a write under a lease. */
export interface Worked {
  readonly at: number;
  readonly scope: string;
  readonly token: number;
  readonly owner: string;
}

/** Invariants that the world sees broken where it looks. */
export type Witness =
  | 'who-forgot-does-not-vote'
  | 'who-disagrees-is-kept-out'
  | 'a-voter-remembers-its-peers'
  | 'applied-only-grows'
  | 'one-clock-moves-no-time'
  | 'who-hears-nobody-leads-nothing'
  | 'disks-are-remembered'
  | 'answers-fit-their-questions'
  | 'the-newest-snapshot-counts'
  | 'what-waits-is-limited'
  | 'configurations-agree'
  | 'ready-means-caught-up'
  | 'shards-follow-the-plan'
  | 'who-was-removed-does-not-vote';

/** What clients and the world saw of a run. */
export interface History {
  readonly records: RecordAccess[];
  readonly commits: Commits[];
  readonly reads: OffsetRead[];
  readonly samples: Sample[];
  readonly grants: GrantSeen[];
  readonly leases: LeaseSeen[];
  readonly told: MemberTold[];
  readonly acts: MemberAct[];
  readonly promises: PromiseKept[];
  readonly opened: Opened[];
  readonly rehearsed: Rehearsal[];
  readonly quorums: QuorumMissed[];
  readonly staleReads: StaleRead[];
  /** What was seen first of each. */
  readonly witnessed: Map<Witness, string>;
  /** Commits that a replica refused as not done: the group, and the offset. */
  readonly refused: Set<string>;
  /** Commits of committers that some replica has applied, named like those. */
  readonly applied: Set<string>;
  /** The longest one of each replica. */
  readonly logs: Map<ReplicaId, LogSize>;
  readonly endings: Ending[];
  /** Leases of replicas whose disk had finished nothing for much too long. */
  readonly stalledLeases: StalledLease[];
  /** Topics that an administrator was told exist, and those that a later read did not find. */
  readonly topics: Set<string>;
  readonly topicsMissing: string[];
  /** Groups whose only offset may go soon. */
  readonly passers: GroupId[];
  /** The states of replicas that have applied the same, at the end. */
  readonly states: StateSeen[];
  readonly fenced: FencedAct[];
  readonly worked: Worked[];
  readonly tooNew: TooNew[];
  readonly unreadable: Unreadable[];
  /** Replicas without a vote at the end, whose disk was never damaged. */
  readonly unfit: ReplicaId[];
  /** What did not come back within its time after the world had healed. */
  readonly stuck: string[];
}

export const newHistory = (): History => ({
  records: [],
  commits: [],
  reads: [],
  samples: [],
  grants: [],
  leases: [],
  told: [],
  acts: [],
  promises: [],
  opened: [],
  rehearsed: [],
  quorums: [],
  staleReads: [],
  witnessed: new Map(),
  refused: new Set(),
  applied: new Set(),
  logs: new Map(),
  endings: [],
  stalledLeases: [],
  topics: new Set(),
  topicsMissing: [],
  passers: [],
  states: [],
  fenced: [],
  worked: [],
  tooNew: [],
  unreadable: [],
  unfit: [],
  stuck: [],
});

/** Whether anything was written down that only a broken invariant leaves: the rest is judged at the end. */
export const hasSeenWrong = ({ witnessed, rehearsed, quorums, staleReads, leases }: History): boolean =>
  witnessed.size + rehearsed.length + quorums.length + staleReads.length + leases.length > 0;
