/** Hand-over of the leadership: on request, or to the preferred leader (the healthy replica of the highest priority). */

import { type MonotonicMs, type ReplicaId } from '../kernel/index.js';
import { hears } from './connectivity.js';
import type { Campaign } from './campaign.js';
import type { Peer } from './progress.js';
import type { Leader, Transferee } from './role.js';
import type { State } from './state.js';
import { becomeFollower, deposed, failQueue } from './step-down.js';
import type { PaxosOptions, Returns } from './types.js';

const LOAD_WINDOW_MS = 1_000;

const returnsSlowly = ({ electionTimeoutMs }: PaxosOptions): Returns => ({
  afterMs: 20 * electionTimeoutMs,
  afterMsMax: 1_000 * electionTimeoutMs,
  busyPerSecond: 100,
});
const returnsOf = ({ options }: State): Returns => options.returns ?? returnsSlowly(options);

/**
 * Doubles the time until leadership returns for each loss that comes soon after the last one, so that a replica that
 * fails again and again does not move it back and forth. A hand-over is no loss.
 */
export function noteTakeOver(s: State, { consent }: Campaign, now: MonotonicMs): void {
  const { afterMs, afterMsMax } = returnsOf(s);
  const settled = s.tookOverAt === undefined || now - s.tookOverAt > 4 * s.returnAfterMs;
  if (consent !== undefined) s.returnAfterMs = Math.max(afterMs, s.returnAfterMs);
  else if (settled) s.returnAfterMs = afterMs;
  else s.returnAfterMs = Math.min(2 * s.returnAfterMs, afterMsMax);
  if (consent === undefined) s.tookOverAt = now;
}

/** Hands over to a peer of a higher priority that has been healthy for long enough and has caught up, unless it is busy. */
export function transferToPreferredLeader(s: State, leader: Leader, now: MonotonicMs): void {
  if (!leader.serving || now - leader.since < s.returnAfterMs || isBusy(s, leader, now)) return;
  let preferred: Peer | undefined;
  for (const peer of s.peers.values()) {
    const steady =
      hears(s, peer, now) && peer.steadySince !== undefined && now - peer.steadySince >= s.returnAfterMs;
    const caughtUp = peer.electable && peer.matched >= s.chosenThrough;
    if (steady && caughtUp && peer.priority > (preferred?.priority ?? s.priority)) preferred = peer;
  }
  if (preferred !== undefined) beginTransfer(s, leader, preferred.id, now);
}

function isBusy(s: State, { load, queue }: Leader, now: MonotonicMs): boolean {
  const forMs = now - load.since;
  if (forMs >= LOAD_WINDOW_MS) {
    load.perSecond = (load.count * 1_000) / forMs;
    load.since = now;
    load.count = 0;
  }
  return queue.length > 0 || load.perSecond > returnsOf(s).busyPerSecond;
}

/** The own disk stalls: to whom has most. Who has not taken over within an election timeout must win an election. */
export function giveWay(s: State, leader: Leader, since: MonotonicMs, now: MonotonicMs): void {
  if (now - since >= s.options.electionTimeoutMs) return deposed(s, now, 'disk-stalls');
  if (leader.transferee !== undefined) return continueTransfer(s, leader, leader.transferee, now);
  let transferee: Peer | undefined;
  for (const peer of s.peers.values())
    if (hears(s, peer, now) && peer.electable && peer.matched >= (transferee?.matched ?? 0))
      transferee = peer;
  if (transferee !== undefined) beginTransfer(s, leader, transferee.id, now);
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
  becomeFollower(s, now, s.diskStallsFrom === undefined ? 'handed-over' : 'disk-stalls');
  s.leaseGrantBallot = ballot;
  s.awaitLeader(now);
  s.send(peer.id, { kind: 'takeOver', ballot });
}
