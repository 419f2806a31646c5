import {
  type MonotonicMs,
  monotonicMs,
  NO_SLOT,
  type Random,
  type ReplicaId,
  seededRandom,
  type Slot,
  slot,
} from '../kernel/index.js';
import { type Ballot, BALLOT_ZERO, maxBallot } from './ballot.js';
import { type Begun, configurationOf, type PaxosConfiguration } from './configuration.js';
import { type AcceptedLog, replay } from './log.js';
import type { Message, MessageBody } from './messages.js';
import { newPeer, type Peer, seenBefore } from './progress.js';
import type { Follower, Queued, Role } from './role.js';
import { Silence } from './silence.js';
import type {
  Effect,
  HardRecord,
  Leadership,
  PaxosOptions,
  PersistId,
  ProposalFailure,
  ProposalId,
  Recovered,
  Send,
  StepDownCause,
} from './types.js';

const OUTSIDERS_MAX = 64;

/** What becomes true when a write is durable. */
interface Pending {
  readonly promise: Ballot;
  /** Everything of `ballot` through here is accepted; no slot and no ballot for a promise alone. */
  readonly through: Slot;
  readonly ballot: Ballot | undefined;
}

/** What a restart must find again. A change of it comes with the persist effect that makes it durable. */
interface HardState {
  readonly log: AcceptedLog;
  promised: Ballot;
}

/**
 * What a replica knows of one shard's log, and the effects of the current step. Three parts: the hard state, what every
 * role needs, and the state of the current role. The roles are functions over it, in files of their own.
 */
export class State {
  readonly options: PaxosOptions;
  readonly hard: HardState;
  role: Role;

  // ---- configuration ----
  configuration: PaxosConfiguration;
  /** As its seal named it, and the slot of that seal; undefined for the first. */
  begun: Begun | undefined;
  /** No record says which configuration this is, only a snapshot. */
  unrecorded: boolean;
  /** This replica has a vote: it is in the configuration, with the disk that it has there. */
  member: boolean;
  priority: number;
  /** The other replicas of the configuration. */
  peers = new Map<ReplicaId, Peer>();
  /** Who is not in the configuration and speaks to us: to learn, or because it does not know that it ended. */
  readonly outsiders = new Map<ReplicaId, Peer>();
  readonly random: Random;
  effects: Effect[] = [];

  // ---- acceptor ----
  /** The promise that is known to be on disk. */
  durablePromise: Ballot;
  /** Our log agrees with the log of the leader of `hard.promised` through here. */
  matched: Slot;
  /** The same, as far as it is on disk: all that we may tell the leader. */
  durableThrough: Slot;
  /** No other candidate gets a promise until then ... */
  leaseGrantUntil: MonotonicMs;
  /** ... unless the leader of this ballot consents. Undefined: the grant of an earlier process run, to an unknown leader. */
  leaseGrantBallot: Ballot | undefined;

  /** What was queued when the configuration that it led ended, until it leads the next one or does not. */
  carried: readonly Queued[] = [];

  // ---- learner ----
  chosenThrough: Slot;
  appliedThrough: Slot;
  /** The machine was told of the slots through here. */
  announcedThrough: Slot;
  /** The disk was told that the slots through here are chosen. */
  hintedThrough: Slot;
  /** Whom we asked for chosen slots, while the answer is under way. */
  catchUp: { readonly from: ReplicaId; readonly askedAt: MonotonicMs } | undefined;

  // ---- election ----
  /** How long the leader, or who is being elected, has said nothing. */
  readonly leaderSilence: Silence;
  /** Since when the leader is known to be dead, without waiting for its silence to end. */
  leaderDiedAt: MonotonicMs | undefined;
  /** Somebody has led since this process began. */
  metLeader = false;
  /** How long it leads in place of a preferred leader before it hands over. Longer after each loss. */
  returnAfterMs = 0;
  tookOverAt: MonotonicMs | undefined;
  /** The heartbeat round sent last, and when. */
  round = 0;
  roundAt: MonotonicMs;
  highestSeen: Ballot;

  // ---- persistence ----
  /** Since when the disk finishes nothing. Meanwhile this replica is as one without a vote, and begins no write if it can. */
  diskStallsFrom: MonotonicMs | undefined;
  #nextPersist: PersistId = 1;
  readonly pending = new Map<PersistId, Pending>();

  constructor(options: PaxosOptions, recovered: Recovered, now: MonotonicMs) {
    this.options = options;
    this.random = seededRandom(options.seed);
    const { records, snapshotThrough: through } = recovered;
    const found = replay(records, { through, begun: recovered.begun }, BALLOT_ZERO, maxBallot);
    this.unrecorded = found.unrecorded;
    this.configuration = options.configuration;
    this.member = options.votes && options.configuration.replicas.includes(options.self);
    this.priority = options.priority;
    if (found.begun !== undefined) this.#adopt(found.begun);
    for (const id of this.configuration.replicas)
      if (id !== options.self) this.peers.set(id, newPeer(id, now));
    this.hard = { log: found.log, promised: found.promised };
    this.role = { kind: 'follower', leader: undefined, backOffUntil: now };
    this.durablePromise = this.highestSeen = found.promised;
    this.chosenThrough = this.matched = this.durableThrough = this.hintedThrough = found.chosenThrough;
    this.appliedThrough = this.announcedThrough = recovered.snapshotThrough;
    // PaxosLease: an acceptor that restarted does not know its lease grants, so it waits for the longest one.
    this.leaseGrantUntil = monotonicMs(
      found.anything ? now + Math.max(options.leaseMs, options.earlierLeaseMs ?? 0) : now,
    );
    this.leaderSilence = new Silence(options.electionTimeoutMs, now);
    this.roundAt = monotonicMs(now - options.heartbeatIntervalMs);
  }

  /** Whether others may count on this replica now. */
  get votes(): boolean {
    return this.member && this.diskStallsFrom === undefined;
  }

  get since(): Slot {
    return this.begun?.since ?? NO_SLOT;
  }

  /**
   * Enters a configuration: as an acceptor that has promised and accepted nothing in it. What the last one promised, and
   * what is still on its way to the disk, says nothing here. The log holds everything before it, and nothing behind.
   */
  enter(begun: Begun, now: MonotonicMs): void {
    const before = this.leader();
    const known = this.peers;
    this.#adopt(begun);
    this.peers = new Map();
    for (const id of this.configuration.replicas) {
      if (id === this.options.self) continue;
      const peer = known.get(id) ?? this.outsiders.get(id);
      this.outsiders.delete(id);
      this.peers.set(id, peer === undefined ? newPeer(id, now) : seenBefore(peer, now));
    }
    for (const [id, peer] of known) if (!this.peers.has(id)) this.outsiders.set(id, seenBefore(peer, now));
    this.hard.promised = this.durablePromise = this.highestSeen = BALLOT_ZERO;
    this.pending.clear();
    this.forgetMatched();
    this.hintedThrough = slot(Math.max(this.hintedThrough, begun.since));
    // Every lease of the last configuration has ended with it: see docs/paxos.md, Reconfiguration.
    this.leaseGrantUntil = now;
    this.leaseGrantBallot = undefined;
    // Who led goes on leading, if it is still there. Otherwise nobody need wait for it.
    this.awaitLeader(now);
    if (before !== undefined && this.configuration.replicas.includes(before)) return;
    this.leaderDiedAt = now;
    if (this.role.kind === 'follower') this.setLeader(this.role, undefined);
  }

  #adopt(begun: Begun): void {
    const { self, incarnation, priority, priorityAmong } = this.options;
    this.begun = begun;
    this.configuration = configurationOf(begun.configuration);
    this.member = begun.configuration.members.some(
      (member) => member.id === self && member.incarnation === incarnation,
    );
    this.priority = priorityAmong?.(this.configuration.replicas) ?? priority;
  }

  /** Who sent a message, or has a link: of the configuration, or not. Undefined: this one itself. */
  sender(id: ReplicaId, now: MonotonicMs): Peer | undefined {
    const known = this.peers.get(id) ?? this.outsiders.get(id);
    if (known !== undefined || id === this.options.self) return known;
    // Of too many, those that were removed say nothing any more.
    if (this.outsiders.size >= OUTSIDERS_MAX) {
      const all = [...this.outsiders.values()];
      const silent = all.reduce((a, b) => ((a.heardAt ?? -Infinity) <= (b.heardAt ?? -Infinity) ? a : b));
      this.outsiders.delete(silent.id);
    }
    const outsider = newPeer(id, now);
    this.outsiders.set(id, outsider);
    return outsider;
  }

  setLeader(follower: Follower, leader: ReplicaId | undefined): void {
    if (follower.leader === leader) return;
    follower.leader = leader;
    this.announceLeadership();
  }

  /** A sign of life of the leader. */
  hearLeader(follower: Follower, leader: ReplicaId, now: MonotonicMs): void {
    if (follower.leader === leader) this.leaderSilence.heard(now);
    else this.awaitLeader(now);
    this.setLeader(follower, leader);
  }

  /** Somebody is about to lead, or may: gives them the time of an election before this replica campaigns. */
  awaitLeader(now: MonotonicMs): void {
    this.leaderSilence.restart(now);
    this.leaderDiedAt = undefined;
  }

  /** Since when, or from when on, nobody leads as far as this replica can tell. */
  get leaderlessFrom(): MonotonicMs {
    return this.leaderDiedAt ?? this.leaderSilence.endsAt;
  }

  /** Who leads, as far as this replica knows. */
  leader(): ReplicaId | undefined {
    if (this.role.kind === 'leader') return this.options.self;
    return this.role.kind === 'follower' ? this.role.leader : undefined;
  }

  leadership(): Leadership {
    const { role } = this;
    return {
      role: role.kind,
      serving: role.kind === 'leader' && role.serving,
      leader: this.leader(),
      ballot: this.hard.promised,
    };
  }

  announceLeadership(steppedDown?: StepDownCause): void {
    this.metLeader ||= this.leader() !== undefined;
    this.effects.push({ kind: 'leadership', leadership: this.leadership(), steppedDown });
  }

  failProposals(ids: readonly ProposalId[], reason: ProposalFailure): void {
    if (ids.length > 0) this.effects.push({ kind: 'proposalsFailed', ids, reason });
  }

  /** The body itself, which its maker has no other use for. */
  stamped(body: MessageBody & { configuration?: number }): Message {
    body.configuration = this.configuration.number;
    return body as Message;
  }

  send(to: ReplicaId, body: MessageBody): void {
    this.effects.push({ kind: 'send', to, message: this.stamped(body) });
  }

  /** To the others of the configuration. */
  broadcast(body: MessageBody): Message {
    const message = this.stamped(body);
    for (const to of this.peers.keys()) this.effects.push({ kind: 'send', to, message });
    return message;
  }

  /** Records, and what they make true. A hint of what is chosen rides along. */
  persist(records: readonly HardRecord[], then: readonly Send[], through: Slot = NO_SLOT): void {
    const id = this.#nextPersist++;
    const hint = this.#hint();
    this.pending.set(id, {
      promise: this.hard.promised,
      through,
      ballot: through > 0 ? this.hard.promised : undefined,
    });
    this.effects.push({
      kind: 'persist',
      id,
      records: hint === undefined ? records : [...records, hint],
      sync: true,
      then,
    });
  }

  /** Records that nothing depends on. */
  write(records: readonly HardRecord[]): void {
    this.effects.push({ kind: 'persist', id: this.#nextPersist++, records, sync: false, then: [] });
  }

  #hint(): HardRecord | undefined {
    if (this.hintedThrough >= this.chosenThrough) return undefined;
    this.hintedThrough = this.chosenThrough;
    return { kind: 'chosen', through: this.chosenThrough };
  }

  /** Another ballot: what we hold beyond the chosen slots is not known to agree with it. */
  forgetMatched(): void {
    this.matched = this.durableThrough = this.chosenThrough;
  }

  /** What the leader may count on: what is durable here of its ballot, and what is chosen anyway. */
  position(): Slot {
    return slot(Math.max(this.durableThrough, this.chosenThrough));
  }
}
