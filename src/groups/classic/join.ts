import type { MemberId } from '../../kernel/index.js';
import type { GroupCommand, JoinProtocol } from '../types/commands.js';
import type { GroupError, GroupReply } from '../types/replies.js';
import { joinAnswer, joinRefused, memberList } from './answers.js';
import { answerSync } from './assignment.js';
import { handOutId, memberArrived, prepareRebalance } from './barrier.js';
import { voteForProtocol } from './generation.js';
import { announceJoined, announceLeft, refuseJoin } from './members.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup } from './state.js';
import { sameSubscription } from './subscriptions.js';
import { armSession, cancelPending, cancelSession } from './timers.js';
import type { Turn } from './turn.js';

type Join = Extract<GroupCommand, { kind: 'group.join' }>;

const refuse = (error: GroupError, id: MemberId): GroupReply => ({
  kind: 'join',
  answer: joinRefused(error, id),
});
const parked = (id: MemberId): GroupReply => ({ kind: 'join-parked', memberId: id });

/** Kafka: classicGroupJoinToClassicGroup, with the checks in Kafka's order. The group exists. */
export function join(turn: Turn, request: Join): GroupReply {
  const { group } = turn;
  group.historyMax = request.settings.rebalanceRecordsMax;
  if (!hasRoom(group, request)) return refuse('GROUP_MAX_SIZE_REACHED', request.memberId);
  if (!supportsProtocol(group, request)) return refuse('INCONSISTENT_GROUP_PROTOCOL', request.memberId);
  return request.memberId === '' ? joinWithoutId(turn, request) : joinWithId(turn, request);
}

/** Kafka: acceptJoiningMember. In PreparingRebalance only the members at the barrier count. */
function hasRoom(group: ClassicGroup, { memberId: id, instanceId, settings }: Join): boolean {
  // Not Kafka (KAFKA-20601): a static member that comes back takes its own place and needs no other.
  const holder = id === '' && instanceId !== null ? group.staticMembers.get(instanceId) : id;
  const member = group.members.get(holder ?? id);
  switch (group.state) {
    case 'Empty':
      return true;
    case 'PreparingRebalance':
      return member?.waiting === true || group.members.waiting < settings.groupSizeMax;
    case 'CompletingRebalance':
    case 'Stable':
      return member !== undefined || group.members.size < settings.groupSizeMax;
  }
}

/** Kafka: supportsProtocols. */
function supportsProtocol(group: ClassicGroup, { protocolType, protocols }: Join): boolean {
  if (group.members.size === 0) return protocolType !== '' && protocols.length > 0;
  if (group.protocolType !== protocolType) return false;
  return protocols.some(({ name }) => group.members.allSupport(name));
}

function joinWithoutId(turn: Turn, request: Join): GroupReply {
  const { group } = turn;
  const { instanceId, newMemberId } = request;
  if (instanceId !== null) {
    const known = group.staticMembers.get(instanceId);
    return known === undefined
      ? addMember(turn, newMemberId, request)
      : replaceStatic(turn, group.members.get(known)!, request);
  }
  if (!request.memberIdRequired) return addMember(turn, newMemberId, request);
  handOutId(turn, newMemberId, request.sessionTimeoutMs, request.settings);
  return refuse('MEMBER_ID_REQUIRED', newMemberId);
}

function joinWithId(turn: Turn, request: Join): GroupReply {
  const { group } = turn;
  const { memberId: id, instanceId } = request;
  if (instanceId !== null) {
    const holder = group.staticMembers.get(instanceId);
    if (holder === undefined) return refuse('UNKNOWN_MEMBER_ID', id);
    if (holder !== id) return refuse('FENCED_INSTANCE_ID', id);
  } else if (group.pending.has(id)) {
    cancelPending(turn, id);
    return addMember(turn, id, request);
  }
  const member = group.members.get(id);
  if (member === undefined) return refuse('UNKNOWN_MEMBER_ID', id);
  const same = sameProtocols(member.protocols, request.protocols);
  switch (group.state) {
    case 'PreparingRebalance':
      return waitAtBarrier(turn, member, request);
    case 'CompletingRebalance':
      // The answer to its first JoinGroup was lost. With other protocols the members must vote again.
      if (same) return { kind: 'join', answer: joinAnswer(group, id) };
      return rejoin(turn, member, request, 'subscription-changed');
    case 'Stable':
      // Kafka: the leader joins again to compute a new assignment, e.g. because a topic has more partitions. Not Kafka: a
      // leader that only followed its coordinator to another replica (`resuming`) starts no rebalance.
      if (group.leader === id && !request.resuming) return rejoin(turn, member, request, 'leader-rejoined');
      if (same) return { kind: 'join', answer: joinAnswer(group, id) };
      return rejoin(turn, member, request, 'subscription-changed');
    case 'Empty':
      return refuse('UNKNOWN_MEMBER_ID', id);
  }
}

function addMember(turn: Turn, id: MemberId, request: Join): GroupReply {
  const { group, slot, at } = turn;
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
    waitingSince: at,
    sessionToken: slot,
  };
  if (group.members.size === 0) group.protocolType = request.protocolType;
  group.members.add(member);
  if (instanceId !== null) group.staticMembers.set(instanceId, id);
  group.emptySince = null;
  armSession(turn, member);
  announceJoined(turn, member);
  if (group.state === 'Empty') {
    const { initialQuietMs, initialDelayMsMax } = request.settings;
    group.initial = { startedAt: at, quietMs: initialQuietMs, delayMsMax: initialDelayMsMax };
  }
  if (group.state !== 'PreparingRebalance')
    prepareRebalance(turn, { cause: 'member-joined', memberId: id, reason: request.reason });
  memberArrived(turn);
  return parked(id);
}

function update({ members }: ClassicGroup, member: ClassicMember, request: Join): void {
  members.setProtocols(member, request.protocols);
  member.clientId = request.clientId;
  member.clientHost = request.clientHost;
  member.sessionTimeoutMs = request.sessionTimeoutMs;
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
}

function waitAtBarrier(turn: Turn, member: ClassicMember, request: Join): GroupReply {
  update(turn.group, member, request);
  if (!member.waiting) member.waitingSince = turn.at;
  turn.group.members.setWaiting(member, true);
  memberArrived(turn);
  return parked(member.memberId);
}

/** A member starts a rebalance and is the first at its barrier. */
function rejoin(
  turn: Turn,
  member: ClassicMember,
  request: Join,
  cause: 'subscription-changed' | 'leader-rejoined' | 'static-replaced',
): GroupReply {
  const { memberId } = member;
  update(turn.group, member, request);
  turn.group.members.setWaiting(member, true);
  member.waitingSince = turn.at;
  prepareRebalance(turn, { cause, memberId, reason: request.reason });
  return parked(memberId);
}

/** Kafka: KIP-345. A new process with the same instance id takes over the member. The old process is fenced. */
function replaceStatic(turn: Turn, old: ClassicMember, request: Join): GroupReply {
  const { group } = turn;
  const id = request.newMemberId;
  if (old.waiting) refuseJoin(turn, old.memberId, 'FENCED_INSTANCE_ID');
  if (old.awaitingAssignment) answerSync(turn, old, 'FENCED_INSTANCE_ID');
  const member: ClassicMember = { ...old, memberId: id };
  const wasLeader = group.leader === old.memberId;
  group.members.replace(old, member);
  group.staticMembers.set(member.instanceId!, id);
  if (wasLeader) group.leader = id;
  update(group, member, request);
  group.fences.takeOver(old.memberId, id, turn.token);
  cancelSession(turn, old.memberId);
  announceLeft(turn, old.memberId, 'replaced');
  announceJoined(turn, member);
  armSession(turn, member);
  switch (group.state) {
    case 'PreparingRebalance':
      return waitAtBarrier(turn, member, request);
    case 'Stable':
      if (keepsVote(group, old, member) && sameSubscription(group, old.protocols, member.protocols))
        return { kind: 'join', answer: takeOverAnswer(group, old, member, request) };
      return rejoin(turn, member, request, 'static-replaced');
    case 'CompletingRebalance':
    case 'Empty':
      return rejoin(turn, member, request, 'static-replaced');
  }
}

/**
 * The new process gets the current generation, without a rebalance. Kafka: KIP-814. If it leads, it is told to skip the
 * assignment. A client that does not know this is told that the old process leads, so it acts as a follower.
 */
function takeOverAnswer(
  group: ClassicGroup,
  old: ClassicMember,
  member: ClassicMember,
  request: Join,
): ReturnType<typeof joinAnswer> {
  const answer = joinAnswer(group, member.memberId);
  if (group.leader !== member.memberId) return answer;
  return request.canSkipAssignment
    ? { ...answer, members: memberList(group), skipAssignment: true }
    : { ...answer, leader: old.memberId, members: [] };
}

/** Whether the group would still vote for its protocol. Who lists the same names votes as before. */
function keepsVote(group: ClassicGroup, old: ClassicMember, member: ClassicMember): boolean {
  const names = (each: ClassicMember): string => JSON.stringify(each.protocols.map(({ name }) => name));
  return names(old) === names(member) || voteForProtocol(group) === group.protocolName;
}

function sameProtocols(a: readonly JoinProtocol[], b: readonly JoinProtocol[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, metadata }, i) => name === b[i]!.name && Buffer.compare(metadata, b[i]!.metadata) === 0)
  );
}
