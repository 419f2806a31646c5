/** Heartbeat rounds as they leave, and the reads that rest on them: by lease, else by read-index. */

import { type MonotonicMs } from '../kernel/index.js';
import { hearsQuorum } from './connectivity.js';
import type { Leader } from './role.js';
import type { State } from './state.js';
import type { ReadId } from './types.js';

/** A heartbeat to every peer. A leader's round also renews its lease and confirms reads, when a quorum answers it. */
export function beginRound(s: State, now: MonotonicMs): void {
  s.round++;
  s.roundAt = now;
  const { role } = s;
  if (role.kind === 'leader') openRound(s, role, now);
  const leads = role.kind === 'leader' && hearsQuorum(role, now);
  const ballot = role.kind === 'leader' ? s.hard.promised : s.durablePromise;
  const { chosenThrough } = s;
  const message = s.broadcast({ kind: 'heartbeat', round: s.round, ballot, leads, chosenThrough });
  // The others of its configuration may all be gone. Who knows of a later one answers, and has what was chosen since.
  if (!s.member || s.leader() === undefined)
    for (const to of s.outsiders.keys()) s.effects.push({ kind: 'send', to, message });
}

function openRound(s: State, leader: Leader, now: MonotonicMs): void {
  leader.roundWanted = false;
  roundAnswered(s, leader, leader.rounds.begin(s.round, now), now);
}

/** `ids`: the reads that an accept quorum's answers confirm now. */
export function roundAnswered(s: State, leader: Leader, ids: readonly ReadId[], now: MonotonicMs): void {
  const { confirmedAt } = leader.rounds;
  if (confirmedAt !== undefined) leader.quorumSilence.heard(confirmedAt);
  if (ids.length > 0) s.effects.push({ kind: 'readReady', ids });
  if (leader.roundWanted && !leader.rounds.isOpen(s.round)) beginRound(s, now);
}

/** A linearizable read: at once under the lease, otherwise when a round sent from now on is confirmed. */
export function read(s: State, id: ReadId, now: MonotonicMs): void {
  const { role } = s;
  if (role.kind !== 'leader' || !role.serving) {
    s.effects.push({ kind: 'readsFailed', ids: [id] });
  } else if (leaseHolds(s, now)) {
    s.effects.push({ kind: 'readReady', ids: [id] });
  } else {
    // A round that is sent now or later confirms that we still lead now.
    if (s.roundAt === now) return role.rounds.await(id, s.round);
    role.rounds.await(id, s.round + 1);
    // Reads that come while a round is under way share the next one.
    const underWay = role.rounds.isOpen(s.round) && now - s.roundAt < s.options.heartbeatIntervalMs;
    if (underWay) role.roundWanted = true;
    else beginRound(s, now);
  }
}

/** While it holds, reads need nobody's consent. */
export function leaseHolds(s: State, now: MonotonicMs): boolean {
  return s.role.kind === 'leader' && s.role.serving && leaseStands(s, now);
}

/** The lease binds a leader even before it serves: it promises nobody else anything. */
export function leaseStands(s: State, now: MonotonicMs): boolean {
  const leaseUntil = s.role.kind === 'leader' ? s.role.rounds.leaseUntil : undefined;
  return leaseUntil !== undefined && now < leaseUntil;
}
