/** Heartbeats as they arrive, and when a follower takes over (OmniPaxos: connectivity, contentment, ballots). */

import { type MonotonicMs, monotonicMs, NO_SLOT, type ReplicaId, slot } from '../kernel/index.js';
import { raisePromise } from './acceptor.js';
import { type Ballot, ballotsEqual, compareBallots, maxBallot } from './ballot.js';
import { mayTakeOver, startCampaign } from './candidate.js';
import { isContent, isElectable, reaches } from './connectivity.js';
import { progressed } from './leader.js';
import { learn, maybeCatchUp } from './learner.js';
import type { MessageOf, Received } from './messages.js';
import type { Peer } from './progress.js';
import { beginRound, roundAnswered } from './reads.js';
import type { Follower, Leader } from './role.js';
import type { State } from './state.js';
import { asFollower, deposed } from './step-down.js';
import { sendAgain } from './stream.js';

/**
 * Election timeouts that the first campaign after a start leaves to peers of a higher priority. Processes that start together
 * are slow, and what leads wrongly then stays so until it is quiet for long.
 */
const FIRST_CAMPAIGN_WAITS = 2;

/** Campaigns when the leader is dead or silent, half an interval later per electable peer of a higher priority. */
export function tickFollower(s: State, follower: Follower, now: MonotonicMs): void {
  if (now < follower.backOffUntil) return;
  const from = s.leaderlessFrom;
  if (now < from) return;
  // Also without a vote: it would send clients there for ever. Who is in no configuration hears no leader anyway, and forwards to
  // the last one that it knew.
  if (s.configuration.replicas.includes(s.options.self)) s.setLeader(follower, undefined);
  if (!s.votes) return;
  // Peers of a higher priority campaign first, half an interval apart, so that candidates rarely collide.
  const ahead = [...s.peers.values()].filter(
    (peer) => reaches(s, peer, now) && peer.electable && peer.priority > s.priority,
  );
  // Nobody may promise anything before the lease grants end.
  const mayFrom = Math.max(from, s.leaseGrantUntil);
  if (now < mayFrom + (ahead.length * s.options.heartbeatIntervalMs) / 2 + startsSlowly(s)) return;
  if (mayTakeOver(s, now)) startCampaign(s, now, undefined);
}

/** Milliseconds. Who was heard and did not die will campaign once it runs; its priority comes with its first answer. */
function startsSlowly(s: State): number {
  if (s.metLeader) return 0;
  for (const { steadySince, answeredAt, votes, priority } of s.peers.values())
    if (steadySince !== undefined && votes && (answeredAt === undefined || priority > s.priority))
      return FIRST_CAMPAIGN_WAITS * s.options.electionTimeoutMs;
  return 0;
}

/** This replica did not run for a while. What the others said meanwhile is still to be read. */
export function stalled(s: State, ms: number, now: MonotonicMs): void {
  s.leaderSilence.excuse(ms, now);
  if (s.role.kind === 'leader') s.role.quorumSilence.excuse(ms, now);
}

/** Safety does not rest on it: who granted the dead leader a lease keeps to that grant. */
export function peerDied(s: State, id: ReplicaId, now: MonotonicMs): void {
  const peer = s.peers.get(id);
  if (peer === undefined) return;
  peer.steadySince = peer.answeredAt = undefined;
  if (s.role.kind !== 'follower' || s.role.leader !== id) return;
  s.leaderDiedAt = now;
  s.setLeader(s.role, undefined);
  // Asks who else has noticed: nobody campaigns against a peer that is content.
  beginRound(s, now);
}

/** Asks at once how far the peer has come, instead of waiting until it is missed: its answer says what to send again. */
export function peerUp(s: State, id: ReplicaId, now: MonotonicMs): void {
  const peer = s.sender(id, now);
  if (peer === undefined) return;
  // It may have come back with another disk.
  peer.chosenThrough = NO_SLOT;
  if (s.catchUp?.from === id) s.catchUp = undefined;
  if (!s.peers.has(id)) return;
  if (s.role.kind !== 'leader') return;
  peer.resends = 0;
  peer.progressAt = undefined;
  beginRound(s, now);
}

/** A leader with our ballot or a higher one is followed; any other sender only gets an answer. */
export function onHeartbeat(s: State, { peer, message, now }: Received<'heartbeat'>): void {
  peer.chosenThrough = slot(Math.max(peer.chosenThrough, message.chosenThrough));
  s.highestSeen = maxBallot(s.highestSeen, message.ballot);
  if (
    message.ballot.replica === peer.id &&
    compareBallots(message.ballot, s.hard.promised) >= 0 &&
    message.leads
  ) {
    follow(s, peer, message, now);
  } else {
    replyHeartbeat(s, peer, message.round, false, now, s.durablePromise);
  }
  maybeCatchUp(s, peer, now);
}

/** A leader's heartbeat: adopt its ballot durably first, then grant it a lease and answer. */
function follow(s: State, leader: Peer, message: MessageOf<'heartbeat'>, now: MonotonicMs): void {
  const { ballot, round } = message;
  if (!ballotsEqual(ballot, s.hard.promised)) {
    if (!s.member) s.hard.promised = s.durablePromise = ballot;
    else raisePromise(s, ballot, []);
    s.forgetMatched();
  }
  const follower = asFollower(s, now);
  s.hearLeader(follower, leader.id, now);
  learn(s, slot(Math.min(message.chosenThrough, s.matched)));
  if (!ballotsEqual(s.durablePromise, ballot)) {
    // Of a disk that stalls the leader must know: it counts the votes that are left.
    if (s.diskStallsFrom !== undefined) replyHeartbeat(s, leader, round, false, now, s.durablePromise);
    return;
  }
  s.leaseGrantUntil = monotonicMs(now + s.options.leaseMs);
  s.leaseGrantBallot = ballot;
  replyHeartbeat(s, leader, round, true, now, ballot);
}

function replyHeartbeat(
  s: State,
  to: Peer,
  round: number,
  follows: boolean,
  now: MonotonicMs,
  ballot: Ballot,
): void {
  s.send(to.id, {
    kind: 'heartbeatReply',
    round,
    ballot,
    follows: follows && s.votes,
    content: isContent(s, now),
    votes: s.votes,
    electable: isElectable(s, now),
    priority: s.priority,
    matched: s.position(),
    chosenThrough: s.chosenThrough,
  });
}

/** A peer's report on itself. */
export function onHeartbeatReply(s: State, { peer, message, now }: Received<'heartbeatReply'>): void {
  noteReport(s, peer, message, now);
  maybeCatchUp(s, peer, now);
}

/** A leader also learns whether the peer follows it and how far its log agrees. */
export function onHeartbeatReplyWhileLeading(
  s: State,
  { peer, message, now }: Received<'heartbeatReply'>,
  leader: Leader,
): void {
  noteReport(s, peer, message, now);
  if (compareBallots(message.ballot, s.hard.promised) > 0) return deposed(s, now, 'higher-ballot');
  if (!ballotsEqual(message.ballot, s.hard.promised)) return;
  if (message.follows) roundAnswered(s, leader, leader.rounds.acknowledge(peer.id, message.round), now);
  if (message.matched > peer.matched) progressed(s, leader, peer, message.matched, now);
  // It lacks slots and made no progress for two intervals: send again from its position. Later and later, when that is no help.
  const afterMs = Math.min(
    2 ** (1 + peer.resends) * s.options.heartbeatIntervalMs,
    Math.max(2 * s.options.heartbeatIntervalMs, s.options.electionTimeoutMs),
  );
  const stalled = peer.progressAt === undefined || now - peer.progressAt >= afterMs;
  peer.progressAt ??= now;
  if (stalled && message.matched < s.hard.log.lastSlot) sendAgain(s, peer, message.matched, now);
}

function noteReport(s: State, peer: Peer, message: MessageOf<'heartbeatReply'>, now: MonotonicMs): void {
  peer.answeredAt = now;
  peer.content = message.content;
  peer.votes = message.votes;
  peer.electable = message.electable;
  peer.priority = message.priority;
  peer.chosenThrough = slot(Math.max(peer.chosenThrough, message.chosenThrough));
  s.highestSeen = maxBallot(s.highestSeen, message.ballot);
}

/** An old rejection: only the ballot counts, for the next campaign. */
export function onRejected(s: State, { message }: Received<'rejected'>): void {
  s.highestSeen = maxBallot(s.highestSeen, message.ballot);
}

/** The sender promised a higher ballot: ours cannot succeed there. */
export function onRejectedWhileLeading(s: State, { message, now }: Received<'rejected'>): void {
  s.highestSeen = maxBallot(s.highestSeen, message.ballot);
  if (compareBallots(message.ballot, s.hard.promised) > 0) deposed(s, now, 'higher-ballot');
}
