import { assert, type Generation, generation, type MemberId, type WallMs } from '../../kernel/index.js';
import { assignedPartitions, CONSUMER_PROTOCOL_TYPE, EMPTY_ASSIGNMENT } from '../consumer-protocol.js';
import { type Ownership, partitionScope } from '../fences.js';
import type {
  ApplyContext,
  ClassicState,
  GroupError,
  JoinAnswer,
  RebalanceRecord,
  RebalanceTrigger,
  SyncAnswer,
} from '../types.js';
import { type ClassicGroup, type ClassicMember, type Consequences, LEGAL_PREDECESSORS } from './state.js';

/** Kafka: CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS. A new member cannot heartbeat while its first join is parked. */
export const NEW_MEMBER_TIMEOUT_MS = 300_000;

export function enter(group: ClassicGroup, state: ClassicState): void {
  assert(
    LEGAL_PREDECESSORS[state].includes(group.state),
    `group ${group.id} goes from ${group.state} to ${state}`,
  );
  group.state = state;
}

// ---- timers ----

export function armSession(
  group: ClassicGroup,
  member: ClassicMember,
  context: ApplyContext,
  out: Consequences,
): void {
  member.sessionToken = context.slot;
  const timer = { kind: 'session', member: member.memberId } as const;
  out.timers.push({ kind: 'arm', group: group.id, timer, afterMs: sessionMs(member), token: context.slot });
}

export const sessionMs = (member: ClassicMember): number =>
  member.isNew ? NEW_MEMBER_TIMEOUT_MS : member.sessionTimeoutMs;

export function armGroupTimer(
  group: ClassicGroup,
  kind: 'initial' | 'join' | 'sync',
  afterMs: number,
  context: ApplyContext,
  out: Consequences,
): void {
  group.timers.set(kind, { token: context.slot, afterMs });
  out.timers.push({ kind: 'arm', group: group.id, timer: { kind }, afterMs, token: context.slot });
}

export function cancelGroupTimer(
  group: ClassicGroup,
  kind: 'initial' | 'join' | 'sync',
  out: Consequences,
): void {
  if (group.timers.delete(kind)) out.timers.push({ kind: 'cancel', group: group.id, timer: { kind } });
}

/** Kafka: the longest rebalance timeout of any member. */
const rebalanceTimeoutMs = (group: ClassicGroup): number =>
  Math.max(0, ...[...group.members.values()].map((member) => member.rebalanceTimeoutMs));

// ---- stop: the barrier ----

/** Calls for the stop: members learn of it with their next heartbeat and come to the barrier. */
export function prepareRebalance(
  group: ClassicGroup,
  trigger: RebalanceTrigger,
  context: ApplyContext,
  out: Consequences,
): void {
  if (group.state === 'CompletingRebalance') {
    for (const member of group.members.values()) {
      if (member.awaitingAssignment) answerSync(group, member, 'REBALANCE_IN_PROGRESS', out);
      member.assignment = new Uint8Array(0);
      member.pendingSync = false;
    }
  }
  cancelGroupTimer(group, 'sync', out);
  const first = group.state === 'Empty';
  enter(group, 'PreparingRebalance');
  beginRecord(group, trigger, context, out);
  if (first) return;
  if (everybodyWaits(group)) completeJoin(group, context, out);
  else armGroupTimer(group, 'join', rebalanceTimeoutMs(group), context, out);
}

const everybodyWaits = (group: ClassicGroup): boolean => {
  if (group.pending.size > 0) return false;
  for (const member of group.members.values()) if (!member.waiting) return false;
  return true;
};

/** To be asked after every join and every removal: whoever was removed may have been the last one missing. */
export function maybeCompleteJoin(group: ClassicGroup, context: ApplyContext, out: Consequences): void {
  if (group.state !== 'PreparingRebalance') return;
  if (group.initial !== null && group.members.size > 0) return;
  if (everybodyWaits(group)) completeJoin(group, context, out);
}

/** The first rebalance lasts until joiners stop coming, instead of a fixed delay as in Kafka. */
export function awaitMoreJoiners(group: ClassicGroup, context: ApplyContext, out: Consequences): void {
  const { startedAt, quietMs, delayMsMax } = group.initial!;
  const remainingMs = Math.max(0, startedAt + delayMsMax - context.at);
  armGroupTimer(group, 'initial', Math.min(quietMs, remainingMs), context, out);
}

export function initialTimeIsUp(group: ClassicGroup, context: ApplyContext, out: Consequences): void {
  const { startedAt, delayMsMax } = group.initial!;
  // An id was handed out a moment ago: its holder is about to come.
  if (group.pending.size > 0 && context.at < startedAt + delayMsMax)
    return awaitMoreJoiners(group, context, out);
  completeJoin(group, context, out);
}

// ---- align: the next generation ----

/** The barrier opens: who did not come is given up, and the group switches to its next generation. */
export function completeJoin(group: ClassicGroup, context: ApplyContext, out: Consequences): void {
  assert(group.state === 'PreparingRebalance', 'only a rebalance in preparation completes');
  cancelGroupTimer(group, 'join', out);
  cancelGroupTimer(group, 'initial', out);
  group.initial = null;
  const removed = [...group.members.values()].filter(
    (member) => !member.waiting && member.instanceId === null,
  );
  for (const member of removed) forgetMember(group, member, 'missed-rebalance', out);
  const waiting = [...group.members.values()].filter((member) => member.waiting);
  if (group.members.size > 0 && waiting.length === 0) {
    // Only static members, none of them back: Kafka waits for them until their sessions end.
    return armGroupTimer(group, 'join', rebalanceTimeoutMs(group), context, out);
  }
  group.generation = nextGeneration(group.generation);
  recordJoined(group, removed, context);
  if (group.members.size === 0) return becomeEmpty(group, context, out);
  if (group.leader === null || group.members.get(group.leader)?.waiting !== true)
    group.leader = waiting[0]!.memberId;
  group.protocolName = voteForProtocol(group);
  enter(group, 'CompletingRebalance');
  for (const member of group.members.values()) {
    const answers = member.waiting;
    member.waiting = false;
    member.waitingSince = null;
    member.isNew = false;
    member.pendingSync = true;
    member.assignment = new Uint8Array(0);
    armSession(group, member, context, out);
    if (answers)
      out.news.push({
        kind: 'join-answer',
        group: group.id,
        memberId: member.memberId,
        answer: joinAnswer(group, member.memberId),
      });
  }
  armGroupTimer(group, 'sync', rebalanceTimeoutMs(group), context, out);
}

const nextGeneration = (current: Generation): Generation => generation(current + 1);

function becomeEmpty(group: ClassicGroup, context: ApplyContext, out: Consequences): void {
  group.leader = null;
  group.protocolName = null;
  group.emptySince = context.at;
  group.fences.clear();
  enter(group, 'Empty');
  endRecord(group, { outcome: 'empty', stableAt: context.at }, out);
  out.news.push({ kind: 'group-empty', group: group.id, generation: group.generation });
}

/** What the members have in common. */
export function commonProtocols(group: ClassicGroup): Set<string> {
  const lists = [...group.members.values()].map(({ protocols }) => protocols.map(({ name }) => name));
  const [first = [], ...others] = lists;
  return new Set(first.filter((name) => others.every((names) => names.includes(name))));
}

/** Kafka: each member votes for the first of its protocols that all support. A tie goes to the leader's order. */
export function voteForProtocol(group: ClassicGroup): string {
  const candidates = commonProtocols(group);
  const votes = new Map<string, number>();
  for (const { protocols } of group.members.values()) {
    const choice = protocols.find(({ name }) => candidates.has(name));
    if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
  }
  const order = group.members.get(group.leader!)!.protocols.map(({ name }) => name);
  const best = order
    .filter((name) => votes.has(name))
    .sort((a, b) => votes.get(b)! - votes.get(a)! || order.indexOf(a) - order.indexOf(b))[0];
  const [winner] = [...votes].sort(([, a], [, b]) => b - a);
  assert(winner !== undefined, `the members of ${group.id} have a protocol in common`);
  return best !== undefined && votes.get(best) === winner[1] ? best : winner[0];
}

export function joinAnswer(group: ClassicGroup, memberId: MemberId): JoinAnswer {
  return {
    error: 'NONE',
    generation: group.generation,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leader: group.leader ?? '',
    memberId,
    skipAssignment: false,
    members: memberId === group.leader ? memberList(group) : [],
  };
}

export function memberList(group: ClassicGroup): JoinAnswer['members'] {
  return [...group.members.values()].map(({ memberId, instanceId, protocols }) => ({
    memberId,
    instanceId,
    metadata: protocols.find(({ name }) => name === group.protocolName)?.metadata ?? new Uint8Array(0),
  }));
}

export const joinRefused = (error: GroupError, memberId: MemberId): JoinAnswer => ({
  error,
  generation: generation(-1),
  protocolType: null,
  protocolName: null,
  leader: '',
  memberId,
  skipAssignment: false,
  members: [],
});

// ---- resume: the assignment ----

export function answerSync(
  group: ClassicGroup,
  member: ClassicMember,
  error: GroupError | 'NONE',
  out: Consequences,
): void {
  member.awaitingAssignment = false;
  const answer = error === 'NONE' ? syncAnswer(group, member) : syncRefused(error);
  out.news.push({ kind: 'sync-answer', group: group.id, memberId: member.memberId, answer });
}

export function syncAnswer(group: ClassicGroup, member: ClassicMember): SyncAnswer {
  const nothing = member.assignment.length === 0 && group.protocolType === CONSUMER_PROTOCOL_TYPE;
  return {
    error: 'NONE',
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    // kafka-clients P8: kafkajs cannot read zero bytes.
    assignment: nothing ? EMPTY_ASSIGNMENT : member.assignment,
  };
}

export const syncRefused = (error: GroupError): SyncAnswer => ({
  error,
  protocolType: null,
  protocolName: null,
  assignment: new Uint8Array(0),
});

/** The leader's assignment is in force: everybody who waits gets its share. */
export function becomeStable(group: ClassicGroup, context: ApplyContext, out: Consequences): void {
  enter(group, 'Stable');
  for (const member of group.members.values()) {
    if (!member.awaitingAssignment) continue;
    answerSync(group, member, 'NONE', out);
    armSession(group, member, context, out);
  }
  const ownerships = ownershipOf(group);
  const granted = group.fences.assign(ownerships ?? opaqueOwnership(group), context.slot, group.generation);
  const assignment = [...group.members.values()].map(({ memberId, clientId, assignment: bytes }) => ({
    memberId,
    clientId,
    topics: assignedPartitions(bytes) ?? [],
  }));
  endRecord(
    group,
    {
      outcome: 'stable',
      stableAt: context.at,
      assignment,
      partitionsMoved: ownerships === undefined ? null : granted,
    },
    out,
  );
}

/** Who owns which partition, when the protocol type is "consumer" and every assignment can be read. */
function ownershipOf(group: ClassicGroup): Ownership[] | undefined {
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined;
  const ownerships: Ownership[] = [];
  for (const { memberId, instanceId, assignment } of group.members.values()) {
    const topics = assignedPartitions(assignment);
    if (topics === undefined) return undefined;
    for (const { topic, partitions } of topics) {
      for (const partition of partitions)
        ownerships.push({ scope: partitionScope(group.id, topic, partition), owner: memberId, instanceId });
    }
  }
  return ownerships;
}

/** For opaque protocols the whole group is one scope, and each generation a new owner of it. */
function opaqueOwnership(group: ClassicGroup): Ownership[] {
  group.fences.clear();
  return [{ scope: group.id, owner: group.leader!, instanceId: null }];
}

// ---- removal ----

export type LeaveCause =
  | 'left'
  | 'session-expired'
  | 'missed-rebalance'
  | 'missed-sync'
  | 'replaced'
  | 'removed'
  | 'pending-expired';

/** The one way out of a group. What parked requests of the member get is UNKNOWN_MEMBER_ID. */
export function forgetMember(
  group: ClassicGroup,
  member: ClassicMember,
  cause: LeaveCause,
  out: Consequences,
): void {
  const { memberId, instanceId } = member;
  if (member.waiting)
    out.news.push({
      kind: 'join-answer',
      group: group.id,
      memberId,
      answer: joinRefused('UNKNOWN_MEMBER_ID', memberId),
    });
  if (member.awaitingAssignment) answerSync(group, member, 'UNKNOWN_MEMBER_ID', out);
  group.members.delete(memberId);
  if (instanceId !== null && group.staticMembers.get(instanceId) === memberId)
    group.staticMembers.delete(instanceId);
  if (group.leader === memberId) group.leader = null;
  group.fences.release(memberId);
  out.timers.push({ kind: 'cancel', group: group.id, timer: { kind: 'session', member: memberId } });
  out.news.push({ kind: 'member-left', group: group.id, memberId, cause });
}

/** After members were removed: whoever is left must share anew, or an open barrier may be complete now. */
export function afterRemoval(
  group: ClassicGroup,
  trigger: RebalanceTrigger,
  context: ApplyContext,
  out: Consequences,
): void {
  if (group.state === 'Stable' || group.state === 'CompletingRebalance')
    prepareRebalance(group, trigger, context, out);
  else maybeCompleteJoin(group, context, out);
}

// ---- the record of a rebalance, for people ----

function beginRecord(
  group: ClassicGroup,
  trigger: RebalanceTrigger,
  context: ApplyContext,
  out: Consequences,
): void {
  endRecord(group, { outcome: 'overtaken' }, out);
  const record: RebalanceRecord = {
    trigger,
    generationBefore: group.generation,
    generation: nextGeneration(group.generation),
    startedAt: context.at,
    joinedAt: null,
    stableAt: null,
    outcome: 'running',
    members: group.members.size,
    stragglers: [],
    assignment: [],
    partitionsMoved: null,
  };
  group.history = [...group.history, record].slice(-group.historyMax);
  out.news.push({ kind: 'rebalance-started', group: group.id, trigger });
}

function amend(group: ClassicGroup, change: Partial<RebalanceRecord>): RebalanceRecord | undefined {
  const last = group.history.at(-1);
  if (last?.outcome !== 'running') return undefined;
  const amended = { ...last, ...change };
  group.history[group.history.length - 1] = amended;
  return amended;
}

function endRecord(group: ClassicGroup, change: Partial<RebalanceRecord>, out: Consequences): void {
  const record = amend(group, change);
  if (record !== undefined) out.news.push({ kind: 'rebalance-ended', group: group.id, record });
}

function recordJoined(group: ClassicGroup, removed: readonly ClassicMember[], context: ApplyContext): void {
  const startedAt = group.history.at(-1)?.startedAt ?? context.at;
  const waited = (since: WallMs | null): number => Math.max(0, (since ?? context.at) - startedAt);
  const last = [...group.members.values()]
    .filter(({ waitingSince }) => waitingSince !== null)
    .sort((a, b) => waited(b.waitingSince) - waited(a.waitingSince))[0];
  const stragglers = removed.map(({ memberId }) => ({
    memberId,
    waitedMs: waited(context.at),
    removed: true,
  }));
  if (last !== undefined && waited(last.waitingSince) > 0) {
    stragglers.push({ memberId: last.memberId, waitedMs: waited(last.waitingSince), removed: false });
  }
  amend(group, {
    joinedAt: context.at,
    generation: group.generation,
    members: group.members.size,
    stragglers,
  });
}
