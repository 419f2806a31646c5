/** Heartbeats as they arrive, and when a follower takes over (OmniPaxos: connectivity, contentment, ballots). */

import { type MonotonicMs, monotonicMs, slot } from '../kernel/index.js';
import { raisePromise } from './acceptor.js';
import { type Ballot, ballotsEqual, compareBallots, maxBallot } from './ballot.js';
import { backOff, mayTakeOver, startCampaign } from './candidate.js';
import { isContent, isElectable, reaches } from './connectivity.js';
import { progressed } from './leader.js';
import { learn, maybeCatchUp } from './learner.js';
import type { MessageOf } from './messages.js';
import type { Peer } from './progress.js';
import { readsConfirmed } from './reads.js';
import { becomeFollower, deposed } from './role.js';
import type { State } from './state.js';
import { sendAnew } from './stream.js';

/** Campaigns after an election timeout without a leader, plus half an interval per electable peer of a higher priority. */
export function tickFollower(s: State, now: MonotonicMs): void {
  if (!s.options.votes || now < s.backOffUntil) return;
  const { electionTimeoutMs, heartbeatIntervalMs } = s.options;
  if (s.leader !== undefined && now - s.leaderHeardAt >= electionTimeoutMs) s.setLeader(undefined);
  // Peers of a higher priority campaign first, half an interval apart, so that candidates rarely collide.
  const ahead = [...s.peers.values()].filter(
    (peer) => reaches(s, peer, now) && peer.electable && peer.priority > s.options.priority,
  );
  const waitMs = electionTimeoutMs + (ahead.length * heartbeatIntervalMs) / 2;
  if (now - s.leaderHeardAt < waitMs || now < s.leaseGrantUntil) return;
  if (mayTakeOver(s, now)) startCampaign(s, now, undefined);
}

/** A leader with our ballot or a higher one is followed; any other sender only gets an answer. */
export function onHeartbeat(s: State, peer: Peer, message: MessageOf<'heartbeat'>, now: MonotonicMs): void {
  peer.chosenThrough = slot(Math.max(peer.chosenThrough, message.chosenThrough));
  s.highestSeen = maxBallot(s.highestSeen, message.ballot);
  if (
    message.ballot.replica === peer.id &&
    compareBallots(message.ballot, s.promised) >= 0 &&
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
  if (!ballotsEqual(ballot, s.promised)) {
    if (!s.options.votes) s.promised = s.durablePromise = ballot;
    else raisePromise(s, ballot, []);
    s.forgetMatched();
  }
  if (s.role !== 'follower') becomeFollower(s, now, 'outcome-unknown');
  s.leaderHeardAt = now;
  s.setLeader(leader.id);
  learn(s, slot(Math.min(message.chosenThrough, s.matched)));
  if (!ballotsEqual(s.durablePromise, ballot)) return;
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
    follows: follows && s.options.votes,
    content: isContent(s, now),
    votes: s.options.votes,
    electable: isElectable(s, now),
    priority: s.options.priority,
    matched: s.position(),
    chosenThrough: s.chosenThrough,
  });
}

/** A peer's report on itself. A leader also learns whether the peer follows it and how far its log agrees. */
export function onHeartbeatReply(
  s: State,
  peer: Peer,
  message: MessageOf<'heartbeatReply'>,
  now: MonotonicMs,
): void {
  peer.answeredAt = now;
  peer.content = message.content;
  peer.votes = message.votes;
  peer.electable = message.electable;
  peer.priority = message.priority;
  peer.chosenThrough = slot(Math.max(peer.chosenThrough, message.chosenThrough));
  s.highestSeen = maxBallot(s.highestSeen, message.ballot);
  if (s.role !== 'leader') return maybeCatchUp(s, peer, now);
  if (compareBallots(message.ballot, s.promised) > 0) return deposed(s, now);
  if (!ballotsEqual(message.ballot, s.promised)) return;
  if (message.follows) readsConfirmed(s, s.rounds.acknowledge(peer.id, message.round));
  // It lacks slots and made no progress for two intervals: send again from its position.
  if (message.matched > peer.matched) progressed(s, peer, message.matched, now);
  const stalled = now - peer.progressAt >= 2 * s.options.heartbeatIntervalMs;
  if (stalled && message.matched < s.log.lastSlot) sendAnew(s, peer, message.matched, now);
}

/** The sender promised a higher ballot: ours cannot succeed there. */
export function onRejected(s: State, message: MessageOf<'rejected'>, now: MonotonicMs): void {
  s.highestSeen = maxBallot(s.highestSeen, message.ballot);
  if (compareBallots(message.ballot, s.promised) <= 0) return;
  if (s.role === 'leader') return deposed(s, now);
  if (s.role === 'candidate') {
    becomeFollower(s, now, 'not-leader');
    backOff(s, now);
  }
}
