import type { Generation, InstanceId, MemberId } from '../../kernel/index.js';
import type {
  ApplyContext,
  GroupCommand,
  GroupError,
  GroupReply,
  HeartbeatQuestion,
  RebalanceTrigger,
} from '../types.js';
import { forgetPending } from './join.js';
import {
  afterRemoval,
  armSession,
  becomeStable,
  cancelGroupTimer,
  completeJoin,
  forgetMember,
  initialTimeIsUp,
  maybeCompleteJoin,
  syncAnswer,
  syncRefused,
} from './rebalance.js';
import type { ClassicGroup, ClassicMember, Consequences } from './state.js';

type Verdict = GroupError | 'NONE';

/** Kafka: validateMember. */
export function validateMember(group: ClassicGroup, id: MemberId, instanceId: InstanceId | null): Verdict {
  if (instanceId !== null) {
    const holder = group.staticMembers.get(instanceId);
    if (holder === undefined) return 'UNKNOWN_MEMBER_ID';
    if (holder !== id) return 'FENCED_INSTANCE_ID';
  }
  return group.members.has(id) ? 'NONE' : 'UNKNOWN_MEMBER_ID';
}

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

/** A pure look: a steady heartbeat changes nothing that is replicated. */
export function heartbeat(
  group: ClassicGroup,
  question: HeartbeatQuestion,
): { readonly error: Verdict; readonly renew: boolean } {
  const verdict = validateGeneration(group, question.memberId, question.instanceId, question.generation);
  if (verdict !== 'NONE') return { error: verdict, renew: false };
  switch (group.state) {
    case 'Empty':
    case 'Dead':
      return { error: 'UNKNOWN_MEMBER_ID', renew: false };
    case 'PreparingRebalance':
      return { error: 'REBALANCE_IN_PROGRESS', renew: true };
    case 'CompletingRebalance':
    case 'Stable':
      return { error: 'NONE', renew: true };
  }
}

export function sync(
  group: ClassicGroup,
  request: Extract<GroupCommand, { kind: 'group.sync' }>,
  context: ApplyContext,
  out: Consequences,
): GroupReply {
  const { memberId: id, protocolType, protocolName } = request;
  const refused = (error: GroupError): GroupReply => ({ kind: 'sync', answer: syncRefused(error) });
  if (group.state === 'Empty' || group.state === 'Dead') return refused('UNKNOWN_MEMBER_ID');
  const verdict = validateGeneration(group, id, request.instanceId, request.generation);
  if (verdict !== 'NONE') return refused(verdict);
  const inconsistent =
    (protocolType !== null && protocolType !== group.protocolType) ||
    (protocolName !== null && protocolName !== group.protocolName);
  if (inconsistent) return refused('INCONSISTENT_GROUP_PROTOCOL');
  if (group.state === 'PreparingRebalance') return refused('REBALANCE_IN_PROGRESS');
  const member = group.members.get(id)!;
  member.pendingSync = false;
  if (group.state === 'Stable') {
    cancelSyncTimerWhenAllCame(group, out);
    armSession(group, member, context, out);
    return { kind: 'sync', answer: syncAnswer(group, member) };
  }
  member.awaitingAssignment = true;
  if (id === group.leader) {
    for (const { memberId: target, assignment } of request.assignments) {
      const receiver = group.members.get(target);
      if (receiver !== undefined) receiver.assignment = assignment;
    }
    becomeStable(group, context, out);
    cancelSyncTimerWhenAllCame(group, out);
  }
  return { kind: 'sync-parked', memberId: id };
}

function cancelSyncTimerWhenAllCame(group: ClassicGroup, out: Consequences): void {
  for (const member of group.members.values()) if (member.pendingSync) return;
  cancelGroupTimer(group, 'sync', out);
}

export function leave(
  group: ClassicGroup,
  request: Extract<GroupCommand, { kind: 'group.leave' }>,
  context: ApplyContext,
  out: Consequences,
): GroupReply {
  let trigger: RebalanceTrigger | undefined;
  const members = request.members.map(({ memberId: id, instanceId, reason }) => {
    const leaver = findLeaver(group, id, instanceId);
    if (leaver === 'pending') forgetPending(group, id, out);
    else if (typeof leaver !== 'string') {
      // Kafka: KIP-345. Without a member id an administrator removes a static member.
      forgetMember(group, leaver, id === '' ? 'removed' : 'left', out);
      trigger ??= { cause: 'member-left', memberId: leaver.memberId, reason };
    }
    const error: Verdict = typeof leaver === 'string' && leaver !== 'pending' ? leaver : 'NONE';
    return { memberId: id, instanceId, error };
  });
  if (trigger !== undefined) afterRemoval(group, trigger, context, out);
  else maybeCompleteJoin(group, context, out);
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

/** Kafka: validateOffsetCommit. Who may move the group's offsets right now. */
export function mayCommit(
  group: ClassicGroup,
  request: Extract<GroupCommand, { kind: 'group.commit' }>,
): Verdict {
  const { generation, memberId: id, instanceId } = request;
  if (group.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
  if (generation < 0 && group.state === 'Empty') return 'NONE';
  if (generation < 0 && id === '' && instanceId === null) return 'UNKNOWN_MEMBER_ID';
  const verdict = validateGeneration(group, id, instanceId, generation);
  if (verdict !== 'NONE') return verdict;
  // While preparing, the previous generation may still say how far it came: that is what the stop is for.
  return group.state === 'CompletingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
}

/** A deadline passed at the leader. What it was about may have changed since: then nothing happens. */
export function expire(
  group: ClassicGroup,
  request: Extract<GroupCommand, { kind: 'group.expire' }>,
  context: ApplyContext,
  out: Consequences,
): void {
  const { timer, token } = request;
  switch (timer.kind) {
    case 'session': {
      const member = group.members.get(timer.member);
      if (member?.sessionToken !== token) return;
      // Who waits for our answer cannot heartbeat on that connection; a new member still may not wait for ever.
      if (!member.isNew && (member.waiting || member.awaitingAssignment))
        return armSession(group, member, context, out);
      forgetMember(group, member, 'session-expired', out);
      return afterRemoval(
        group,
        { cause: 'session-expired', memberId: member.memberId, reason: null },
        context,
        out,
      );
    }
    case 'pending': {
      if (group.pending.get(timer.member)?.token !== token) return;
      group.pending.delete(timer.member);
      return maybeCompleteJoin(group, context, out);
    }
    case 'initial':
      if (group.timers.get('initial')?.token === token) initialTimeIsUp(group, context, out);
      return;
    case 'join':
      if (group.timers.get('join')?.token === token) completeJoin(group, context, out);
      return;
    case 'sync':
      if (group.timers.get('sync')?.token === token) syncTimeIsUp(group, context, out);
      return;
  }
}

function syncTimeIsUp(group: ClassicGroup, context: ApplyContext, out: Consequences): void {
  cancelGroupTimer(group, 'sync', out);
  const missing = [...group.members.values()].filter((member) => member.pendingSync);
  for (const member of missing) forgetMember(group, member, 'missed-sync', out);
  const [first] = missing;
  if (first !== undefined)
    afterRemoval(group, { cause: 'sync-missed', memberId: first.memberId, reason: null }, context, out);
}
