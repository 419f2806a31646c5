/** Stepping down: the one place where the state of a candidate or a leader is discarded. */

import { type MonotonicMs } from '../kernel/index.js';
import type { State } from './state.js';
import type { ProposalFailure } from './types.js';

/** Proposals that have a slot end with `unanswered`; those that only queued were never proposed. */
export function becomeFollower(s: State, now: MonotonicMs, unanswered: ProposalFailure): void {
  const led = s.role === 'leader';
  s.role = 'follower';
  s.campaign = undefined;
  s.transferee = undefined;
  s.serving = false;
  s.ledSince = undefined;
  s.leader = undefined;
  const reads = s.rounds.abandon();
  if (led) {
    failQueue(s);
    s.failProposals([...s.ours.values()], unanswered);
    s.ours.clear();
    s.inFlightBytes = 0;
  }
  if (reads.length > 0) s.effects.push({ kind: 'readsFailed', ids: reads });
  s.backOffUntil = now;
  s.announceLeadership();
}

/** A leader steps down: a peer promised a higher ballot, or no quorum answers. */
export function deposed(s: State, now: MonotonicMs): void {
  becomeFollower(s, now, 'outcome-unknown');
  s.leaderHeardAt = now;
}

export function failQueue(s: State): void {
  s.failProposals(
    s.queue.map(({ id }) => id),
    'not-leader',
  );
  s.queue = [];
  s.queueBytes = 0;
}
