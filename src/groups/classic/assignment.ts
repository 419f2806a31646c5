import type { Steps } from '../../kernel/index.js';
import { assignedPartitions, CONSUMER_PROTOCOL_TYPE } from '../consumer-protocol.js';
import { groupScope, type Ownership, partitionScope } from '../fences.js';
import type { GroupCommand, TopicPartitions } from '../types/commands.js';
import type { Verdict } from '../types/replies.js';
import { syncAnswer, syncRefused } from './answers.js';
import { endRecord } from './history.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup } from './state.js';
import { enter } from './states.js';
import { armSession } from './timers.js';
import { inSteps, type Turn } from './turn.js';

/** Answers a SyncGroup that waits. */
export function answerSync({ group, news }: Turn, member: ClassicMember, verdict: Verdict): void {
  member.awaitingAssignment = false;
  const answer = verdict === 'NONE' ? syncAnswer(group, member) : syncRefused(verdict);
  news.push({ kind: 'sync-answer', group: group.id, memberId: member.memberId, answer });
}

type Assignments = Extract<GroupCommand, { kind: 'group.sync' }>['assignments'];

/** Resume. The leader's assignment is in force: every partition gets its token, and every SyncGroup that waits its part. */
export function* becomeStable(turn: Turn, assignments: Assignments): Steps<void> {
  const { group, at } = turn;
  yield* inSteps(turn, assignments, ({ memberId, assignment }) => {
    const receiver = group.members.get(memberId);
    if (receiver !== undefined) receiver.assignment = assignment;
  });
  const shares: Share[] = [];
  yield* inSteps(turn, group.members.values(), (member) => {
    shares.push({ member, topics: assignedPartitions(member.assignment) });
  });
  const partitionsMoved = yield* grantFences(turn, shares);
  enter(group, 'assignment-received');
  yield* inSteps(turn, group.members.values(), (member) => {
    if (!member.awaitingAssignment) return;
    answerSync(turn, member, 'NONE');
    armSession(turn, member);
  });
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

/**
 * Another rebalance starts before the assignment arrived: members that wait for it join again. While they waited they
 * could not send heartbeats, and their sessions may be over at this very moment: they start again with the answer.
 */
export function* abandonAssignment(turn: Turn): Steps<void> {
  const { members } = turn.group;
  yield* inSteps(turn, members.values(), (member) => {
    if (member.awaitingAssignment) {
      answerSync(turn, member, 'REBALANCE_IN_PROGRESS');
      armSession(turn, member);
    }
    member.assignment = new Uint8Array(0);
    members.setPendingSync(member, false);
  });
}

/** Who owns which partition, when the protocol type is "consumer" and every assignment can be read. */
function* ownershipOf(turn: Turn, shares: readonly Share[]): Steps<Ownership[] | undefined> {
  const { group } = turn;
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined;
  if (shares.some(({ topics }) => topics === undefined)) return undefined;
  const ownerships: Ownership[] = [];
  yield* inSteps(turn, shares, ({ member: { memberId: owner, instanceId }, topics }) => {
    for (const { topic, partitions } of topics!) {
      for (const partition of partitions)
        ownerships.push({ scope: partitionScope(group.id, topic, partition), owner, instanceId });
    }
  });
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
function* grantFences(turn: Turn, shares: readonly Share[]): Steps<number | null> {
  const { group, token, news } = turn;
  const ownerships = yield* ownershipOf(turn, shares);
  if (ownerships === undefined) {
    group.fences.assignWhole(opaqueOwnership(group), token, group.generation);
    return null;
  }
  const { granted, contests } = yield* group.fences.assigning(
    ownerships,
    { token, generation: group.generation },
    (items, each) => inSteps(turn, items, each),
  );
  const [first] = contests;
  if (first !== undefined) {
    const { id, protocolName: assignor, leader } = group;
    news.push({ kind: 'assigned-twice', group: id, assignor, leader, partitions: contests.length, ...first });
  }
  return granted;
}
