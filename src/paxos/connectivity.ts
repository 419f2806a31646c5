/** Whom a replica hears, whom it reaches both ways, and what follows for electing and leading. */

import { type MonotonicMs, type ReplicaId } from '../kernel/index.js';
import type { Peer } from './progress.js';
import { isFullQuorum } from './quorum.js';
import type { Leader } from './role.js';
import type { State } from './state.js';

/** Heard lately, by whatever message: one way is enough. */
export function hears(s: State, peer: Peer, now: MonotonicMs): boolean {
  return peer.heardAt !== undefined && now - peer.heardAt < 3 * s.options.heartbeatIntervalMs;
}

/** Heard both ways: it answered a heartbeat of ours lately. What it said in an older answer counts for nothing. */
export function reaches(s: State, peer: Peer, now: MonotonicMs): boolean {
  return peer.answeredAt !== undefined && now - peer.answeredAt < 3 * s.options.heartbeatIntervalMs;
}

/**
 * Whether it reaches those that elect and those that accept: only then can it lead, and only then is leadership offered
 * to it. Who is elected and reaches no accept quorum would lead nothing, and keep those away who could.
 */
export function isElectable(s: State, now: MonotonicMs): boolean {
  if (!s.votes) return false;
  const reached = new Set<ReplicaId>([s.options.self]);
  for (const peer of s.peers.values()) if (reaches(s, peer, now) && peer.votes) reached.add(peer.id);
  return isFullQuorum(s.configuration.quorums, reached);
}

/** While leading: an accept quorum has answered a round lately (or it has just started to lead). */
export function hearsQuorum(leader: Leader, now: MonotonicMs): boolean {
  return now < leader.quorumSilence.endsAt;
}

/** It leads well, or follows a leader that is neither dead nor silent. */
export function isContent(s: State, now: MonotonicMs): boolean {
  if (s.role.kind === 'leader') return hearsQuorum(s.role, now);
  return s.leader() !== undefined && now < s.leaderlessFrom;
}
