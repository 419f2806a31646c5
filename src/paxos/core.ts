import {
  assert,
  assertNever,
  type MonotonicMs,
  monotonicMs,
  nextSlot,
  NO_SLOT,
  type Random,
  type ReplicaId,
  seededRandom,
  type Slot,
  slot,
} from '../kernel/index.js';
import { type Ballot, BALLOT_ZERO, ballotsEqual, compareBallots, formatBallot, maxBallot } from './ballot.js';
import { type AcceptedLog, entryBytes, replay } from './log.js';
import type { AcceptedEntry, Message, MessageBody, MessageOf } from './messages.js';
import { acceptedByQuorum, newPeer, type Peer } from './progress.js';
import { Rounds } from './rounds.js';
import type {
  Effect,
  Entry,
  HardRecord,
  Input,
  Leadership,
  Paxos,
  PaxosOptions,
  PaxosStatus,
  PersistId,
  ProposalFailure,
  ProposalId,
  ReadId,
  Recovered,
  Send,
} from './types.js';

export function createPaxos(options: PaxosOptions, recovered: Recovered, now: MonotonicMs): Paxos {
  return new Core(options, recovered, now);
}

/** What a candidate has gathered so far. */
interface Campaign {
  readonly ballot: Ballot;
  readonly consent: Ballot | undefined;
  readonly fromSlot: Slot;
  readonly startedAt: MonotonicMs;
  askedAt: MonotonicMs;
  /** Who has reported everything; itself once its own promise is durable. */
  readonly promised: Set<ReplicaId>;
  /** Where the next chunk of a promise that is not complete begins. */
  readonly asking: Map<ReplicaId, Slot>;
  /** The highest accepted value of every slot, by slot. */
  readonly values: Map<Slot, AcceptedEntry>;
  chosenThrough: Slot;
}

interface Queued {
  readonly id: ProposalId;
  readonly entry: Entry;
}

/** The most that may be on its way to one peer without a sign of it. In chunks. */
const PEER_CHUNKS_IN_FLIGHT = 8;

/**
 * Multi-Paxos for one shard on one replica, as a function of inputs and time. Acceptor, learner, candidate and leader
 * share one log: a replica accepts values only in the order of the slots, so what it has of a ballot is one number.
 */
class Core implements Paxos {
  readonly #o: PaxosOptions;
  readonly #peers = new Map<ReplicaId, Peer>();
  readonly #random: Random;
  #effects: Effect[] = [];

  // ---- acceptor (durable) ----
  readonly #log: AcceptedLog;
  #promised: Ballot;
  /** The promise that is known to be on disk. */
  #durablePromise: Ballot;
  // ---- acceptor (soft) ----
  /** Our log agrees with the log of the leader of `#promised` through here. */
  #matched: Slot;
  /** The same, as far as it is on disk: all that we may tell the leader. */
  #durableThrough: Slot;
  /** Nobody else is promised anything until then ... */
  #faithUntil: MonotonicMs;
  /** ... unless the leader of this ballot consents. Undefined: a leader we forgot in a restart. */
  #faithIn: Ballot | undefined;

  // ---- learner ----
  #chosenThrough: Slot;
  #appliedThrough: Slot;
  #announcedThrough: Slot;
  #hintedThrough: Slot;
  #askedCatchUpAt: MonotonicMs | undefined;

  // ---- election ----
  #role: Leadership['role'] = 'follower';
  #leader: ReplicaId | undefined;
  #leaderHeardAt: MonotonicMs;
  #round = 0;
  #roundAt: MonotonicMs;
  #campaign: Campaign | undefined;
  #patienceUntil: MonotonicMs;
  #highestSeen: Ballot;

  // ---- leader ----
  #rounds: Rounds;
  #ledSince: MonotonicMs | undefined;
  #noopSlot: Slot = NO_SLOT;
  #serving = false;
  #queue: Queued[] = [];
  #queueBytes = 0;
  #inFlightBytes = 0;
  readonly #ours = new Map<Slot, ProposalId>();
  #heir: { readonly to: ReplicaId; readonly since: MonotonicMs } | undefined;
  #waitingToApply: ReadId[] = [];

  // ---- persistence ----
  #nextPersist: PersistId = 1;
  readonly #onDurable = new Map<
    PersistId,
    { readonly promise: Ballot; readonly through: Slot; readonly ballot: Ballot | undefined }
  >();

  constructor(options: PaxosOptions, recovered: Recovered, now: MonotonicMs) {
    this.#o = options;
    this.#random = seededRandom(options.seed);
    for (const id of options.configuration.replicas)
      if (id !== options.self) this.#peers.set(id, newPeer(id, now));
    const found = replay(recovered.records, recovered.snapshotThrough, BALLOT_ZERO, maxBallot);
    this.#log = found.log;
    this.#promised = this.#durablePromise = this.#highestSeen = found.promised;
    this.#chosenThrough = this.#matched = this.#durableThrough = this.#hintedThrough = found.chosenThrough;
    this.#appliedThrough = this.#announcedThrough = recovered.snapshotThrough;
    // PaxosLease: an acceptor that forgot whom it granted a lease to keeps silent for the longest one.
    this.#faithUntil = monotonicMs(found.anything ? now + options.leaseMs : now);
    this.#leaderHeardAt = now;
    this.#roundAt = monotonicMs(now - options.heartbeatIntervalMs);
    this.#patienceUntil = now;
    this.#rounds = this.#newRounds();
  }

  step(input: Input, now: MonotonicMs): readonly Effect[] {
    this.#effects = [];
    // What the disk said is chosen; a machine that jumps to a snapshot first must not be told of slots before it.
    if (input.kind !== 'snapshotInstalled') this.#announceChosen();
    switch (input.kind) {
      case 'message':
        this.#receive(input.from, input.message, now);
        break;
      case 'tick':
        this.#tick(now);
        break;
      case 'propose':
        this.#propose(input.proposals, now);
        break;
      case 'persisted':
        this.#persisted(input.id, now);
        break;
      case 'applied':
        this.#applied(input.through);
        break;
      case 'read':
        this.#read(input.id, now);
        break;
      case 'transfer':
        this.#beginTransfer(input.to, now);
        break;
      case 'snapshotTaken':
        this.#trim(input.through);
        break;
      case 'snapshotInstalled':
        this.#installed(input.through);
        break;
      default:
        assertNever(input);
    }
    return this.#effects;
  }

  leaseHolds(now: MonotonicMs): boolean {
    return this.#serving && this.#rounds.leaseUntil !== undefined && now < this.#rounds.leaseUntil;
  }

  // ---- dispatch: every message and who handles it; a sender outside the configuration or of an older one is ignored ----

  #receive(from: ReplicaId, message: Message, now: MonotonicMs): void {
    const peer = this.#peers.get(from);
    if (peer === undefined || message.configuration !== this.#o.configuration.number) return;
    if (peer.heardAt === undefined || now - peer.heardAt > this.#o.electionTimeoutMs) peer.steadySince = now;
    peer.heardAt = now;
    switch (message.kind) {
      case 'heartbeat':
        return this.#onHeartbeat(peer, message, now);
      case 'heartbeatReply':
        return this.#onHeartbeatReply(peer, message, now);
      case 'prepare':
        return this.#onPrepare(peer, message, now);
      case 'promise':
        return this.#onPromise(peer, message, now);
      case 'accept':
        return this.#onAccept(peer, message, now);
      case 'accepted':
        return this.#onAccepted(peer, message, now);
      case 'rejected':
        return this.#onRejected(message, now);
      case 'catchUp':
        return this.#onCatchUp(peer, message);
      case 'chosenEntries':
        return this.#onChosenEntries(message);
      case 'takeOver':
        return this.#onTakeOver(peer, message, now);
      default:
        return assertNever(message);
    }
  }

  // ---- heartbeats and election (OmniPaxos: connectivity, contentment, ballots) ----

  #tick(now: MonotonicMs): void {
    if (now - this.#roundAt >= this.#o.heartbeatIntervalMs) this.#beginRound(now);
    switch (this.#role) {
      case 'leader':
        return this.#tickLeader(now);
      case 'candidate':
        return this.#tickCandidate(now);
      case 'follower':
        return this.#tickFollower(now);
      default:
        return assertNever(this.#role);
    }
  }

  #beginRound(now: MonotonicMs): void {
    this.#round++;
    this.#roundAt = now;
    if (this.#role === 'leader') this.#readsConfirmed(this.#rounds.begin(this.#round, now));
    const leads = this.#role === 'leader' && this.#hearsQuorum(now);
    const ballot = this.#role === 'leader' ? this.#promised : this.#durablePromise;
    this.#broadcast({
      kind: 'heartbeat',
      round: this.#round,
      ballot,
      leads,
      chosenThrough: this.#chosenThrough,
    });
  }

  #onHeartbeat(peer: Peer, message: MessageOf<'heartbeat'>, now: MonotonicMs): void {
    peer.chosenThrough = slot(Math.max(peer.chosenThrough, message.chosenThrough));
    this.#highestSeen = maxBallot(this.#highestSeen, message.ballot);
    if (
      message.ballot.replica === peer.id &&
      compareBallots(message.ballot, this.#promised) >= 0 &&
      message.leads
    ) {
      this.#follow(peer, message, now);
    } else {
      this.#replyHeartbeat(peer, message.round, false, now, this.#durablePromise);
    }
    this.#maybeCatchUp(peer, now);
  }

  /** A leader speaks: keep faith with it for a lease, and let its ballot be ours before we say so. */
  #follow(leader: Peer, message: MessageOf<'heartbeat'>, now: MonotonicMs): void {
    const { ballot, round } = message;
    if (!ballotsEqual(ballot, this.#promised)) {
      if (!this.#o.votes) this.#promised = this.#durablePromise = ballot;
      else this.#promise(ballot, []);
      this.#forgetMatched();
    }
    if (this.#role !== 'follower') this.#becomeFollower(now, 'outcome-unknown');
    this.#leaderHeardAt = now;
    this.#setLeader(leader.id);
    this.#learn(slot(Math.min(message.chosenThrough, this.#matched)));
    if (!ballotsEqual(this.#durablePromise, ballot)) return;
    this.#faithUntil = monotonicMs(now + this.#o.leaseMs);
    this.#faithIn = ballot;
    this.#replyHeartbeat(leader, round, true, now, ballot);
  }

  #replyHeartbeat(to: Peer, round: number, follows: boolean, now: MonotonicMs, ballot: Ballot): void {
    this.#send(to.id, {
      kind: 'heartbeatReply',
      round,
      ballot,
      follows: follows && this.#o.votes,
      content: this.#isContent(now),
      votes: this.#o.votes,
      electable: this.#isElectable(now),
      priority: this.#o.priority,
      matched: this.#position(),
      chosenThrough: this.#chosenThrough,
    });
  }

  #onHeartbeatReply(peer: Peer, message: MessageOf<'heartbeatReply'>, now: MonotonicMs): void {
    peer.answeredAt = now;
    peer.content = message.content;
    peer.votes = message.votes;
    peer.electable = message.electable;
    peer.priority = message.priority;
    peer.chosenThrough = slot(Math.max(peer.chosenThrough, message.chosenThrough));
    this.#highestSeen = maxBallot(this.#highestSeen, message.ballot);
    if (this.#role !== 'leader') return this.#maybeCatchUp(peer, now);
    if (compareBallots(message.ballot, this.#promised) > 0) return this.#deposed(now);
    if (!ballotsEqual(message.ballot, this.#promised)) return;
    if (message.follows) this.#readsConfirmed(this.#rounds.acknowledge(peer.id, message.round));
    // What it misses and nothing is on its way for: send again from where it stands.
    if (message.matched > peer.matched) this.#progressed(peer, message.matched, now);
    const stalled = now - peer.progressAt >= 2 * this.#o.heartbeatIntervalMs;
    if (stalled && message.matched < this.#log.lastSlot) this.#sendAnew(peer, message.matched, now);
  }

  #tickFollower(now: MonotonicMs): void {
    if (!this.#o.votes || now < this.#patienceUntil) return;
    const { electionTimeoutMs, heartbeatIntervalMs } = this.#o;
    if (this.#leader !== undefined && now - this.#leaderHeardAt >= electionTimeoutMs)
      this.#setLeader(undefined);
    // Those with a higher priority go first, each a moment apart, so that candidates seldom meet.
    const ahead = [...this.#peers.values()].filter(
      (peer) => this.#reaches(peer, now) && peer.electable && peer.priority > this.#o.priority,
    );
    const waitMs = electionTimeoutMs + (ahead.length * heartbeatIntervalMs) / 2;
    if (now - this.#leaderHeardAt < waitMs || now < this.#faithUntil) return;
    if (this.#mayTakeOver(now)) this.#startCampaign(now, undefined);
  }

  /** Take over only when an electing quorum is reached and nobody reached is content: no storms, live under partial partitions. */
  #mayTakeOver(now: MonotonicMs): boolean {
    for (const peer of this.#peers.values()) if (this.#reaches(peer, now) && peer.content) return false;
    return this.#isElectable(now);
  }

  /** Whether it reaches an electing quorum: only then can it lead, and only then is leadership offered to it. */
  #isElectable(now: MonotonicMs): boolean {
    if (!this.#o.votes) return false;
    const reached = new Set<ReplicaId>([this.#o.self]);
    for (const peer of this.#peers.values()) if (this.#reaches(peer, now) && peer.votes) reached.add(peer.id);
    return this.#o.configuration.quorums.isPrepareQuorum(reached);
  }

  /** Heard both ways: it answered a heartbeat of ours lately. What it said in an older answer counts for nothing. */
  #reaches(peer: Peer, now: MonotonicMs): boolean {
    return peer.answeredAt !== undefined && now - peer.answeredAt < 3 * this.#o.heartbeatIntervalMs;
  }

  #hears(peer: Peer, now: MonotonicMs): boolean {
    return peer.heardAt !== undefined && now - peer.heardAt < 3 * this.#o.heartbeatIntervalMs;
  }

  /** While leading: an accept quorum has answered a round lately (or it has just begun to lead). */
  #hearsQuorum(now: MonotonicMs): boolean {
    const since = this.#rounds.confirmedAt ?? this.#ledSince ?? now;
    return now - since < this.#o.electionTimeoutMs;
  }

  #isContent(now: MonotonicMs): boolean {
    if (this.#role === 'leader') return this.#hearsQuorum(now);
    return this.#leader !== undefined && now - this.#leaderHeardAt < this.#o.electionTimeoutMs;
  }

  // ---- campaign: phase 1 ----

  #startCampaign(now: MonotonicMs, consent: Ballot | undefined): void {
    const { self, priority } = this.#o;
    const round = Math.max(this.#promised.round, this.#highestSeen.round) + 1;
    const ballot: Ballot = { round, priority, replica: self };
    const fromSlot = nextSlot(this.#chosenThrough);
    this.#campaign = {
      ballot,
      consent,
      fromSlot,
      startedAt: now,
      askedAt: now,
      promised: new Set(),
      asking: new Map([...this.#peers.keys()].map((id) => [id, fromSlot])),
      values: new Map(),
      chosenThrough: this.#chosenThrough,
    };
    this.#role = 'candidate';
    this.#leader = undefined;
    this.#highestSeen = ballot;
    this.#promise(ballot, []);
    this.#announceLeadership();
    this.#askPromises(now);
  }

  #askPromises(now: MonotonicMs): void {
    const { ballot, asking, consent } = this.#campaign!;
    for (const [id, fromSlot] of asking) this.#send(id, { kind: 'prepare', ballot, fromSlot, consent });
    this.#campaign!.askedAt = now;
  }

  #tickCandidate(now: MonotonicMs): void {
    const campaign = this.#campaign!;
    if (now - campaign.startedAt >= this.#o.electionTimeoutMs) {
      this.#becomeFollower(now, 'not-leader');
      return this.#beCalm(now);
    }
    if (now - campaign.askedAt >= this.#o.heartbeatIntervalMs) this.#askPromises(now);
  }

  /** After a campaign that failed: a pause of random length, so that two who met do not meet again. */
  #beCalm(now: MonotonicMs): void {
    this.#patienceUntil = monotonicMs(now + this.#random.next() * 2 * this.#o.heartbeatIntervalMs);
  }

  #onPrepare(peer: Peer, message: MessageOf<'prepare'>, now: MonotonicMs): void {
    const { ballot, fromSlot, consent } = message;
    this.#highestSeen = maxBallot(this.#highestSeen, ballot);
    if (!this.#o.votes) return;
    if (compareBallots(ballot, this.#promised) < 0)
      return this.#send(peer.id, { kind: 'rejected', ballot: this.#promised });
    if (ballotsEqual(ballot, this.#promised)) {
      // Said before: again, or its next chunk. Only what is on disk may be said.
      if (ballotsEqual(ballot, this.#durablePromise))
        this.#send(peer.id, this.#promiseChunk(ballot, fromSlot));
      return;
    }
    const released =
      consent !== undefined && this.#faithIn !== undefined && ballotsEqual(consent, this.#faithIn);
    if (!released && (now < this.#faithUntil || this.#leaseStands(now))) return;
    if (this.#role !== 'follower') this.#becomeFollower(now, 'outcome-unknown');
    this.#setLeader(undefined);
    // Give the candidate the time of an election before becoming one.
    this.#leaderHeardAt = now;
    this.#promise(ballot, [{ to: peer.id, message: this.#message(this.#promiseChunk(ballot, fromSlot)) }]);
    this.#forgetMatched();
  }

  #leaseStands(now: MonotonicMs): boolean {
    return this.#role === 'leader' && this.#rounds.leaseUntil !== undefined && now < this.#rounds.leaseUntil;
  }

  /** Raises the promise, durably, and then sends what says so. */
  #promise(ballot: Ballot, then: readonly Send[]): void {
    assert(
      compareBallots(ballot, this.#promised) > 0,
      `a promise grows: ${formatBallot(ballot)} > ${formatBallot(this.#promised)}`,
    );
    this.#promised = ballot;
    this.#persist([{ kind: 'promised', ballot }], then);
  }

  #promiseChunk(ballot: Ballot, fromSlot: Slot): MessageBody {
    const firstSlot = slot(Math.max(fromSlot, this.#log.firstSlot));
    const accepted = this.#log.slice(firstSlot, this.#log.lastSlot, this.#o.chunkBytesMax);
    const last = firstSlot + accepted.length > this.#log.lastSlot;
    return {
      kind: 'promise',
      ballot,
      firstSlot,
      accepted,
      last,
      chosenThrough: this.#chosenThrough,
      logStart: this.#log.firstSlot,
    };
  }

  #onPromise(peer: Peer, message: MessageOf<'promise'>, now: MonotonicMs): void {
    const campaign = this.#campaign;
    if (campaign === undefined || !ballotsEqual(message.ballot, campaign.ballot)) return;
    const expected = campaign.asking.get(peer.id);
    if (expected === undefined) return;
    if (message.logStart > expected && message.chosenThrough >= expected) {
      // It has chosen and trimmed what we never saw: only a snapshot helps, and somebody else must lead until then.
      this.#becomeFollower(now, 'not-leader');
      this.#askCatchUp(peer, now);
      return;
    }
    if (message.firstSlot !== expected) return;
    campaign.chosenThrough = slot(Math.max(campaign.chosenThrough, message.chosenThrough));
    message.accepted.forEach((accepted, i) =>
      this.#consider(campaign, slot(message.firstSlot + i), accepted, message.chosenThrough),
    );
    if (!message.last) {
      const next = slot(message.firstSlot + message.accepted.length);
      campaign.asking.set(peer.id, next);
      return this.#send(peer.id, {
        kind: 'prepare',
        ballot: campaign.ballot,
        fromSlot: next,
        consent: campaign.consent,
      });
    }
    campaign.asking.delete(peer.id);
    campaign.promised.add(peer.id);
    peer.matched = NO_SLOT;
    peer.next = slot(
      Math.max(campaign.fromSlot, Math.min(message.chosenThrough + 1, this.#log.lastSlot + 1)),
    );
    this.#maybeWin(now);
  }

  /** Paxos Made Simple, 2.2: the value of the highest ballot wins. A value that is known to be chosen beats any. */
  #consider(campaign: Campaign, position: Slot, accepted: AcceptedEntry, chosenThrough: Slot): void {
    if (position < campaign.fromSlot) return;
    const present = campaign.values.get(position);
    const chosen = position <= chosenThrough;
    const ballot = chosen ? { ...accepted.ballot, round: Number.MAX_SAFE_INTEGER } : accepted.ballot;
    if (present === undefined || compareBallots(ballot, present.ballot) > 0)
      campaign.values.set(position, { ballot, entry: accepted.entry });
  }

  #maybeWin(now: MonotonicMs): void {
    const campaign = this.#campaign;
    if (campaign === undefined || !this.#o.configuration.quorums.isPrepareQuorum(campaign.promised)) return;
    this.#campaign = undefined;
    this.#becomeLeader(campaign, now);
  }

  // ---- leader: phase 2 ----

  #becomeLeader(campaign: Campaign, now: MonotonicMs): void {
    assert(ballotsEqual(campaign.ballot, this.#promised), 'a leader leads with what it promised');
    // What was learned while campaigning is not open any more.
    const fromSlot = slot(Math.max(campaign.fromSlot, this.#chosenThrough + 1));
    for (let position = fromSlot; position <= this.#log.lastSlot; position = nextSlot(position)) {
      this.#consider(campaign, position, this.#log.at(position)!, this.#chosenThrough);
    }
    this.#role = 'leader';
    this.#ledSince = now;
    this.#setLeader(this.#o.self, false);
    this.#rounds = this.#newRounds();
    this.#serving = false;
    this.#inFlightBytes = 0;
    this.#ours.clear();
    this.#forgetMatched();
    const last = Math.max(...campaign.values.keys(), fromSlot - 1);
    const entries: Entry[] = [];
    // One value a slot over the whole open suffix; a slot nobody knows a value of gets a no-op.
    for (let position = fromSlot; position <= last; position = nextSlot(position)) {
      entries.push(campaign.values.get(position)?.entry ?? { kind: 'noop' });
    }
    // Write before read: only when its own no-op is chosen and applied does a leader know that it has seen everything.
    entries.push({ kind: 'noop' });
    this.#noopSlot = slot(fromSlot + entries.length - 1);
    for (const peer of this.#peers.values()) {
      peer.inFlightBytes = 0;
      peer.progressAt = now;
      peer.matched = NO_SLOT;
      if (!campaign.promised.has(peer.id)) peer.next = fromSlot;
    }
    this.#accept(fromSlot, entries);
    this.#learn(campaign.chosenThrough);
    for (const peer of this.#peers.values()) this.#stream(peer, now);
    this.#announceLeadership();
    this.#beginRound(now);
  }

  #propose(
    proposals: readonly { readonly id: ProposalId; readonly payload: Uint8Array }[],
    now: MonotonicMs,
  ): void {
    if (this.#role !== 'leader' || this.#heir !== undefined) {
      return this.#fail(
        proposals.map(({ id }) => id),
        'not-leader',
      );
    }
    const refused: ProposalId[] = [];
    for (const { id, payload } of proposals) {
      const full =
        this.#queue.length >= this.#o.queuedEntriesMax ||
        this.#queueBytes + payload.length > this.#o.queuedBytesMax;
      if (full) {
        refused.push(id);
        continue;
      }
      const entry: Entry = { kind: 'command', payload };
      this.#queue.push({ id, entry });
      this.#queueBytes += entryBytes(entry);
    }
    if (refused.length > 0) this.#fail(refused, 'overloaded');
    this.#pump(now);
  }

  /** Gives queued proposals their slots, as far as the window has room: one persist and one Accept a peer for all of them. */
  #pump(now: MonotonicMs): void {
    const { windowEntriesMax, windowBytesMax } = this.#o;
    const firstSlot = nextSlot(this.#log.lastSlot);
    const entries: Entry[] = [];
    while (entries.length < this.#queue.length) {
      const { id, entry } = this.#queue[entries.length]!;
      const inFlight = this.#log.lastSlot - this.#chosenThrough + entries.length;
      if (inFlight > 0 && (inFlight >= windowEntriesMax || this.#inFlightBytes >= windowBytesMax)) break;
      this.#ours.set(slot(firstSlot + entries.length), id);
      this.#inFlightBytes += entryBytes(entry);
      this.#queueBytes -= entryBytes(entry);
      entries.push(entry);
    }
    if (entries.length === 0) return;
    this.#queue.splice(0, entries.length);
    this.#accept(firstSlot, entries);
    this.#broadcastAccept(firstSlot, entries, now);
  }

  /** As its own acceptor. Counted only when it is durable. */
  #accept(firstSlot: Slot, entries: readonly Entry[]): void {
    const ballot = this.#promised;
    entries.forEach((entry, i) => this.#log.put(slot(firstSlot + i), { ballot, entry }));
    this.#matched = slot(firstSlot + entries.length - 1);
    this.#persist([{ kind: 'accepted', ballot, firstSlot, entries }], [], this.#matched);
  }

  /** To all who stand right before it: the same message object, so that it is encoded once. */
  #broadcastAccept(firstSlot: Slot, entries: readonly Entry[], now: MonotonicMs): void {
    const bytes = sum(entries);
    if (bytes > this.#o.chunkBytesMax) {
      for (const peer of this.#peers.values()) this.#stream(peer, now);
      return;
    }
    const message = this.#message({
      kind: 'accept',
      ballot: this.#promised,
      firstSlot,
      entries,
      chosenThrough: this.#chosenThrough,
    });
    for (const peer of this.#peers.values()) {
      if (peer.next !== firstSlot || !this.#roomFor(peer)) {
        this.#stream(peer, now);
        continue;
      }
      peer.next = slot(firstSlot + entries.length);
      this.#underWay(peer, bytes, now);
      this.#effects.push({ kind: 'send', to: peer.id, message });
    }
  }

  #roomFor(peer: Peer): boolean {
    return peer.inFlightBytes < PEER_CHUNKS_IN_FLIGHT * this.#o.chunkBytesMax;
  }

  /** Progress is owed from the first bytes on: an idle peer does not count as stalled. */
  #underWay(peer: Peer, bytes: number, now: MonotonicMs): void {
    if (peer.inFlightBytes === 0) peer.progressAt = now;
    peer.inFlightBytes += bytes;
  }

  /** Sends a peer what it is due, in chunks, within what may be on its way. */
  #stream(peer: Peer, now: MonotonicMs): void {
    if (peer.next < this.#log.firstSlot) {
      this.#effects.push({ kind: 'snapshotNeeded', to: peer.id });
      return;
    }
    while (peer.next <= this.#log.lastSlot && this.#roomFor(peer)) {
      const chunk = this.#log.slice(peer.next, this.#log.lastSlot, this.#o.chunkBytesMax);
      const entries = chunk.map(({ entry }) => entry);
      this.#underWay(peer, sum(entries), now);
      this.#send(peer.id, {
        kind: 'accept',
        ballot: this.#promised,
        firstSlot: peer.next,
        entries,
        chosenThrough: this.#chosenThrough,
      });
      peer.next = slot(peer.next + entries.length);
    }
  }

  #sendAnew(peer: Peer, from: Slot, now: MonotonicMs): void {
    peer.next = nextSlot(from);
    peer.inFlightBytes = 0;
    peer.progressAt = peer.resentAt = now;
    this.#stream(peer, now);
  }

  #onAccept(peer: Peer, message: MessageOf<'accept'>, now: MonotonicMs): void {
    const { ballot, firstSlot, entries } = message;
    if (compareBallots(ballot, this.#promised) < 0)
      return this.#send(peer.id, { kind: 'rejected', ballot: this.#promised });
    this.#highestSeen = maxBallot(this.#highestSeen, ballot);
    if (this.#role !== 'follower') this.#becomeFollower(now, 'outcome-unknown');
    // Accepting raises the promise: the accepted record implies it, and where nothing is accepted it needs one of its own.
    const raises = !ballotsEqual(ballot, this.#promised);
    if (raises) {
      this.#promised = ballot;
      this.#forgetMatched();
    }
    this.#leaderHeardAt = now;
    this.#setLeader(peer.id);
    const promise: HardRecord[] = raises ? [{ kind: 'promised', ballot }] : [];
    if (firstSlot > nextSlot(this.#matched)) {
      // Values before it are missing: say from where. What we hold of older ballots there does not count.
      const gap = this.#accepted(peer, this.#position(), true);
      if (raises || !ballotsEqual(this.#durablePromise, ballot)) this.#persist(promise, [gap]);
      else this.#effects.push({ kind: 'send', ...gap });
      return;
    }
    // Of this ballot, or chosen: taken already.
    const skip = Math.max(0, this.#matched + 1 - firstSlot);
    const fresh = entries.slice(skip);
    const from = slot(firstSlot + skip);
    fresh.forEach((entry, i) => this.#log.put(slot(from + i), { ballot, entry }));
    this.#matched = slot(Math.max(this.#matched, firstSlot + entries.length - 1));
    const records: HardRecord[] =
      fresh.length > 0 ? [{ kind: 'accepted', ballot, firstSlot: from, entries: fresh }] : promise;
    this.#learn(slot(Math.min(message.chosenThrough, this.#matched)));
    this.#persist(records, [this.#accepted(peer, this.#matched, false)], this.#matched);
  }

  #accepted(to: Peer, through: Slot, gap: boolean): Send {
    const { votes } = this.#o;
    return {
      to: to.id,
      message: this.#message({ kind: 'accepted', ballot: this.#promised, through, gap, votes }),
    };
  }

  /** What the leader may count on: what is durable here of its ballot, and what is chosen anyway. */
  #position(): Slot {
    return slot(Math.max(this.#durableThrough, this.#chosenThrough));
  }

  /** Another ballot: what we hold beyond the chosen slots is not known to agree with it. */
  #forgetMatched(): void {
    this.#matched = this.#durableThrough = this.#chosenThrough;
  }

  #onAccepted(peer: Peer, message: MessageOf<'accepted'>, now: MonotonicMs): void {
    if (this.#role !== 'leader' || !ballotsEqual(message.ballot, this.#promised)) return;
    peer.votes = message.votes;
    if (message.gap) {
      // Many may answer one loss. Progress by other ways (catching up) must not keep it from being made good.
      if (peer.next > message.through + 1 && now - peer.resentAt >= this.#o.heartbeatIntervalMs / 2)
        this.#sendAnew(peer, message.through, now);
      return;
    }
    if (message.through > peer.matched) this.#progressed(peer, message.through, now);
  }

  #progressed(peer: Peer, through: Slot, now: MonotonicMs): void {
    peer.matched = through;
    peer.progressAt = now;
    peer.inFlightBytes = 0;
    if (peer.next <= through) peer.next = nextSlot(through);
    this.#maybeChoose(now);
    if (peer.next <= this.#log.lastSlot) this.#stream(peer, now);
  }

  #maybeChoose(now: MonotonicMs): void {
    const marks = new Map<ReplicaId, Slot>([[this.#o.self, this.#durableThrough]]);
    for (const peer of this.#peers.values()) if (peer.votes) marks.set(peer.id, peer.matched);
    const through = acceptedByQuorum(marks, this.#o.configuration.quorums);
    if (through <= this.#chosenThrough) return;
    this.#learn(through);
    this.#pump(now);
    if (this.#heir !== undefined) this.#continueTransfer(now);
  }

  #tickLeader(now: MonotonicMs): void {
    if (!this.#hearsQuorum(now)) return this.#deposed(now);
    if (this.#heir !== undefined) return this.#continueTransfer(now);
    this.#maybeGoHome(now);
    for (const peer of this.#peers.values()) {
      if (this.#hears(peer, now) && peer.next < this.#log.firstSlot) this.#stream(peer, now);
    }
  }

  #deposed(now: MonotonicMs): void {
    this.#becomeFollower(now, 'outcome-unknown');
    this.#leaderHeardAt = now;
  }

  #onRejected(message: MessageOf<'rejected'>, now: MonotonicMs): void {
    this.#highestSeen = maxBallot(this.#highestSeen, message.ballot);
    if (compareBallots(message.ballot, this.#promised) <= 0) return;
    if (this.#role === 'leader') return this.#deposed(now);
    if (this.#role === 'candidate') {
      this.#becomeFollower(now, 'not-leader');
      this.#beCalm(now);
    }
  }

  #becomeFollower(now: MonotonicMs, unanswered: ProposalFailure): void {
    const led = this.#role === 'leader';
    this.#role = 'follower';
    this.#campaign = undefined;
    this.#heir = undefined;
    this.#serving = false;
    this.#ledSince = undefined;
    this.#leader = undefined;
    const reads = [...this.#rounds.abandon(), ...this.#waitingToApply];
    this.#waitingToApply = [];
    if (led) {
      this.#failQueue();
      this.#fail([...this.#ours.values()], unanswered);
      this.#ours.clear();
    }
    if (reads.length > 0) this.#effects.push({ kind: 'readsFailed', ids: reads });
    this.#patienceUntil = now;
    this.#announceLeadership();
  }

  #failQueue(): void {
    this.#fail(
      this.#queue.map(({ id }) => id),
      'not-leader',
    );
    this.#queue = [];
    this.#queueBytes = 0;
    this.#inFlightBytes = 0;
  }

  // ---- orderly hand-over ----

  /** A healthy replica with a higher priority that has caught up gets the leadership back, and not before. */
  #maybeGoHome(now: MonotonicMs): void {
    const { electionTimeoutMs, priority } = this.#o;
    if (!this.#serving || now - this.#ledSince! < 2 * electionTimeoutMs) return;
    let home: Peer | undefined;
    for (const peer of this.#peers.values()) {
      const steady =
        this.#hears(peer, now) &&
        peer.steadySince !== undefined &&
        now - peer.steadySince >= 3 * electionTimeoutMs;
      const caughtUp = peer.electable && peer.matched >= this.#chosenThrough;
      if (steady && caughtUp && peer.priority > (home?.priority ?? priority)) home = peer;
    }
    if (home !== undefined) this.#beginTransfer(home.id, now);
  }

  #beginTransfer(to: ReplicaId, now: MonotonicMs): void {
    const heir = this.#peers.get(to);
    if (this.#role !== 'leader' || heir === undefined || !heir.votes || this.#heir !== undefined) return;
    this.#heir = { to, since: now };
    this.#failQueue();
    this.#inFlightBytes = 0;
    this.#continueTransfer(now);
  }

  /** Waits until everything proposed is chosen and with the heir; then the lease is given up, and only then the heir told. */
  #continueTransfer(now: MonotonicMs): void {
    const { to, since } = this.#heir!;
    const heir = this.#peers.get(to)!;
    if (now - since >= this.#o.electionTimeoutMs) {
      this.#heir = undefined;
      return;
    }
    if (this.#chosenThrough < this.#log.lastSlot || heir.matched < this.#log.lastSlot) return;
    const ballot = this.#promised;
    this.#rounds.giveUpLease();
    this.#becomeFollower(now, 'outcome-unknown');
    this.#faithIn = ballot;
    this.#leaderHeardAt = now;
    this.#send(to, { kind: 'takeOver', ballot });
  }

  #onTakeOver(peer: Peer, message: MessageOf<'takeOver'>, now: MonotonicMs): void {
    const { ballot } = message;
    if (
      !this.#o.votes ||
      this.#role !== 'follower' ||
      ballot.replica !== peer.id ||
      !ballotsEqual(ballot, this.#promised)
    )
      return;
    this.#startCampaign(now, ballot);
  }

  // ---- learner ----

  /** Everything through here is chosen, and our log holds it. */
  #learn(through: Slot): void {
    const known = Math.min(through, this.#log.lastSlot);
    if (known <= this.#chosenThrough) return;
    this.#chosenThrough = slot(known);
    this.#matched = slot(Math.max(this.#matched, known));
    this.#announceChosen();
  }

  #announceChosen(): void {
    if (this.#announcedThrough >= this.#chosenThrough) return;
    const firstSlot = nextSlot(this.#announcedThrough);
    const entries: Entry[] = [];
    const proposals: (ProposalId | undefined)[] = [];
    for (let position = firstSlot; position <= this.#chosenThrough; position = nextSlot(position)) {
      const { entry } = this.#log.at(position)!;
      const ours = this.#ours.get(position);
      if (ours !== undefined) {
        this.#ours.delete(position);
        this.#inFlightBytes -= entryBytes(entry);
      }
      entries.push(entry);
      proposals.push(ours);
    }
    this.#announcedThrough = this.#chosenThrough;
    this.#effects.push({ kind: 'chosen', firstSlot, entries, proposals });
  }

  #applied(through: Slot): void {
    this.#appliedThrough = slot(Math.max(this.#appliedThrough, through));
    if (this.#role === 'leader' && !this.#serving && this.#appliedThrough >= this.#noopSlot) {
      this.#serving = true;
      this.#announceLeadership();
    }
  }

  #maybeCatchUp(peer: Peer, now: MonotonicMs): void {
    // A leader streams to its followers by itself.
    if (this.#role === 'leader' || peer.chosenThrough <= this.#chosenThrough) return;
    const led = this.#leader !== undefined && now - this.#leaderHeardAt < this.#o.electionTimeoutMs;
    if (led && this.#matched >= peer.chosenThrough) return;
    if (this.#askedCatchUpAt !== undefined && now - this.#askedCatchUpAt < this.#o.heartbeatIntervalMs)
      return;
    this.#askCatchUp(peer, now);
  }

  #askCatchUp(peer: Peer, now: MonotonicMs): void {
    this.#askedCatchUpAt = now;
    this.#send(peer.id, { kind: 'catchUp', fromSlot: nextSlot(this.#chosenThrough) });
  }

  #onCatchUp(peer: Peer, { fromSlot }: MessageOf<'catchUp'>): void {
    if (fromSlot > this.#chosenThrough) return;
    if (fromSlot < this.#log.firstSlot) {
      this.#effects.push({ kind: 'snapshotNeeded', to: peer.id });
      return;
    }
    const entries = this.#log.slice(fromSlot, this.#chosenThrough, this.#o.chunkBytesMax);
    this.#send(peer.id, {
      kind: 'chosenEntries',
      firstSlot: fromSlot,
      entries,
      chosenThrough: this.#chosenThrough,
    });
  }

  #onChosenEntries({ firstSlot, entries, chosenThrough }: MessageOf<'chosenEntries'>): void {
    if (this.#role === 'leader' || firstSlot > this.#chosenThrough + 1) return;
    const skip = this.#chosenThrough + 1 - firstSlot;
    const fresh = entries.slice(skip);
    this.#checkAgreement(firstSlot, entries.slice(0, skip));
    if (fresh.length === 0) return;
    const from = nextSlot(this.#chosenThrough);
    fresh.forEach((accepted, i) => this.#log.put(slot(from + i), accepted));
    for (const run of runs(from, fresh)) this.#write([{ kind: 'accepted', ...run }]);
    const through = slot(Math.min(from + fresh.length - 1, chosenThrough));
    this.#matched = slot(Math.max(this.#matched, through));
    this.#learn(through);
  }

  /** What a peer calls chosen and what we do must be the same. */
  #checkAgreement(firstSlot: Slot, entries: readonly AcceptedEntry[]): void {
    entries.forEach(({ entry }, i) => {
      const own = this.#log.at(slot(firstSlot + i))?.entry;
      if (own === undefined || sameEntry(own, entry)) return;
      this.#effects.push({ kind: 'fatal', reason: `two values were chosen for slot ${firstSlot + i}` });
    });
  }

  #trim(through: Slot): void {
    const covered = Math.min(through, this.#announcedThrough);
    this.#log.trimBefore(slot(Math.max(1, covered + 1 - this.#o.retainedEntries)));
  }

  #installed(through: Slot): void {
    if (through <= this.#chosenThrough && through <= this.#announcedThrough) return;
    this.#chosenThrough = this.#hintedThrough = slot(Math.max(this.#chosenThrough, through));
    this.#announcedThrough = this.#appliedThrough = slot(Math.max(this.#announcedThrough, through));
    this.#matched = slot(Math.max(this.#matched, through));
    this.#log.trimBefore(nextSlot(through));
    this.#write([{ kind: 'snapshot', through }]);
    this.#announceChosen();
  }

  // ---- reads ----

  #read(id: ReadId, now: MonotonicMs): void {
    if (!this.#serving) {
      this.#effects.push({ kind: 'readsFailed', ids: [id] });
    } else if (this.leaseHolds(now)) {
      this.#effects.push({ kind: 'readReady', ids: [id] });
    } else {
      // A round that is sent now or later confirms that we still lead now. One round serves all reads of an instant.
      const sendNow = this.#roundAt !== now;
      this.#rounds.await(id, sendNow ? this.#round + 1 : this.#round);
      if (sendNow) this.#beginRound(now);
    }
  }

  #readsConfirmed(ids: readonly ReadId[]): void {
    if (ids.length > 0) this.#effects.push({ kind: 'readReady', ids });
  }

  // ---- persistence ----

  /** Records, and what they make true. A hint of what is chosen rides along. */
  #persist(records: readonly HardRecord[], then: readonly Send[], through: Slot = NO_SLOT): void {
    const id = this.#nextPersist++;
    const hint = this.#hint();
    this.#onDurable.set(id, {
      promise: this.#promised,
      through,
      ballot: through > 0 ? this.#promised : undefined,
    });
    this.#effects.push({
      kind: 'persist',
      id,
      records: hint === undefined ? records : [...records, hint],
      sync: true,
      then,
    });
  }

  /** Records that nothing depends on. */
  #write(records: readonly HardRecord[]): void {
    this.#effects.push({ kind: 'persist', id: this.#nextPersist++, records, sync: false, then: [] });
  }

  #hint(): HardRecord | undefined {
    if (this.#hintedThrough >= this.#chosenThrough) return undefined;
    this.#hintedThrough = this.#chosenThrough;
    return { kind: 'chosen', through: this.#chosenThrough };
  }

  #persisted(id: PersistId, now: MonotonicMs): void {
    for (const [done, { promise, through, ballot }] of this.#onDurable) {
      if (done > id) break;
      this.#onDurable.delete(done);
      this.#durablePromise = maxBallot(this.#durablePromise, promise);
      // An acceptance of an earlier ballot says nothing about this one.
      if (ballot !== undefined && ballotsEqual(ballot, this.#promised)) {
        this.#durableThrough = slot(Math.max(this.#durableThrough, through));
      }
    }
    const campaign = this.#campaign;
    if (campaign !== undefined && ballotsEqual(this.#durablePromise, campaign.ballot)) {
      campaign.promised.add(this.#o.self);
      this.#maybeWin(now);
    }
    if (this.#role === 'leader') this.#maybeChoose(now);
  }

  hardState(): readonly HardRecord[] {
    const records: HardRecord[] = [{ kind: 'promised', ballot: this.#promised }];
    records.push(...this.#log.records(this.#log.firstSlot, this.#o.chunkBytesMax));
    records.push({ kind: 'chosen', through: this.#chosenThrough });
    return records;
  }

  // ---- small things ----

  #newRounds(): Rounds {
    const { self, configuration, leaseMs, clockDriftRatio } = this.#o;
    return new Rounds(self, configuration.quorums, leaseMs, clockDriftRatio);
  }

  #setLeader(leader: ReplicaId | undefined, announce = true): void {
    if (this.#leader === leader) return;
    this.#leader = leader;
    if (announce) this.#announceLeadership();
  }

  #leadership(): Leadership {
    return { role: this.#role, serving: this.#serving, leader: this.#leader, ballot: this.#promised };
  }
  #announceLeadership(): void {
    this.#effects.push({ kind: 'leadership', leadership: this.#leadership() });
  }

  #fail(ids: readonly ProposalId[], reason: ProposalFailure): void {
    if (ids.length > 0) this.#effects.push({ kind: 'proposalsFailed', ids, reason });
  }

  #message(body: MessageBody): Message {
    return { configuration: this.#o.configuration.number, ...body };
  }
  #send(to: ReplicaId, body: MessageBody): void {
    this.#effects.push({ kind: 'send', to, message: this.#message(body) });
  }
  #broadcast(body: MessageBody): void {
    const message = this.#message(body);
    for (const to of this.#peers.keys()) this.#effects.push({ kind: 'send', to, message });
  }

  status(now: MonotonicMs): PaxosStatus {
    return {
      self: this.#o.self,
      leadership: this.#leadership(),
      promised: this.#promised,
      firstSlot: this.#log.firstSlot,
      lastSlot: this.#log.lastSlot,
      chosenThrough: this.#chosenThrough,
      appliedThrough: this.#appliedThrough,
      queued: this.#queue.length,
      inFlight: this.#ours.size,
      leaseUntil: this.#rounds.leaseUntil,
      peers: [...this.#peers.values()].map(({ id, matched, heardAt }) => ({
        id,
        matched,
        heardMsAgo: heardAt === undefined ? undefined : now - heardAt,
      })),
    };
  }
}

function sum(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

function* runs(
  from: Slot,
  entries: readonly AcceptedEntry[],
): Iterable<{ ballot: Ballot; firstSlot: Slot; entries: Entry[] }> {
  let start = 0;
  for (let end = 1; end <= entries.length; end++) {
    const { ballot } = entries[start]!;
    if (end < entries.length && ballotsEqual(entries[end]!.ballot, ballot)) continue;
    yield {
      ballot,
      firstSlot: slot(from + start),
      entries: entries.slice(start, end).map(({ entry }) => entry),
    };
    start = end;
  }
}

function sameEntry(a: Entry, b: Entry): boolean {
  if (a.kind === 'noop' || b.kind === 'noop') return a.kind === b.kind;
  return Buffer.compare(a.payload, b.payload) === 0;
}
