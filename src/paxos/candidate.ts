/** The candidate: phase 1a, its answers, and the end of a campaign. */

import { type MonotonicMs, monotonicMs, nextSlot, NO_SLOT, slot } from '../kernel/index.js';
import { raisePromise } from './acceptor.js';
import { type Ballot, ballotsEqual, compareBallots, maxBallot } from './ballot.js';
import { type Campaign, consider, noteChosen } from './campaign.js';
import { isElectable, reaches } from './connectivity.js';
import { becomeLeader } from './leader.js';
import { askCatchUp } from './learner.js';
import type { Received } from './messages.js';
import type { Candidate } from './role.js';
import type { State } from './state.js';
import { becomeFollower } from './step-down.js';

/**
 * In election timeouts: for so long a candidate that needs a snapshot leaves the election to others. At once it would
 * collide with them again and again.
 */
const LAGGARD_TIMEOUTS = 4;

/** A candidate must reach a quorum of each kind, and no peer that it reaches may be content. This prevents election storms. */
export function mayTakeOver(s: State, now: MonotonicMs): boolean {
  for (const peer of s.peers.values()) if (reaches(s, peer, now) && peer.content) return false;
  return isElectable(s, now);
}

/** Phase 1a, once for the whole open suffix of the log. `consent`: the ballot of a leader that hands over to us. */
export function startCampaign(s: State, now: MonotonicMs, consent: Ballot | undefined): void {
  const { self } = s.options;
  const { priority } = s;
  const round = Math.max(s.hard.promised.round, s.highestSeen.round) + 1;
  const ballot: Ballot = { round, priority, replica: self };
  const fromSlot = nextSlot(s.chosenThrough);
  const campaign: Campaign = {
    ballot,
    consent,
    fromSlot,
    startedAt: now,
    askedAt: now,
    promised: new Set(),
    asking: new Map([...s.peers.keys()].map((id) => [id, fromSlot])),
    values: new Map(),
    chosenThrough: s.chosenThrough,
  };
  s.role = { kind: 'candidate', campaign };
  s.highestSeen = ballot;
  raisePromise(s, ballot, []);
  s.announceLeadership();
  askPromises(s, campaign, now);
}

/** Asks each peer whose promise is incomplete for its next chunk. */
function askPromises(s: State, campaign: Campaign, now: MonotonicMs): void {
  const { ballot, asking, consent } = campaign;
  for (const [id, fromSlot] of asking) s.send(id, { kind: 'prepare', ballot, fromSlot, consent });
  campaign.askedAt = now;
}

/** A campaign lasts one election timeout at most. Until then silent peers are asked again once per heartbeat interval. */
export function tickCandidate(s: State, { campaign }: Candidate, now: MonotonicMs): void {
  if (now - campaign.startedAt >= s.options.electionTimeoutMs) return failCampaign(s, now);
  if (now - campaign.askedAt >= s.options.heartbeatIntervalMs) askPromises(s, campaign, now);
}

/** Backs off for a random time, so that two candidates that collided do not collide again. */
function failCampaign(s: State, now: MonotonicMs): void {
  const follower = becomeFollower(s, now, 'higher-ballot');
  follower.backOffUntil = monotonicMs(now + s.random.next() * 2 * s.options.heartbeatIntervalMs);
}

/** The sender promised a higher ballot: ours cannot succeed there. */
export function onRejectedWhileCampaigning(s: State, { message, now }: Received<'rejected'>): void {
  s.highestSeen = maxBallot(s.highestSeen, message.ballot);
  if (compareBallots(message.ballot, s.hard.promised) > 0) failCampaign(s, now);
}

/** Phase 1b arrives, chunk after chunk. */
export function onPromise(
  s: State,
  { peer, message, now }: Received<'promise'>,
  { campaign }: Candidate,
): void {
  if (!ballotsEqual(message.ballot, campaign.ballot)) return;
  const expected = campaign.asking.get(peer.id);
  if (expected === undefined) return;
  if (message.logStart > expected && message.chosenThrough >= expected) {
    // It has chosen and trimmed what we never saw: only a snapshot helps, and somebody else must lead until then.
    const follower = becomeFollower(s, now, 'higher-ballot');
    follower.backOffUntil = monotonicMs(now + LAGGARD_TIMEOUTS * s.options.electionTimeoutMs);
    askCatchUp(s, peer, now);
    return;
  }
  if (message.firstSlot !== expected) return;
  noteChosen(campaign, message);
  message.accepted.forEach((accepted, i) =>
    consider(campaign, slot(message.firstSlot + i), accepted, message.chosenThrough),
  );
  if (!message.last) {
    const next = slot(message.firstSlot + message.accepted.length);
    campaign.asking.set(peer.id, next);
    return s.send(peer.id, {
      kind: 'prepare',
      ballot: campaign.ballot,
      fromSlot: next,
      consent: campaign.consent,
    });
  }
  campaign.asking.delete(peer.id);
  campaign.promised.add(peer.id);
  peer.matched = NO_SLOT;
  peer.next = slot(Math.max(campaign.fromSlot, Math.min(message.chosenThrough + 1, s.hard.log.lastSlot + 1)));
  maybeWin(s, campaign, now);
}

/** A candidate counts its own promise like any other: when it is on disk. */
export function ownPromiseDurable(s: State, { campaign }: Candidate, now: MonotonicMs): void {
  if (!ballotsEqual(s.durablePromise, campaign.ballot)) return;
  campaign.promised.add(s.options.self);
  maybeWin(s, campaign, now);
}

/**
 * Whatever the quorums: only a ballot whose promise is on our own disk leads. A process that forgot the ballot could
 * campaign with it again, and propose another value under it.
 */
function maybeWin(s: State, campaign: Campaign, now: MonotonicMs): void {
  if (!campaign.promised.has(s.options.self)) return;
  if (s.configuration.quorums.isPrepareQuorum(campaign.promised)) becomeLeader(s, campaign, now);
}

/** The leader has stopped and asks us to take over: its ballot releases the acceptors from their lease grants. */
export function onTakeOver(s: State, { peer, message, now }: Received<'takeOver'>): void {
  const { ballot } = message;
  if (!s.member || ballot.replica !== peer.id || !ballotsEqual(ballot, s.hard.promised)) return;
  startCampaign(s, now, ballot);
}
