/** Hand-over of the leadership: on request, or to the preferred leader (the healthy replica of the highest priority). */

import { type MonotonicMs, type ReplicaId } from '../kernel/index.js';
import { hears } from './connectivity.js';
import type { Peer } from './progress.js';
import type { Leader, Transferee } from './role.js';
import type { State } from './state.js';
import { becomeFollower, failQueue } from './step-down.js';

/** Hands over to a peer of a higher priority once it has been healthy for long enough and has caught up. */
export function transferToPreferredLeader(s: State, leader: Leader, now: MonotonicMs): void {
  const { electionTimeoutMs, priority } = s.options;
  if (!leader.serving || now - leader.since < 2 * electionTimeoutMs) return;
  let preferred: Peer | undefined;
  for (const peer of s.peers.values()) {
    const steady =
      hears(s, peer, now) &&
      peer.steadySince !== undefined &&
      now - peer.steadySince >= 3 * electionTimeoutMs;
    const caughtUp = peer.electable && peer.matched >= s.chosenThrough;
    if (steady && caughtUp && peer.priority > (preferred?.priority ?? priority)) preferred = peer;
  }
  if (preferred !== undefined) beginTransfer(s, leader, preferred.id, now);
}

/** From now on new proposals are refused. */
export function beginTransfer(s: State, leader: Leader, to: ReplicaId, now: MonotonicMs): void {
  const peer = s.peers.get(to);
  if (peer === undefined || !peer.votes || leader.transferee !== undefined) return;
  const transferee = { peer, since: now };
  leader.transferee = transferee;
  failQueue(s, leader);
  continueTransfer(s, leader, transferee, now);
}

/** Waits until everything proposed is chosen and held by the transferee, gives up the lease, then tells the transferee. */
export function continueTransfer(
  s: State,
  leader: Leader,
  { peer, since }: Transferee,
  now: MonotonicMs,
): void {
  if (now - since >= s.options.electionTimeoutMs) {
    leader.transferee = undefined;
    return;
  }
  const { lastSlot } = s.hard.log;
  if (s.chosenThrough < lastSlot || peer.matched < lastSlot) return;
  const ballot = s.hard.promised;
  // The lease ends with the role.
  becomeFollower(s, now);
  s.leaseGrantBallot = ballot;
  s.leaderHeardAt = now;
  s.send(peer.id, { kind: 'takeOver', ballot });
}
