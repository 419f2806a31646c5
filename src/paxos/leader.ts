/** The leader: phase 2, from the open suffix that it takes over to the proposals that it orders. */

import {
  assert,
  type MonotonicMs,
  nextSlot,
  NO_SLOT,
  type ReplicaId,
  type Slot,
  slot,
} from '../kernel/index.js';
import { ballotsEqual } from './ballot.js';
import { type Configuration, successorProblem } from './configuration.js';
import { type Campaign, consider } from './campaign.js';
import { hears, hearsQuorum } from './connectivity.js';
import type { Entry } from './entry.js';
import { continueTransfer, giveWay, noteTakeOver, transferToPreferredLeader } from './handover.js';
import { learn } from './learner.js';
import { entriesBytes, entryBytes } from './log.js';
import type { Received } from './messages.js';
import { acceptedByQuorum, type Peer } from './progress.js';
import { beginRound } from './reads.js';
import type { Leader } from './role.js';
import { Rounds } from './rounds.js';
import type { State } from './state.js';
import { Silence } from './silence.js';
import { deposed } from './step-down.js';
import { broadcastAccept, sendAgain, stream } from './stream.js';
import type { ProposalId } from './types.js';

/** Takes over the open suffix in its own ballot, a no-op behind it, and tells everyone. */
export function becomeLeader(s: State, campaign: Campaign, now: MonotonicMs): void {
  assert(ballotsEqual(campaign.ballot, s.hard.promised), 'a leader leads with what it promised');
  // What was learned while campaigning is not open any more.
  const fromSlot = slot(Math.max(campaign.fromSlot, s.chosenThrough + 1));
  for (let position = fromSlot; position <= s.hard.log.lastSlot; position = nextSlot(position)) {
    consider(campaign, position, s.hard.log.get(position), s.chosenThrough);
  }
  const entries = openSuffix(campaign, fromSlot);
  // Write before read: only when its own no-op is chosen and applied does a leader know that it has seen everything.
  // Behind a seal nothing is proposed: once it is chosen, the next configuration has its leader and its no-op.
  if (entries.at(-1)?.kind !== 'seal') entries.push({ kind: 'noop' });
  noteTakeOver(s, campaign, now);
  const role = newLeader(s, slot(fromSlot + entries.length - 1), now);
  s.role = role;
  s.carried = [];
  s.forgetMatched();
  for (const peer of s.peers.values()) {
    peer.inFlightBytes = 0;
    peer.progressAt = now;
    peer.resends = 0;
    peer.matched = NO_SLOT;
    if (!campaign.promised.has(peer.id)) peer.next = fromSlot;
  }
  acceptOwn(s, fromSlot, entries);
  learn(s, campaign.chosenThrough);
  for (const peer of s.peers.values()) stream(s, peer, now);
  s.announceLeadership();
  beginRound(s, now);
  pump(s, role, now);
}

function newLeader(s: State, noopSlot: Slot, now: MonotonicMs): Leader {
  const { self, leaseMs, clockDriftRatio } = s.options;
  return {
    kind: 'leader',
    since: now,
    rounds: new Rounds(self, s.configuration.quorums, leaseMs, clockDriftRatio),
    noopSlot,
    roundWanted: false,
    quorumSilence: new Silence(s.options.electionTimeoutMs, now),
    serving: false,
    queue: [...s.carried],
    queueBytes: entriesBytes(s.carried.map(({ entry }) => entry)),
    inFlightBytes: 0,
    ours: new Map(),
    load: { since: now, count: 0, perSecond: 0 },
    transferee: undefined,
  };
}

/**
 * One value a slot over the whole open suffix; a slot nobody knows a value of gets a no-op. It ends with a seal: who
 * proposed that one knew that nothing behind it can be chosen.
 */
function openSuffix(campaign: Campaign, fromSlot: Slot): Entry[] {
  let last = fromSlot - 1;
  for (const position of campaign.values.keys()) last = Math.max(last, position);
  const entries: Entry[] = [];
  for (let position = fromSlot; position <= last; position = nextSlot(position)) {
    const entry = campaign.values.get(position)?.entry ?? { kind: 'noop' };
    entries.push(entry);
    if (entry.kind === 'seal') break;
  }
  return entries;
}

/** Queues what there is room for, and refuses the rest at once. */
export function propose(
  s: State,
  proposals: readonly { readonly id: ProposalId; readonly payload: Uint8Array }[],
  now: MonotonicMs,
): void {
  const leader = s.role;
  if (leader.kind !== 'leader' || leader.transferee !== undefined) {
    return s.failProposals(
      proposals.map(({ id }) => id),
      'not-leader',
    );
  }
  leader.load.count += proposals.length;
  const refused: ProposalId[] = [];
  for (const { id, payload } of proposals) {
    const full =
      leader.queue.length >= s.options.queuedEntriesMax ||
      leader.queueBytes + payload.length > s.options.queuedBytesMax;
    if (full) {
      refused.push(id);
      continue;
    }
    const entry: Entry = { kind: 'command', payload };
    leader.queue.push({ id, entry });
    leader.queueBytes += entryBytes(entry);
  }
  if (refused.length > 0) s.failProposals(refused, 'overloaded');
  pump(s, leader, now);
}

/** Ends the configuration: queues the seal behind what was proposed before it. */
export function reconfigure(s: State, id: ProposalId, next: Configuration, now: MonotonicMs): void {
  const leader = s.role;
  if (leader.kind !== 'leader' || !leader.serving || leader.transferee !== undefined)
    return s.failProposals([id], 'not-leader');
  const sealing = s.hard.log.seal !== undefined || leader.queue.some(({ entry }) => entry.kind === 'seal');
  if (sealing || successorProblem(s.configuration.number, next) !== undefined)
    return s.failProposals([id], 'not-next');
  const entry: Entry = { kind: 'seal', next };
  leader.queue.push({ id, entry });
  leader.queueBytes += entryBytes(entry);
  pump(s, leader, now);
}

/**
 * Gives queued proposals their slots, as far as the window has room: one persist and one Accept a peer for all of them.
 * Those behind a seal wait for the next configuration.
 */
function pump(s: State, leader: Leader, now: MonotonicMs): void {
  if (s.hard.log.seal !== undefined) return;
  const { windowEntriesMax, windowBytesMax } = s.options;
  const firstSlot = nextSlot(s.hard.log.lastSlot);
  const entries: Entry[] = [];
  for (const { id, entry } of leader.queue) {
    const inFlight = s.hard.log.lastSlot - s.chosenThrough + entries.length;
    if (inFlight > 0 && (inFlight >= windowEntriesMax || leader.inFlightBytes >= windowBytesMax)) break;
    leader.ours.set(slot(firstSlot + entries.length), id);
    leader.inFlightBytes += entryBytes(entry);
    leader.queueBytes -= entryBytes(entry);
    entries.push(entry);
    if (entry.kind === 'seal') break;
  }
  if (entries.length === 0) return;
  leader.queue.splice(0, entries.length);
  acceptOwn(s, firstSlot, entries);
  broadcastAccept(s, firstSlot, entries, now);
}

/** As its own acceptor. Counted only when it is durable. */
function acceptOwn(s: State, firstSlot: Slot, entries: readonly Entry[]): void {
  const ballot = s.hard.promised;
  entries.forEach((entry, i) => s.hard.log.put(slot(firstSlot + i), { ballot, entry }));
  s.matched = slot(firstSlot + entries.length - 1);
  s.persist([{ kind: 'accepted', ballot, firstSlot, entries }], [], s.matched);
}

/** Phase 2b arrives. A gap is made good by sending again from where it begins. */
export function onAccepted(s: State, { peer, message, now }: Received<'accepted'>, leader: Leader): void {
  if (!ballotsEqual(message.ballot, s.hard.promised)) return;
  peer.votes = message.votes;
  if (message.gap) {
    // Many may answer one loss. Progress by other ways (catching up) must not keep it from being made good.
    if (peer.next > message.through + 1 && now - peer.resentAt >= s.options.heartbeatIntervalMs / 2)
      sendAgain(s, peer, message.through, now);
    return;
  }
  if (message.through > peer.matched) progressed(s, leader, peer, message.through, now);
}

/** A peer's mark has grown: more may be chosen, and more may be sent. */
export function progressed(s: State, leader: Leader, peer: Peer, through: Slot, now: MonotonicMs): void {
  peer.matched = through;
  peer.progressAt = now;
  peer.resends = 0;
  peer.inFlightBytes = 0;
  if (peer.next <= through) peer.next = nextSlot(through);
  maybeChoose(s, leader, now);
  if (peer.next <= s.hard.log.lastSlot) stream(s, peer, now);
}

/** Chosen is what an accept quorum of ids holds durably of our ballot; ourselves by what our disk says. */
export function maybeChoose(s: State, leader: Leader, now: MonotonicMs): void {
  const marks = new Map<ReplicaId, Slot>([[s.options.self, s.durableThrough]]);
  for (const peer of s.peers.values()) if (peer.votes) marks.set(peer.id, peer.matched);
  const through = acceptedByQuorum(marks, s.configuration.quorums, s.chosenThrough);
  if (through <= s.chosenThrough) return;
  learn(s, through);
  pump(s, leader, now);
  if (leader.transferee !== undefined) continueTransfer(s, leader, leader.transferee, now);
}

export function tickLeader(s: State, leader: Leader, now: MonotonicMs, keepLeadership: boolean): void {
  if (!hearsQuorum(leader, now)) return deposed(s, now, 'no-quorum');
  if (s.diskStallsFrom !== undefined) return giveWay(s, leader, s.diskStallsFrom, now);
  if (leader.transferee !== undefined) return continueTransfer(s, leader, leader.transferee, now);
  if (!keepLeadership) transferToPreferredLeader(s, leader, now);
  for (const peer of s.peers.values()) {
    if (hears(s, peer, now) && peer.next < s.hard.log.firstSlot) stream(s, peer, now);
  }
}

/** Serving begins when the machine has applied the leader's own no-op. */
export function applied(s: State, through: Slot): void {
  s.appliedThrough = slot(Math.max(s.appliedThrough, through));
  const { role } = s;
  if (role.kind === 'leader' && !role.serving && s.appliedThrough >= role.noopSlot) {
    role.serving = true;
    s.announceLeadership();
  }
}
