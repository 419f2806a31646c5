/** Hand-over of the leadership: on request, or to the preferred leader (the healthy replica of the highest priority). */

import { type MonotonicMs, type ReplicaId } from '../kernel/index.js';
import { hears } from './connectivity.js';
import type { Peer } from './progress.js';
import { becomeFollower, failQueue } from './role.js';
import type { State } from './state.js';

/** Hands over to a peer of a higher priority once it has been healthy for long enough and has caught up. */
export function transferToPreferredLeader(s: State, now: MonotonicMs): void {
  const { electionTimeoutMs, priority } = s.options;
  if (!s.serving || now - s.ledSince! < 2 * electionTimeoutMs) return;
  let preferred: Peer | undefined;
  for (const peer of s.peers.values()) {
    const steady =
      hears(s, peer, now) &&
      peer.steadySince !== undefined &&
      now - peer.steadySince >= 3 * electionTimeoutMs;
    const caughtUp = peer.electable && peer.matched >= s.chosenThrough;
    if (steady && caughtUp && peer.priority > (preferred?.priority ?? priority)) preferred = peer;
  }
  if (preferred !== undefined) beginTransfer(s, preferred.id, now);
}

/** From now on new proposals are refused. */
export function beginTransfer(s: State, to: ReplicaId, now: MonotonicMs): void {
  const transferee = s.peers.get(to);
  if (s.role !== 'leader' || transferee === undefined || !transferee.votes || s.transferee !== undefined)
    return;
  s.transferee = { to, since: now };
  failQueue(s);
  continueTransfer(s, now);
}

/** Waits until everything proposed is chosen and held by the transferee, gives up the lease, then tells the transferee. */
export function continueTransfer(s: State, now: MonotonicMs): void {
  const { to, since } = s.transferee!;
  const transferee = s.peers.get(to)!;
  if (now - since >= s.options.electionTimeoutMs) {
    s.transferee = undefined;
    return;
  }
  if (s.chosenThrough < s.log.lastSlot || transferee.matched < s.log.lastSlot) return;
  const ballot = s.promised;
  s.rounds.giveUpLease();
  becomeFollower(s, now, 'outcome-unknown');
  s.leaseGrantBallot = ballot;
  s.leaderHeardAt = now;
  s.send(to, { kind: 'takeOver', ballot });
}
