import { assignedPartitions, CONSUMER_PROTOCOL_TYPE } from '../consumer-protocol.js';
import { groupScope, type Ownership, partitionScope } from '../fences.js';
import type { TopicPartitions } from '../types/commands.js';
import type { Verdict } from '../types/replies.js';
import { syncAnswer, syncRefused } from './answers.js';
import { endRecord } from './history.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup } from './state.js';
import { enter } from './states.js';
import { armSession } from './timers.js';
import type { Turn } from './turn.js';

/** Answers a SyncGroup that waits. */
export function answerSync({ group, news }: Turn, member: ClassicMember, verdict: Verdict): void {
  member.awaitingAssignment = false;
  const answer = verdict === 'NONE' ? syncAnswer(group, member) : syncRefused(verdict);
  news.push({ kind: 'sync-answer', group: group.id, memberId: member.memberId, answer });
}

/** Resume. The leader's assignment is in force: every SyncGroup that waits gets its part, every partition its token. */
export function becomeStable(turn: Turn): void {
  const { group, at } = turn;
  enter(group, 'assignment-received');
  for (const member of group.members.values()) {
    if (!member.awaitingAssignment) continue;
    answerSync(turn, member, 'NONE');
    armSession(turn, member);
  }
  const shares = sharesOf(group);
  const partitionsMoved = grantFences(turn, shares);
  const assignment = shares.map(({ member, topics }) => ({
    memberId: member.memberId,
    clientId: member.clientId,
    topics: topics ?? [],
  }));
  endRecord(turn, { outcome: 'stable', stableAt: at, assignment, partitionsMoved });
}

/** What a member was given; undefined when it cannot be read. */
interface Share {
  readonly member: ClassicMember;
  readonly topics: readonly TopicPartitions[] | undefined;
}
function sharesOf({ members }: ClassicGroup): readonly Share[] {
  const shares: Share[] = [];
  for (const member of members.values())
    shares.push({ member, topics: assignedPartitions(member.assignment) });
  return shares;
}

/**
 * Another rebalance starts before the assignment arrived: members that wait for it join again. While they waited they
 * could not send heartbeats, and their sessions may be over at this very moment: they start again with the answer.
 */
export function abandonAssignment(turn: Turn): void {
  for (const member of turn.group.members.values()) {
    if (member.awaitingAssignment) {
      answerSync(turn, member, 'REBALANCE_IN_PROGRESS');
      armSession(turn, member);
    }
    member.assignment = new Uint8Array(0);
    turn.group.members.setPendingSync(member, false);
  }
}

/** Who owns which partition, when the protocol type is "consumer" and every assignment can be read. */
function ownershipOf(group: ClassicGroup, shares: readonly Share[]): Ownership[] | undefined {
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined;
  const ownerships: Ownership[] = [];
  for (const { member, topics } of shares) {
    if (topics === undefined) return undefined;
    const { memberId: owner, instanceId } = member;
    for (const { topic, partitions } of topics) {
      for (const partition of partitions)
        ownerships.push({ scope: partitionScope(group.id, topic, partition), owner, instanceId });
    }
  }
  return ownerships;
}

/** With an opaque protocol the whole group is one scope, and who was given anything holds it. */
function opaqueOwnership(group: ClassicGroup): Ownership[] {
  const scope = groupScope(group.id);
  return [...group.members.values()]
    .filter(({ assignment }) => assignment.length > 0)
    .map(({ memberId, instanceId }) => ({ scope, owner: memberId, instanceId }));
}

/** How many partitions have a new owner; null when the assignment cannot be read. */
function grantFences({ group, token, news }: Turn, shares: readonly Share[]): number | null {
  const ownerships = ownershipOf(group, shares);
  if (ownerships === undefined) {
    group.fences.assignWhole(opaqueOwnership(group), token, group.generation);
    return null;
  }
  const { granted, contests } = group.fences.assign(ownerships, token, group.generation);
  const [first] = contests;
  if (first !== undefined) {
    const { id, protocolName: assignor, leader } = group;
    news.push({ kind: 'assigned-twice', group: id, assignor, leader, partitions: contests.length, ...first });
  }
  return granted;
}
