import { type InstanceId, memberId as asMemberId, type MemberId } from '../../kernel/index.js';
import type { LeaveCause } from '../types/news.js';
import type { GroupError, Verdict } from '../types/replies.js';
import { joinRefused } from './answers.js';
import { answerSync } from './assignment.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup } from './state.js';
import { cancelSession } from './timers.js';
import type { Turn } from './turn.js';

const NO_MEMBER = asMemberId('');

/** Kafka: validateMember. */
export function validateMember(group: ClassicGroup, id: MemberId, instanceId: InstanceId | null): Verdict {
  if (instanceId !== null) {
    const holder = group.staticMembers.get(instanceId);
    if (holder === undefined) return 'UNKNOWN_MEMBER_ID';
    if (holder !== id) return 'FENCED_INSTANCE_ID';
  }
  return group.members.has(id) ? 'NONE' : 'UNKNOWN_MEMBER_ID';
}

/** Whom the end of a barrier would remove: dynamic members that have not joined, or members that have not synced. */
export function* missingMembers({ members }: ClassicGroup, timer: 'join' | 'sync'): Iterable<ClassicMember> {
  for (const member of members.values()) {
    const missing = timer === 'join' ? !member.waiting && member.instanceId === null : member.pendingSync;
    if (missing) yield member;
  }
}

export function announceJoined({ group, news }: Turn, member: ClassicMember): void {
  const { memberId, instanceId, clientId, clientHost } = member;
  news.push({ kind: 'member-joined', group: group.id, memberId, instanceId, clientId, clientHost });
}

export function announceLeft({ group, news }: Turn, memberId: MemberId, cause: LeaveCause): void {
  news.push({ kind: 'member-left', group: group.id, memberId, cause });
}

/** A waiting JoinGroup gets an error instead of a generation. Kafka: a member that is removed is not told its id again. */
export function refuseJoin(
  { group, news }: Turn,
  memberId: MemberId,
  error: Extract<GroupError, 'UNKNOWN_MEMBER_ID' | 'FENCED_INSTANCE_ID'>,
): void {
  const told = error === 'UNKNOWN_MEMBER_ID' ? NO_MEMBER : memberId;
  news.push({ kind: 'join-answer', group: group.id, memberId, answer: joinRefused(error, told) });
}

/** Every removal goes through here. The requests of the member that still wait get UNKNOWN_MEMBER_ID. */
export function removeMember(turn: Turn, member: ClassicMember, cause: LeaveCause): void {
  const { group } = turn;
  const { memberId, instanceId } = member;
  if (member.waiting) refuseJoin(turn, memberId, 'UNKNOWN_MEMBER_ID');
  if (member.awaitingAssignment) answerSync(turn, member, 'UNKNOWN_MEMBER_ID');
  group.members.remove(member);
  if (instanceId !== null && group.staticMembers.get(instanceId) === memberId)
    group.staticMembers.delete(instanceId);
  if (group.leader === memberId) group.leader = null;
  group.fences.release(memberId);
  cancelSession(turn, memberId);
  announceLeft(turn, memberId, cause);
}
