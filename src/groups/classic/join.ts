import type { MemberId } from '../../kernel/index.js';
import type { ApplyContext, GroupCommand, GroupError, GroupReply, JoinProtocol } from '../types.js';
import {
  armSession,
  awaitMoreJoiners,
  commonProtocols,
  joinAnswer,
  joinRefused,
  maybeCompleteJoin,
  memberList,
  prepareRebalance,
  voteForProtocol,
} from './rebalance.js';
import type { ClassicGroup, ClassicMember, Consequences } from './state.js';

export type Join = Extract<GroupCommand, { kind: 'group.join' }>;

const refuse = (error: GroupError, id: MemberId): GroupReply => ({
  kind: 'join',
  answer: joinRefused(error, id),
});
const parked = (id: MemberId): GroupReply => ({ kind: 'join-parked', memberId: id });

/** Kafka: classicGroupJoinToConsumerGroup's classic counterpart, checks in Kafka's order. The group exists. */
export function join(
  group: ClassicGroup,
  request: Join,
  context: ApplyContext,
  out: Consequences,
): GroupReply {
  group.historyMax = request.settings.rebalanceRecordsMax;
  if (!hasRoom(group, request)) return refuse('GROUP_MAX_SIZE_REACHED', request.memberId);
  if (!speaksWithUs(group, request)) return refuse('INCONSISTENT_GROUP_PROTOCOL', request.memberId);
  return request.memberId === ''
    ? joinUnnamed(group, request, context, out)
    : joinNamed(group, request, context, out);
}

/** Kafka: acceptJoiningMember. While preparing, only those who already stand at the barrier count. */
function hasRoom(group: ClassicGroup, { memberId: id, settings }: Join): boolean {
  const member = group.members.get(id);
  switch (group.state) {
    case 'Empty':
    case 'Dead':
      return true;
    case 'PreparingRebalance': {
      if (member?.waiting === true) return true;
      let waiting = 0;
      for (const other of group.members.values()) if (other.waiting) waiting++;
      return waiting < settings.groupSizeMax;
    }
    case 'CompletingRebalance':
    case 'Stable':
      return member !== undefined || group.members.size < settings.groupSizeMax;
  }
}

function speaksWithUs(group: ClassicGroup, { protocolType, protocols }: Join): boolean {
  if (group.members.size === 0) return protocolType !== '' && protocols.length > 0;
  if (group.protocolType !== protocolType) return false;
  const common = commonProtocols(group);
  return protocols.some(({ name }) => common.has(name));
}

function joinUnnamed(
  group: ClassicGroup,
  request: Join,
  context: ApplyContext,
  out: Consequences,
): GroupReply {
  const { instanceId, newMemberId } = request;
  if (instanceId !== null) {
    const known = group.staticMembers.get(instanceId);
    if (known !== undefined) return replaceStatic(group, group.members.get(known)!, request, context, out);
    return addMember(group, newMemberId, request, context, out);
  }
  if (!request.memberIdRequired) return addMember(group, newMemberId, request, context, out);
  // Kafka: KIP-394, so that a client whose first answer was lost does not leave a ghost behind.
  group.pending.set(newMemberId, { timeoutMs: request.sessionTimeoutMs, token: context.slot });
  const timer = { kind: 'pending', member: newMemberId } as const;
  out.timers.push({
    kind: 'arm',
    group: group.id,
    timer,
    afterMs: request.sessionTimeoutMs,
    token: context.slot,
  });
  return refuse('MEMBER_ID_REQUIRED', newMemberId);
}

function joinNamed(group: ClassicGroup, request: Join, context: ApplyContext, out: Consequences): GroupReply {
  const { memberId: id, instanceId } = request;
  if (instanceId !== null) {
    const holder = group.staticMembers.get(instanceId);
    if (holder === undefined) return refuse('UNKNOWN_MEMBER_ID', id);
    if (holder !== id) return refuse('FENCED_INSTANCE_ID', id);
  } else if (group.pending.has(id)) {
    forgetPending(group, id, out);
    return addMember(group, id, request, context, out);
  }
  const member = group.members.get(id);
  if (member === undefined) return refuse('UNKNOWN_MEMBER_ID', id);
  switch (group.state) {
    case 'PreparingRebalance':
      return standAtBarrier(group, member, request, context, out);
    case 'CompletingRebalance':
      // Its answer was lost: it gets it again. With other protocols the vote must be held anew.
      if (sameProtocols(member.protocols, request.protocols))
        return { kind: 'join', answer: joinAnswer(group, id) };
      return rejoin(group, member, request, 'subscription-changed', context, out);
    case 'Stable':
      // Kafka: a leader joins to have partitions assigned anew (e.g. it saw that a topic grew). Not Kafka: one that only
      // followed its coordinator to another replica does not disturb the group.
      if (group.leader === id && !request.resuming)
        return rejoin(group, member, request, 'leader-rejoined', context, out);
      if (sameProtocols(member.protocols, request.protocols))
        return { kind: 'join', answer: joinAnswer(group, id) };
      return rejoin(group, member, request, 'subscription-changed', context, out);
    case 'Empty':
    case 'Dead':
      return refuse('UNKNOWN_MEMBER_ID', id);
  }
}

export function forgetPending(group: ClassicGroup, id: MemberId, out: Consequences): boolean {
  if (!group.pending.delete(id)) return false;
  out.timers.push({ kind: 'cancel', group: group.id, timer: { kind: 'pending', member: id } });
  return true;
}

function addMember(
  group: ClassicGroup,
  id: MemberId,
  request: Join,
  context: ApplyContext,
  out: Consequences,
): GroupReply {
  const { instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = request;
  const member: ClassicMember = {
    memberId: id,
    instanceId,
    clientId,
    clientHost,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols,
    isNew: true,
    waiting: true,
    awaitingAssignment: false,
    pendingSync: false,
    assignment: new Uint8Array(0),
    waitingSince: context.at,
    sessionToken: context.slot,
  };
  if (group.members.size === 0) group.protocolType = request.protocolType;
  group.members.set(id, member);
  if (instanceId !== null) group.staticMembers.set(instanceId, id);
  group.emptySince = null;
  armSession(group, member, context, out);
  out.news.push({ kind: 'member-joined', group: group.id, memberId: id, instanceId, clientId, clientHost });
  if (group.state === 'Empty') {
    const { initialQuietMs, initialDelayMsMax } = request.settings;
    group.initial = { startedAt: context.at, quietMs: initialQuietMs, delayMsMax: initialDelayMsMax };
  }
  if (group.state !== 'PreparingRebalance') {
    prepareRebalance(group, { cause: 'member-joined', memberId: id, reason: request.reason }, context, out);
  }
  arrived(group, context, out);
  return parked(id);
}

/** Somebody came to the barrier. */
function arrived(group: ClassicGroup, context: ApplyContext, out: Consequences): void {
  if (group.state !== 'PreparingRebalance') return;
  if (group.initial !== null) awaitMoreJoiners(group, context, out);
  else maybeCompleteJoin(group, context, out);
}

function update(member: ClassicMember, request: Join): void {
  member.protocols = request.protocols;
  member.clientId = request.clientId;
  member.clientHost = request.clientHost;
  member.sessionTimeoutMs = request.sessionTimeoutMs;
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
}

function standAtBarrier(
  group: ClassicGroup,
  member: ClassicMember,
  request: Join,
  context: ApplyContext,
  out: Consequences,
): GroupReply {
  update(member, request);
  if (!member.waiting) member.waitingSince = context.at;
  member.waiting = true;
  arrived(group, context, out);
  return parked(member.memberId);
}

function rejoin(
  group: ClassicGroup,
  member: ClassicMember,
  request: Join,
  cause: 'subscription-changed' | 'leader-rejoined',
  context: ApplyContext,
  out: Consequences,
): GroupReply {
  update(member, request);
  member.waiting = true;
  member.waitingSince = context.at;
  prepareRebalance(group, { cause, memberId: member.memberId, reason: request.reason }, context, out);
  return parked(member.memberId);
}

/** Kafka: KIP-345. A new process under an old name takes the member's place; the old one is fenced. */
function replaceStatic(
  group: ClassicGroup,
  old: ClassicMember,
  request: Join,
  context: ApplyContext,
  out: Consequences,
): GroupReply {
  const id = request.newMemberId;
  const fenced = joinRefused('FENCED_INSTANCE_ID', old.memberId);
  if (old.waiting)
    out.news.push({ kind: 'join-answer', group: group.id, memberId: old.memberId, answer: fenced });
  if (old.awaitingAssignment) {
    const answer = {
      error: 'FENCED_INSTANCE_ID',
      protocolType: null,
      protocolName: null,
      assignment: new Uint8Array(0),
    } as const;
    out.news.push({ kind: 'sync-answer', group: group.id, memberId: old.memberId, answer });
  }
  const member: ClassicMember = { ...old, memberId: id, awaitingAssignment: false };
  const wasLeader = group.leader === old.memberId;
  renameMember(group, old, member);
  if (wasLeader) group.leader = id;
  update(member, request);
  group.fences.takeOver(old.memberId, id, context.slot);
  out.timers.push({ kind: 'cancel', group: group.id, timer: { kind: 'session', member: old.memberId } });
  out.news.push({ kind: 'member-left', group: group.id, memberId: old.memberId, cause: 'replaced' });
  const { clientId, clientHost, instanceId } = member;
  out.news.push({ kind: 'member-joined', group: group.id, memberId: id, instanceId, clientId, clientHost });
  armSession(group, member, context, out);
  switch (group.state) {
    case 'Stable': {
      if (voteForProtocol(group) !== group.protocolName) break;
      const answer = joinAnswer(group, id);
      if (!wasLeader) return { kind: 'join', answer };
      // Kafka: KIP-814. Older clients are told of the old leader, so that they act as followers and assign nothing.
      if (request.canSkipAssignment)
        return { kind: 'join', answer: { ...answer, members: memberList(group), skipAssignment: true } };
      return { kind: 'join', answer: { ...answer, leader: old.memberId, members: [] } };
    }
    case 'PreparingRebalance':
      return standAtBarrier(group, member, request, context, out);
    case 'CompletingRebalance':
    case 'Empty':
    case 'Dead':
      break;
  }
  member.waiting = true;
  member.waitingSince = context.at;
  prepareRebalance(group, { cause: 'static-replaced', memberId: id, reason: request.reason }, context, out);
  return parked(id);
}

/** In place: the order of members is the order of their first joins, and assignors see it. */
function renameMember(group: ClassicGroup, old: ClassicMember, member: ClassicMember): void {
  const members = [...group.members.values()].map((present) => (present === old ? member : present));
  group.members.clear();
  for (const present of members) group.members.set(present.memberId, present);
  group.staticMembers.set(member.instanceId!, member.memberId);
}

function sameProtocols(a: readonly JoinProtocol[], b: readonly JoinProtocol[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, metadata }, i) => name === b[i]!.name && Buffer.compare(metadata, b[i]!.metadata) === 0)
  );
}
