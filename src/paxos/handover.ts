/** Orderly hand-over of the leadership: asked for, or home to a replica of a higher priority. */

import { type MonotonicMs, type ReplicaId } from '../kernel/index.js';
import { hears } from './connectivity.js';
import type { Peer } from './progress.js';
import { becomeFollower, failQueue } from './role.js';
import type { State } from './state.js';

/** A healthy replica with a higher priority that has caught up gets the leadership back, and not before. */
export function maybeGoHome(s: State, now: MonotonicMs): void {
  const { electionTimeoutMs, priority } = s.options;
  if (!s.serving || now - s.ledSince! < 2 * electionTimeoutMs) return;
  let home: Peer | undefined;
  for (const peer of s.peers.values()) {
    const steady =
      hears(s, peer, now) &&
      peer.steadySince !== undefined &&
      now - peer.steadySince >= 3 * electionTimeoutMs;
    const caughtUp = peer.electable && peer.matched >= s.chosenThrough;
    if (steady && caughtUp && peer.priority > (home?.priority ?? priority)) home = peer;
  }
  if (home !== undefined) beginTransfer(s, home.id, now);
}

/** From here on nothing new is proposed. */
export function beginTransfer(s: State, to: ReplicaId, now: MonotonicMs): void {
  const heir = s.peers.get(to);
  if (s.role !== 'leader' || heir === undefined || !heir.votes || s.heir !== undefined) return;
  s.heir = { to, since: now };
  failQueue(s);
  continueTransfer(s, now);
}

/** Waits until everything proposed is chosen and with the heir; then the lease is given up, and only then the heir told. */
export function continueTransfer(s: State, now: MonotonicMs): void {
  const { to, since } = s.heir!;
  const heir = s.peers.get(to)!;
  if (now - since >= s.options.electionTimeoutMs) {
    s.heir = undefined;
    return;
  }
  if (s.chosenThrough < s.log.lastSlot || heir.matched < s.log.lastSlot) return;
  const ballot = s.promised;
  s.rounds.giveUpLease();
  becomeFollower(s, now, 'outcome-unknown');
  s.faithIn = ballot;
  s.leaderHeardAt = now;
  s.send(to, { kind: 'takeOver', ballot });
}
