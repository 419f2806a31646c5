/** Heartbeat rounds as they leave, and the reads that rest on them: by lease, else by read-index. */

import { type MonotonicMs } from '../kernel/index.js';
import { hearsQuorum } from './connectivity.js';
import type { State } from './state.js';
import type { ReadId } from './types.js';

/** A heartbeat to every peer. A leader's round also renews its lease and confirms reads, when a quorum answers it. */
export function beginRound(s: State, now: MonotonicMs): void {
  s.round++;
  s.roundAt = now;
  const { role } = s;
  if (role.kind === 'leader') readsConfirmed(s, role.rounds.begin(s.round, now));
  const leads = role.kind === 'leader' && hearsQuorum(s, role, now);
  const ballot = role.kind === 'leader' ? s.hard.promised : s.durablePromise;
  s.broadcast({
    kind: 'heartbeat',
    round: s.round,
    ballot,
    leads,
    chosenThrough: s.chosenThrough,
  });
}

export function readsConfirmed(s: State, ids: readonly ReadId[]): void {
  if (ids.length > 0) s.effects.push({ kind: 'readReady', ids });
}

/** A linearizable read: at once under the lease, otherwise when a round sent from now on is confirmed. */
export function read(s: State, id: ReadId, now: MonotonicMs): void {
  const { role } = s;
  if (role.kind !== 'leader' || !role.serving) {
    s.effects.push({ kind: 'readsFailed', ids: [id] });
  } else if (leaseHolds(s, now)) {
    s.effects.push({ kind: 'readReady', ids: [id] });
  } else {
    // A round that is sent now or later confirms that we still lead now. One round serves all reads of an instant.
    const sendNow = s.roundAt !== now;
    role.rounds.await(id, sendNow ? s.round + 1 : s.round);
    if (sendNow) beginRound(s, now);
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
