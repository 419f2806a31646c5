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
import type { Campaign } from './campaign.js';
import type { Entry } from './entry.js';
import { type AcceptedLog, replay } from './log.js';
import type { Message, MessageBody } from './messages.js';
import { newPeer, type Peer } from './progress.js';
import { Rounds } from './rounds.js';
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
} from './types.js';

/** A proposal that has no slot yet. */
interface Queued {
  readonly id: ProposalId;
  readonly entry: Entry;
}

/** What becomes true when a write is durable. */
interface Pending {
  readonly promise: Ballot;
  /** Everything of `ballot` through here is accepted; no slot and no ballot for a promise alone. */
  readonly through: Slot;
  readonly ballot: Ballot | undefined;
}

/**
 * All that a replica knows of one shard's log, and the effects of the step at hand. The roles are functions over it, each
 * in a file of its own; what is written here is what more than one of them needs.
 */
export class State {
  readonly options: PaxosOptions;
  readonly peers = new Map<ReplicaId, Peer>();
  readonly random: Random;
  effects: Effect[] = [];

  // ---- acceptor (durable) ----
  readonly log: AcceptedLog;
  promised: Ballot;
  /** The promise that is known to be on disk. */
  durablePromise: Ballot;
  // ---- acceptor (soft) ----
  /** Our log agrees with the log of the leader of `promised` through here. */
  matched: Slot;
  /** The same, as far as it is on disk: all that we may tell the leader. */
  durableThrough: Slot;
  /** No other candidate gets a promise until then ... */
  leaseGrantUntil: MonotonicMs;
  /** ... unless the leader of this ballot consents. Undefined: the grant of an earlier process run, to an unknown leader. */
  leaseGrantBallot: Ballot | undefined;

  // ---- learner ----
  chosenThrough: Slot;
  appliedThrough: Slot;
  /** The machine was told of the slots through here. */
  announcedThrough: Slot;
  /** The disk was told that the slots through here are chosen. */
  hintedThrough: Slot;
  askedCatchUpAt: MonotonicMs | undefined;

  // ---- election ----
  role: Leadership['role'] = 'follower';
  leader: ReplicaId | undefined;
  leaderHeardAt: MonotonicMs;
  /** The heartbeat round sent last, and when. */
  round = 0;
  roundAt: MonotonicMs;
  campaign: Campaign | undefined;
  /** After a failed campaign: no other one before then. */
  backOffUntil: MonotonicMs;
  highestSeen: Ballot;

  // ---- leader ----
  rounds: Rounds;
  ledSince: MonotonicMs | undefined;
  noopSlot: Slot = NO_SLOT;
  serving = false;
  queue: Queued[] = [];
  queueBytes = 0;
  inFlightBytes = 0;
  /** Our own proposals that have a slot and are not chosen yet. */
  readonly ours = new Map<Slot, ProposalId>();
  transferee: { readonly to: ReplicaId; readonly since: MonotonicMs } | undefined;

  // ---- persistence ----
  #nextPersist: PersistId = 1;
  readonly pending = new Map<PersistId, Pending>();

  constructor(options: PaxosOptions, recovered: Recovered, now: MonotonicMs) {
    this.options = options;
    this.random = seededRandom(options.seed);
    for (const id of options.configuration.replicas)
      if (id !== options.self) this.peers.set(id, newPeer(id, now));
    const found = replay(recovered.records, recovered.snapshotThrough, BALLOT_ZERO, maxBallot);
    this.log = found.log;
    this.promised = this.durablePromise = this.highestSeen = found.promised;
    this.chosenThrough = this.matched = this.durableThrough = this.hintedThrough = found.chosenThrough;
    this.appliedThrough = this.announcedThrough = recovered.snapshotThrough;
    // PaxosLease: an acceptor that restarted does not know its lease grants, so it waits for the longest one.
    this.leaseGrantUntil = monotonicMs(found.anything ? now + options.leaseMs : now);
    this.leaderHeardAt = now;
    this.roundAt = monotonicMs(now - options.heartbeatIntervalMs);
    this.backOffUntil = now;
    this.rounds = this.newRounds();
  }

  newRounds(): Rounds {
    const { self, configuration, leaseMs, clockDriftRatio } = this.options;
    return new Rounds(self, configuration.quorums, leaseMs, clockDriftRatio);
  }

  setLeader(leader: ReplicaId | undefined, announce = true): void {
    if (this.leader === leader) return;
    this.leader = leader;
    if (announce) this.announceLeadership();
  }

  leadership(): Leadership {
    return { role: this.role, serving: this.serving, leader: this.leader, ballot: this.promised };
  }

  announceLeadership(): void {
    this.effects.push({ kind: 'leadership', leadership: this.leadership() });
  }

  failProposals(ids: readonly ProposalId[], reason: ProposalFailure): void {
    if (ids.length > 0) this.effects.push({ kind: 'proposalsFailed', ids, reason });
  }

  stamped(body: MessageBody): Message {
    return { configuration: this.options.configuration.number, ...body };
  }

  send(to: ReplicaId, body: MessageBody): void {
    this.effects.push({ kind: 'send', to, message: this.stamped(body) });
  }

  broadcast(body: MessageBody): void {
    const message = this.stamped(body);
    for (const to of this.peers.keys()) this.effects.push({ kind: 'send', to, message });
  }

  /** Records, and what they make true. A hint of what is chosen rides along. */
  persist(records: readonly HardRecord[], then: readonly Send[], through: Slot = NO_SLOT): void {
    const id = this.#nextPersist++;
    const hint = this.#hint();
    this.pending.set(id, {
      promise: this.promised,
      through,
      ballot: through > 0 ? this.promised : undefined,
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
