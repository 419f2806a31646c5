import {
  generation,
  type GroupId,
  groupId,
  type InstanceId,
  instanceId,
  memberId as asMemberId,
  type MemberId,
  type ShardId,
} from '../../kernel/index.js';
import type { GroupReply, JoinAnswer, SyncAnswer } from '../../machine/index.js';
import {
  cutToString,
  errorCode,
  type ErrorName,
  fitsString,
  type ReplyOf,
  type RequestOf,
} from '../../wire/index.js';
import { awaitedKey, type AwaitedNews, type BrokerContext, type Handler } from '../context.js';
import type { Exchange } from '../exchange.js';
import type { ParkedKind, Release } from '../parked.js';
import type { Coordinator } from '../../replica/index.js';
import { NOT_COORDINATOR } from '../refusals.js';
import { PROTOCOLS_MAX } from '../request-limits.js';
import { settle } from '../settle.js';

const NO_GENERATION = -1;
const NO_BYTES = Buffer.alloc(0);
export const instanceOf = (name: string | null): InstanceId | null =>
  name === null ? null : instanceId(name);

export const joinGroup: Handler<'JoinGroup'> = (request, exchange, context) => {
  const { coordinator } = context;
  const { sessionTimeoutMsMin, sessionTimeoutMsMax } = coordinator.groupSettings;
  const refused = (code: number): void => exchange.answer(joinError(code, request.memberId));
  // Kafka: in this order, before anything about the group is known.
  if (request.groupId === '' || !fitsString(request.groupId)) return refused(errorCode('INVALID_GROUP_ID'));
  if (request.sessionTimeoutMs < sessionTimeoutMsMin || request.sessionTimeoutMs > sessionTimeoutMsMax)
    return refused(errorCode('INVALID_SESSION_TIMEOUT'));
  if (request.protocols.length > PROTOCOLS_MAX) return refused(errorCode('INVALID_REQUEST'));
  const group = groupId(request.groupId);
  if (request.memberId === '' && context.facts.takesNoMore(group))
    return refused(errorCode('POLICY_VIOLATION'));
  const shard = coordinator.shardOf(group);
  const { clientId, clientHost } = exchange.owner;
  if (request.memberId !== '') {
    exchange.owner.takeBack(issuedKey(group, asMemberId(request.memberId)));
    context.speakers.returned(group, asMemberId(request.memberId));
  }
  exchange.trace?.about(group, shard);
  coordinator.submit(
    shard,
    {
      kind: 'group.join',
      group,
      memberId: asMemberId(request.memberId),
      newMemberId: asMemberId(newMemberId(request.groupInstanceId ?? clientId, coordinator.uuid())),
      instanceId: instanceOf(request.groupInstanceId),
      clientId,
      clientHost,
      sessionTimeoutMs: request.sessionTimeoutMs,
      // JoinGroup v0 has one timeout for both. A negative one is over at once, as in Kafka.
      rebalanceTimeoutMs: Math.max(
        0,
        exchange.version === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
      ),
      protocolType: request.protocolType,
      protocols: request.protocols,
      memberIdRequired: exchange.version >= 4,
      canSkipAssignment: exchange.version >= 9,
      reason: request.reason,
      resuming: isResuming(request, group, exchange.owner.sentAway, context),
      settings: coordinator.groupSettings,
    },
    settle(
      context,
      'membership',
      ['join', 'join-parked'],
      (reply) => {
        const member = reply.kind === 'join' ? reply.answer.memberId : reply.memberId;
        if (request.memberId === '' && request.groupInstanceId === null)
          exchange.whenAbandoned(() => removeUnheard(context, group, member));
        if (reply.kind === 'join' && reply.answer.error === 'MEMBER_ID_REQUIRED')
          exchange.owner.whenClosed(issuedKey(group, member), () => forgetIssued(context, group, member));
        const taken = reply.kind === 'join-parked' || reply.answer.error === 'NONE';
        if (taken && request.groupInstanceId === null) context.speakers.spoke(group, member, exchange.owner);
        if (reply.kind === 'join') {
          if (reply.answer.error === 'NONE') coordinator.touch(group, reply.answer.memberId);
          return exchange.answer(joinReply(reply.answer));
        }
        park(context, exchange, 'join', shard, awaitedKey('join-answer', group, reply.memberId), (how) => {
          if (how.kind === 'news' && how.news.kind === 'join-answer')
            exchange.answer(joinReply(how.news.answer));
          else refused(NOT_COORDINATOR);
        });
      },
      refused,
    ),
    exchange.trace,
  );
};

/** The name that its client gave it, as much of it as can be sent, and a UUID. */
function newMemberId(name: string, uuid: string): string {
  return `${cutToString(name, uuid.length + 1)}-${uuid}`;
}

/**
 * The connection of a JoinGroup without an id ended before its answer left. Nobody knows the id that the member was given, so
 * nobody will ever speak for it: it goes, before it leads the group or is waited for. A static member comes back by its name.
 */
function removeUnheard({ coordinator, counters }: BrokerContext, group: GroupId, memberId: MemberId): void {
  const reason = 'its connection ended before it was told its id';
  coordinator.submit(
    coordinator.shardOf(group),
    { kind: 'group.leave', group, members: [{ memberId, instanceId: null, reason }] },
    // Refused: another replica leads by now, and the session of the member ends there.
    (outcome) => {
      if (outcome.kind !== 'ok') counters.refusal(outcome.kind);
    },
  );
}

const issuedKey = (group: GroupId, member: MemberId): string => `${group}\u0000${member}`;

/**
 * An id was handed out, and the connection that got it ended before its client joined with it (librdkafka #5569). A client
 * that has joined over another connection is a member by now, and no id that is waited for.
 */
function forgetIssued({ coordinator }: BrokerContext, group: GroupId, member: MemberId): void {
  const shard = coordinator.shardOf(group);
  const token = coordinator.peek(shard).groups.issuedToken(group, member);
  if (token === undefined) return;
  const timer = { kind: 'pending', member } as const;
  // Refused: another replica leads by now, where the id is forgotten in its own time.
  coordinator.submit(shard, { kind: 'group.expire', group, timer, token }, () => undefined);
}

/**
 * kafkajs answers NOT_COORDINATOR with a JoinGroup, and the JoinGroup of a group's leader begins a rebalance. When such a
 * join is the member's first word since the shard changed its leader, or the member got that very answer since it joined (the
 * others did not confirm in time that this replica leads), gives no reason, and every subscribed topic still has as many partitions as were shared out, nothing calls for
 * new assignments. A topic that appeared since had none.
 */
function isResuming(
  { memberId, reason }: RequestOf<'JoinGroup'>,
  group: GroupId,
  sentAway: boolean,
  { coordinator, facts }: BrokerContext,
): boolean {
  const member = asMemberId(memberId);
  if (memberId === '' || (reason ?? '') !== '') return false;
  if (coordinator.heard(group, member) && !sentAway) return false;
  const shared = coordinator.peek(coordinator.shardOf(group)).groups.sharedOut(group, member);
  if (shared === undefined) return false;
  return [...shared].every(
    ([topic, partitions]) => (facts.topics.byName(topic)?.partitions ?? 0) === partitions,
  );
}

export const syncGroup: Handler<'SyncGroup'> = (request, exchange, context) => {
  const { coordinator } = context;
  const { disconnectGraceMs } = context.settings;
  const refused = (code: number): void => exchange.answer(syncError(code));
  // Kafka: KIP-559. From v5 on both must be there, whatever the group.
  if (exchange.version >= 5 && (request.protocolType === null || request.protocolName === null))
    return refused(errorCode('INCONSISTENT_GROUP_PROTOCOL'));
  if (request.groupId === '') return refused(errorCode('INVALID_GROUP_ID'));
  const group = groupId(request.groupId);
  const shard = coordinator.shardOf(group);
  exchange.trace?.about(group, shard, request.generationId);
  coordinator.submit(
    shard,
    {
      kind: 'group.sync',
      group,
      generation: generation(request.generationId),
      memberId: asMemberId(request.memberId),
      instanceId: instanceOf(request.groupInstanceId),
      protocolType: request.protocolType,
      protocolName: request.protocolName,
      assignments: request.assignments.map(({ memberId, assignment }) => ({
        memberId: asMemberId(memberId),
        assignment,
      })),
    },
    settle(
      context,
      'membership',
      ['sync', 'sync-parked'],
      (reply) => {
        const taken = reply.kind === 'sync-parked' || reply.answer.error === 'NONE';
        if (taken && request.groupInstanceId === null)
          context.speakers.spoke(group, asMemberId(request.memberId), exchange.owner);
        const answer = (to: MemberId, sync: SyncAnswer): void =>
          exchange.answer({
            ...syncReply(sync),
            ...fenceTokens(coordinator, group, to, sync),
            ...(sync.error === 'NONE' && request.groupInstanceId === null && { disconnectGraceMs }),
          });
        if (reply.kind === 'sync') return answer(asMemberId(request.memberId), reply.answer);
        park(context, exchange, 'sync', shard, awaitedKey('sync-answer', group, reply.memberId), (how) => {
          if (how.kind === 'news' && how.news.kind === 'sync-answer') answer(reply.memberId, how.news.answer);
          else refused(NOT_COORDINATOR);
        });
      },
      refused,
    ),
    exchange.trace,
  );
};

/**
 * Parks a request of a member until its news comes. It needs no deadline of its own: the machine ends every barrier,
 * and a client that gives up earlier ends its connection.
 */
function park(
  context: BrokerContext,
  exchange: Exchange<'JoinGroup'> | Exchange<'SyncGroup'>,
  kind: ParkedKind,
  shard: ShardId,
  key: string,
  released: (how: Release<AwaitedNews>) => void,
): void {
  // Applied here after the lead was lost: the news will be told by another replica.
  if (!context.coordinator.serves(shard)) return released({ kind: 'coordinator-lost' });
  exchange.trace?.parked();
  exchange.parkedAs(context.parked.park({ kind, shard, key, released }));
}

export const leaveGroup: Handler<'LeaveGroup'> = (request, exchange, context) => {
  const { coordinator } = context;
  const batch = exchange.version >= 3;
  const leaving = batch
    ? request.members
    : [{ memberId: request.memberId, groupInstanceId: null, reason: null }];
  if (request.groupId === '') return exchange.answer({ errorCode: errorCode('INVALID_GROUP_ID') });
  const group = groupId(request.groupId);
  const left: LeaveReply['members'][number][] = [];
  const next = (): void => {
    const members = leaving.slice(left.length, left.length + LEAVERS_A_COMMAND);
    coordinator.submit(
      coordinator.shardOf(group),
      {
        kind: 'group.leave',
        group,
        members: members.map(({ memberId, groupInstanceId, reason }) => ({
          memberId: asMemberId(memberId),
          instanceId: instanceOf(groupInstanceId),
          reason,
        })),
      },
      settle(
        context,
        'membership',
        ['leave'],
        (reply) => {
          left.push(...reply.members);
          if (reply.members.length > 0 && left.length < leaving.length) return next();
          const whole = { ...reply, members: left };
          exchange.answer(batch ? batchLeft(whole, leaving) : { errorCode: errorCode(oneLeft(whole)) });
        },
        (code) => exchange.answer({ errorCode: code }),
      ),
    );
  };
  next();
};

/** One command removes no more: every replica applies it in one go. */
const LEAVERS_A_COMMAND = 250;

type LeaveReply = Extract<GroupReply, { kind: 'leave' }>;
/** Before v3 one member leaves, and its error is the error of the answer (docs/clients.md#fields-that-move). */
function oneLeft(reply: LeaveReply): ErrorName {
  return reply.error !== 'NONE' ? reply.error : (reply.members[0]?.error ?? 'NONE');
}
function batchLeft(
  reply: LeaveReply,
  leaving: readonly { readonly memberId: string; readonly groupInstanceId: string | null }[],
): ReplyOf<'LeaveGroup'> {
  // Kafka: of a group that is not there, each member is unknown, and the answer as a whole is no error.
  if (reply.error === 'UNKNOWN_MEMBER_ID' && reply.members.length === 0) {
    const unknown = errorCode(reply.error);
    const members = leaving.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      errorCode: unknown,
    }));
    return { errorCode: 0, members };
  }
  return {
    errorCode: errorCode(reply.error),
    members: reply.members.map(({ memberId, instanceId: instance, error }) => ({
      memberId,
      groupInstanceId: instance,
      errorCode: errorCode(error),
    })),
  };
}

function joinReply(answer: JoinAnswer): ReplyOf<'JoinGroup'> {
  return {
    errorCode: errorCode(answer.error),
    generationId: answer.generation,
    protocolType: answer.protocolType,
    protocolName: answer.protocolName,
    leader: answer.leader,
    skipAssignment: answer.skipAssignment,
    memberId: answer.memberId,
    members: answer.members.map(({ memberId, instanceId: instance, metadata }) => ({
      memberId,
      groupInstanceId: instance,
      metadata,
    })),
  };
}
function joinError(code: number, member: MemberId | string): ReplyOf<'JoinGroup'> {
  return {
    errorCode: code,
    generationId: NO_GENERATION,
    protocolName: null,
    leader: '',
    memberId: member,
    members: [],
  };
}
function syncReply(answer: SyncAnswer): ReplyOf<'SyncGroup'> {
  return {
    errorCode: errorCode(answer.error),
    protocolType: answer.protocolType,
    protocolName: answer.protocolName,
    assignment: answer.assignment,
  };
}
/** The tokens of the member's partitions, for clients that know the field; older versions of the API leave it out. */
function fenceTokens(
  coordinator: Coordinator,
  group: GroupId,
  member: MemberId,
  { error, assignment }: SyncAnswer,
): Pick<ReplyOf<'SyncGroup'>, 'fenceTokens'> {
  if (error !== 'NONE') return {};
  const { groups } = coordinator.peek(coordinator.shardOf(group));
  return { fenceTokens: groups.tokensOf(group, member, assignment) };
}
function syncError(code: number): ReplyOf<'SyncGroup'> {
  return { errorCode: code, assignment: NO_BYTES };
}
