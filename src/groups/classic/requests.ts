import type { Generation, InstanceId, MemberId } from '../../kernel/index.js';
import type { GroupCommand } from '../types/commands.js';
import type { RebalanceTrigger } from '../types/history.js';
import type { GroupError, GroupReply, Verdict } from '../types/replies.js';
import type { HeartbeatAnswer, HeartbeatQuestion } from '../types/views.js';
import { syncAnswer, syncRefused } from './answers.js';
import { becomeStable } from './assignment.js';
import { afterRemoval, quietTimeIsUp, openBarrier, openBarrierWhenAllWait } from './barrier.js';
import { missingMembers, removeMember, validateMember } from './members.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup } from './state.js';
import { armSession, cancelGroupTimer, cancelPending } from './timers.js';
import type { Turn } from './turn.js';

function validateGeneration(
  group: ClassicGroup,
  id: MemberId,
  instanceId: InstanceId | null,
  generation: Generation,
): Verdict {
  const verdict = validateMember(group, id, instanceId);
  if (verdict !== 'NONE') return verdict;
  return generation === group.generation ? 'NONE' : 'ILLEGAL_GENERATION';
}

/** A read: heartbeats of a stable group change nothing that is replicated. */
export function heartbeat(group: ClassicGroup, question: HeartbeatQuestion): HeartbeatAnswer {
  const verdict = validateGeneration(group, question.memberId, question.instanceId, question.generation);
  if (verdict !== 'NONE') return { error: verdict, renew: false };
  switch (group.state) {
    case 'Empty':
      return { error: 'UNKNOWN_MEMBER_ID', renew: false };
    case 'PreparingRebalance':
      return { error: 'REBALANCE_IN_PROGRESS', renew: true };
    case 'CompletingRebalance':
      return { error: 'NONE', renew: true };
    case 'Stable': {
      const steadyForMs = group.members.get(question.memberId)!.sessionTimeoutMs;
      return { error: 'NONE', renew: true, steadyForMs };
    }
  }
}

export function sync(turn: Turn, request: Extract<GroupCommand, { kind: 'group.sync' }>): GroupReply {
  const { group } = turn;
  const { memberId: id, protocolType, protocolName } = request;
  const refused = (error: GroupError): GroupReply => ({ kind: 'sync', answer: syncRefused(error) });
  if (group.state === 'Empty') return refused('UNKNOWN_MEMBER_ID');
  const verdict = validateGeneration(group, id, request.instanceId, request.generation);
  if (verdict !== 'NONE') return refused(verdict);
  const inconsistent =
    (protocolType !== null && protocolType !== group.protocolType) ||
    (protocolName !== null && protocolName !== group.protocolName);
  if (inconsistent) return refused('INCONSISTENT_GROUP_PROTOCOL');
  if (group.state === 'PreparingRebalance') return refused('REBALANCE_IN_PROGRESS');
  const member = group.members.get(id)!;
  group.members.setPendingSync(member, false);
  if (group.state === 'Stable') {
    cancelSyncTimerWhenAllSynced(turn);
    armSession(turn, member);
    return { kind: 'sync', answer: syncAnswer(group, member) };
  }
  member.awaitingAssignment = true;
  if (id === group.leader) {
    turn.rest.push(function* () {
      yield* becomeStable(turn, request.assignments);
      cancelSyncTimerWhenAllSynced(turn);
    });
  }
  return { kind: 'sync-parked', memberId: id };
}

function cancelSyncTimerWhenAllSynced(turn: Turn): void {
  if (turn.group.members.unsynced === 0) cancelGroupTimer(turn, 'sync');
}

export function leave(turn: Turn, request: Extract<GroupCommand, { kind: 'group.leave' }>): GroupReply {
  let trigger: RebalanceTrigger | undefined;
  const members = request.members.map(({ memberId: id, instanceId, reason }) => {
    const leaver = findLeaver(turn.group, id, instanceId);
    if (leaver === 'pending') cancelPending(turn, id);
    else if (typeof leaver !== 'string') {
      // Kafka: KIP-345. Without a member id an administrator removes a static member.
      removeMember(turn, leaver, id === '' ? 'removed' : 'left');
      trigger ??= { cause: 'member-left', memberId: leaver.memberId, reason };
    }
    const error: Verdict = typeof leaver === 'string' && leaver !== 'pending' ? leaver : 'NONE';
    return { memberId: id, instanceId, error };
  });
  if (trigger !== undefined) afterRemoval(turn, trigger);
  else openBarrierWhenAllWait(turn);
  return { kind: 'leave', error: 'NONE', members };
}

function findLeaver(
  group: ClassicGroup,
  id: MemberId,
  instanceId: InstanceId | null,
): ClassicMember | 'pending' | GroupError {
  if (instanceId === null && group.pending.has(id)) return 'pending';
  const wanted = id === '' && instanceId !== null ? (group.staticMembers.get(instanceId) ?? id) : id;
  const verdict = validateMember(group, wanted, instanceId);
  return verdict === 'NONE' ? group.members.get(wanted)! : verdict;
}

/** Kafka: validateOffsetCommit. Whether the sender may change the group's offsets in its current state. */
export function mayCommit(
  group: ClassicGroup,
  request: Extract<GroupCommand, { kind: 'group.commit' }>,
): Verdict {
  const { generation, memberId: id, instanceId } = request;
  if (generation < 0 && group.state === 'Empty') return 'NONE';
  if (generation < 0 && id === '' && instanceId === null) return 'UNKNOWN_MEMBER_ID';
  const verdict = validateGeneration(group, id, instanceId, generation);
  if (verdict !== 'NONE') return verdict;
  // In PreparingRebalance the members of the old generation still record their progress.
  return group.state === 'CompletingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
}

/** A deadline has passed at the leader. If the timer was armed again since, the token differs and nothing happens. */
export function expire(turn: Turn, request: Extract<GroupCommand, { kind: 'group.expire' }>): void {
  const { group } = turn;
  const { timer, token } = request;
  switch (timer.kind) {
    case 'session': {
      const member = group.members.get(timer.member);
      if (member?.sessionToken === token) sessionTimeIsUp(turn, member);
      return;
    }
    case 'pending': {
      if (group.pending.get(timer.member)?.token !== token) return;
      group.pending.delete(timer.member);
      return openBarrierWhenAllWait(turn);
    }
    case 'initial':
      if (group.timers.get('initial')?.token === token) quietTimeIsUp(turn);
      return;
    case 'join':
      if (group.timers.get('join')?.token === token) openBarrier(turn);
      return;
    case 'sync':
      if (group.timers.get('sync')?.token === token) syncTimeIsUp(turn);
      return;
  }
}

function sessionTimeIsUp(turn: Turn, member: ClassicMember): void {
  // A member that waits for an answer cannot send heartbeats on that connection. A new member still has a limit.
  if (!member.isNew && (member.waiting || member.awaitingAssignment)) return armSession(turn, member);
  removeMember(turn, member, 'session-expired');
  afterRemoval(turn, { cause: 'session-expired', memberId: member.memberId, reason: null });
}

function syncTimeIsUp(turn: Turn): void {
  cancelGroupTimer(turn, 'sync');
  const missing = [...missingMembers(turn.group, 'sync')];
  for (const member of missing) removeMember(turn, member, 'missed-sync');
  const [first] = missing;
  if (first !== undefined)
    afterRemoval(turn, { cause: 'sync-missed', memberId: first.memberId, reason: null });
}
