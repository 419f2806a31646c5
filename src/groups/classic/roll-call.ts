import type { Steps } from '../../kernel/index.js';
import { awaitIds, openBarrierWhenAllWait } from './barrier.js';
import type { ClassicMember } from './member.js';
import { removeMember } from './members.js';
import type { ClassicGroup } from './state.js';
import { armPending } from './timers.js';
import { inSteps, type Turn } from './turn.js';

/**
 * Members whose first JoinGroup has no answer yet. Before JoinGroup v4 such a client has not been told its id, and would
 * come back under another one. A static member comes back by its name.
 */
export function* unanswered(group: ClassicGroup): Iterable<ClassicMember> {
  if (group.state !== 'PreparingRebalance') return;
  for (const member of group.members.values())
    if (member.isNew && member.waiting && member.instanceId === null) yield member;
}

/**
 * The requests that waited are lost with the leader of the shard. A member that has not been answered yet keeps its id, as one
 * that was only handed out: a client that knows it joins with it, and nobody waits for one that does not (KIP-394).
 */
export function* callRoll(turn: Turn, quietMs: number): Steps<void> {
  const missing = [...unanswered(turn.group)];
  if (missing.length === 0) return;
  yield* inSteps(turn, missing, (member) => {
    removeMember(turn, member, 'unanswered');
    armPending(turn, member.memberId, member.sessionTimeoutMs);
  });
  awaitIds(turn, quietMs);
  openBarrierWhenAllWait(turn);
}
