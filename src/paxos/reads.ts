/** Heartbeat rounds as they leave, and the reads that rest on them: by lease, else by read-index. */

import { type MonotonicMs } from '../kernel/index.js';
import { hearsQuorum } from './connectivity.js';
import type { State } from './state.js';
import type { ReadId } from './types.js';

/** A heartbeat to every peer. A leader's round also renews its lease and confirms reads, when a quorum answers it. */
export function beginRound(s: State, now: MonotonicMs): void {
  s.round++;
  s.roundAt = now;
  if (s.role === 'leader') readsConfirmed(s, s.rounds.begin(s.round, now));
  const leads = s.role === 'leader' && hearsQuorum(s, now);
  const ballot = s.role === 'leader' ? s.promised : s.durablePromise;
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
  if (!s.serving) {
    s.effects.push({ kind: 'readsFailed', ids: [id] });
  } else if (leaseHolds(s, now)) {
    s.effects.push({ kind: 'readReady', ids: [id] });
  } else {
    // A round that is sent now or later confirms that we still lead now. One round serves all reads of an instant.
    const sendNow = s.roundAt !== now;
    s.rounds.await(id, sendNow ? s.round + 1 : s.round);
    if (sendNow) beginRound(s, now);
  }
}

/** While it holds, reads need nobody's consent. */
export function leaseHolds(s: State, now: MonotonicMs): boolean {
  return s.serving && s.rounds.leaseUntil !== undefined && now < s.rounds.leaseUntil;
}

/** The lease binds a leader even before it serves: it promises nobody else anything. */
export function leaseStands(s: State, now: MonotonicMs): boolean {
  return s.role === 'leader' && s.rounds.leaseUntil !== undefined && now < s.rounds.leaseUntil;
}
