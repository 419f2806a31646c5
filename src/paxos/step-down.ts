/** Stepping down: the one place where the state of a candidate or a leader is discarded. */

import { type MonotonicMs } from '../kernel/index.js';
import type { Follower, Leader } from './role.js';
import type { State } from './state.js';
import type { StepDownCause } from './types.js';

/** The role of a follower of a higher ballot, after stepping down if need be. Open proposals then end as `outcome-unknown`. */
export function asFollower(s: State, now: MonotonicMs): Follower {
  return s.role.kind === 'follower' ? s.role : becomeFollower(s, now, 'higher-ballot');
}

/** Proposals that have a slot end as `outcome-unknown`; those that only queued were never proposed. `why`: of a leader. */
export function becomeFollower(s: State, now: MonotonicMs, why: StepDownCause): Follower {
  const former = s.role;
  const follower: Follower = { kind: 'follower', leader: undefined, backOffUntil: now };
  s.role = follower;
  if (former.kind === 'leader') {
    const reads = former.rounds.abandon();
    failQueue(s, former);
    s.failProposals([...former.ours.values()], 'outcome-unknown');
    if (reads.length > 0) s.effects.push({ kind: 'readsFailed', ids: reads });
  }
  if (former.kind === 'candidate') failCarried(s);
  s.announceLeadership(former.kind === 'leader' ? why : undefined);
  return follower;
}

/** The configuration has ended. What a leader has queued waits for whether it leads the next one. */
export function leaveConfiguration(s: State, now: MonotonicMs): void {
  const queued = s.role.kind === 'leader' ? s.role.queue : [];
  if (s.role.kind === 'leader') s.role.queue = [];
  if (s.role.kind !== 'follower') becomeFollower(s, now, 'next-configuration');
  s.carried = queued.filter(({ entry }) => entry.kind === 'command');
  const seals = queued.filter(({ entry }) => entry.kind === 'seal').map(({ id }) => id);
  s.failProposals(seals, 'not-next');
}

/** A leader steps down: a peer promised a higher ballot, or no quorum answers. */
export function deposed(s: State, now: MonotonicMs, why: StepDownCause): void {
  becomeFollower(s, now, why);
  s.awaitLeader(now);
}

/** What the last configuration left in the queue was never proposed. */
export function failCarried(s: State): void {
  s.failProposals(
    s.carried.map(({ id }) => id),
    'not-leader',
  );
  s.carried = [];
}

export function failQueue(s: State, leader: Leader): void {
  s.failProposals(
    leader.queue.map(({ id }) => id),
    'not-leader',
  );
  leader.queue = [];
  leader.queueBytes = 0;
}
