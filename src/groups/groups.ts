import {
  crc32cWord,
  fenceToken,
  generation,
  type Generation,
  type GroupId,
  type MemberId,
  type TopicName,
  type WallMs,
  wallMs,
} from '../kernel/index.js';
import { joinRefused, syncRefused } from './classic/answers.js';
import { callRoll, unanswered } from './classic/roll-call.js';
import { join } from './classic/join.js';
import { expire, heartbeat, leave, mayCommit, sync } from './classic/requests.js';
import { missingMembers } from './classic/members.js';
import { type ClassicGroup, newClassicGroup } from './classic/state.js';
import type { ClassicState } from './classic/states.js';
import { sharedOut, subscriptionOf } from './classic/subscriptions.js';
import { sessionMs } from './classic/timers.js';
import { type Step, turnOf } from './classic/turn.js';
import type { Cut } from './cut.js';
import { assignedPartitions, CONSUMER_PROTOCOL_TYPE } from './consumer-protocol.js';
import { expirable, isUnused, pastRetention } from './expiry.js';
import { partitionScope } from './fences.js';
import { furthest, type FurthestPlaces } from './furthest.js';
import { begunOutcome, stepOf, wholeOf } from './steps.js';
import type { GroupCommand, TopicPartitions } from './types/commands.js';
import type { RebalanceRecord } from './types/history.js';
import type { GroupError, GroupReply, Verdict } from './types/replies.js';
import type { TimerChange } from './types/timers.js';
import type {
  ApplyContext,
  BegunOutcome,
  CommittedOffset,
  Expirable,
  FenceGrant,
  GroupDescription,
  GroupOutcome,
  Groups,
  GroupSummary,
  HeartbeatAnswer,
  HeartbeatQuestion,
  PartitionTokens,
} from './types/views.js';

/** What a snapshot holds of a shard's groups. */
export interface GroupsState {
  readonly groups: Map<GroupId, ClassicGroup>;
  /** The highest generation of any deleted group. A new group starts above it, so generations never repeat. */
  generationFloor: Generation;
  /** Fence tokens are above this. 0: the cluster was formed by version 0.1.0, and has not been told yet. */
  tokensFrom: number;
}

type Handlers = {
  [K in GroupCommand['kind']]: (command: Extract<GroupCommand, { kind: K }>, step: Step) => GroupReply;
};

type LeavingMember = Extract<GroupCommand, { kind: 'group.leave' }>['members'][number];
type LeftMember = Extract<GroupReply, { kind: 'leave' }>['members'][number];

export function createGroups(
  state: GroupsState = { groups: new Map(), generationFloor: generation(0), tokensFrom: 0 },
): Groups {
  return new ShardGroups(state);
}

export class ShardGroups implements Groups {
  /** Snapshots that are being written. */
  readonly cuts = new Set<Cut>();

  constructor(readonly state: GroupsState) {}

  apply(command: GroupCommand, context: ApplyContext): GroupOutcome {
    return wholeOf(this.begin(command, context));
  }

  begin(command: GroupCommand, context: ApplyContext): BegunOutcome {
    if (this.cuts.size > 0) for (const cut of this.cuts) cut.before(command);
    const step = stepOf(context, fenceToken(this.state.tokensFrom + context.slot));
    // The handler belongs to the command's kind by the type of the table.
    const handler = this.#handlers[command.kind] as (command: GroupCommand, step: Step) => GroupReply;
    return begunOutcome(handler(command, step), step);
  }

  readonly #handlers: Handlers = {
    'group.join': (command, step) => {
      const known = this.#group(command.group);
      if (known === undefined && command.memberId !== '') {
        return { kind: 'join', answer: joinRefused('UNKNOWN_MEMBER_ID', command.memberId) };
      }
      return join(turnOf(known ?? this.#create(command.group), step), command);
    },
    'group.sync': (command, step) => {
      const group = this.#group(command.group);
      return group === undefined
        ? { kind: 'sync', answer: syncRefused('UNKNOWN_MEMBER_ID') }
        : sync(turnOf(group, step), command);
    },
    'group.leave': (command, step) => {
      const group = this.#group(command.group);
      return group === undefined
        ? { kind: 'leave', error: 'NONE', members: command.members.map(unknownLeaver) }
        : leave(turnOf(group, step), command);
    },
    'group.commit': (command, step) => this.#commit(command, step),
    'group.delete': (command, step) => {
      const group = this.#group(command.group);
      if (group === undefined) return { kind: 'delete', error: 'GROUP_ID_NOT_FOUND' };
      // Kafka: ids that were only handed out do not count.
      if (group.state !== 'Empty') return { kind: 'delete', error: 'NON_EMPTY_GROUP' };
      this.#drop(group, step);
      return { kind: 'delete', error: 'NONE' };
    },
    'group.deleteOffsets': (command) => this.#deleteOffsets(command),
    'group.expire': (command, step) => {
      const group = this.#group(command.group);
      if (group !== undefined) expire(turnOf(group, step), command);
      return { kind: 'done' };
    },
    'group.expireOffsets': (command, step) => {
      for (const group of [...this.state.groups.values()])
        this.#expireOffsets(group, command.offsetsRetentionMs, step);
      return { kind: 'done' };
    },
    'group.expireThese': ({ offsetsRetentionMs, groups }, step) => {
      for (const { group: id, topics } of groups) {
        const group = this.#group(id);
        if (group !== undefined) this.#expireThese(group, topics, offsetsRetentionMs, step);
      }
      return { kind: 'done' };
    },
    'group.rollCall': ({ quietMs }, step) => {
      for (const each of this.state.groups.values())
        step.rest.push(() => callRoll(turnOf(each, step), quietMs));
      return { kind: 'done' };
    },
    'group.startTokens': ({ from }) => {
      this.state.tokensFrom = Math.max(this.state.tokensFrom, from);
      return { kind: 'done' };
    },
    'group.topicDeleted': ({ topic, topicId }) => {
      for (const { offsets } of this.state.groups.values()) offsets.removeTopic(topic, topicId);
      return { kind: 'done' };
    },
  };

  #group(id: GroupId): ClassicGroup | undefined {
    return this.state.groups.get(id);
  }

  #create(id: GroupId): ClassicGroup {
    const group = newClassicGroup(id, this.state.generationFloor);
    this.state.groups.set(id, group);
    return group;
  }

  #drop(group: ClassicGroup, { news, timers }: Step): void {
    this.state.generationFloor = generation(Math.max(this.state.generationFloor, group.generation));
    this.state.groups.delete(group.id);
    for (const member of group.pending.keys())
      timers.push({ kind: 'cancel', group: group.id, timer: { kind: 'pending', member } });
    timers.push({ kind: 'cancel-group', group: group.id });
    news.push({ kind: 'group-deleted', group: group.id });
  }

  #commit(command: Extract<GroupCommand, { kind: 'group.commit' }>, { at }: Step): GroupReply {
    const known = this.#group(command.group);
    const refused = (error: GroupError): GroupReply => ({ kind: 'commit', error, errors: [] });
    if (known === undefined && command.generation >= 0) {
      return refused(command.groupNotFoundKnown ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION');
    }
    const verdict = known === undefined ? 'NONE' : mayCommit(known, command);
    if (verdict !== 'NONE') return refused(verdict);
    const fits = ({ metadata }: { readonly metadata: string }): boolean =>
      metadata.length <= command.offsetMetadataBytesMax;
    // Kafka: a commit of which nothing is taken makes no group.
    if (known === undefined && !command.offsets.some(fits))
      return { kind: 'commit', error: 'NONE', errors: command.offsets.map(() => TOO_LONG) };
    const group = known ?? this.#create(command.group);
    const expiresAt = command.retentionMs === null ? null : wallMs(at + command.retentionMs);
    const errors = command.offsets.map((offset): Verdict => {
      if (!fits(offset)) return TOO_LONG;
      group.offsets.put(offset, at, expiresAt);
      return 'NONE';
    });
    return { kind: 'commit', error: 'NONE', errors };
  }

  #deleteOffsets(command: Extract<GroupCommand, { kind: 'group.deleteOffsets' }>): GroupReply {
    const group = this.#group(command.group);
    if (group === undefined) return { kind: 'deleteOffsets', error: 'GROUP_ID_NOT_FOUND', topics: [] };
    const subscribed = group.members.size > 0 ? subscriptionOf(group) : new Set<TopicName>();
    if (subscribed === undefined) return { kind: 'deleteOffsets', error: 'NON_EMPTY_GROUP', topics: [] };
    const topics = command.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map((partition) => {
        if (subscribed.has(topic)) return { partition, error: 'GROUP_SUBSCRIBED_TO_TOPIC' as const };
        group.offsets.remove(topic, partition);
        return { partition, error: 'NONE' as const };
      }),
    }));
    return { kind: 'deleteOffsets', error: 'NONE', topics };
  }

  #expireOffsets(group: ClassicGroup, retentionMs: number, step: Step): void {
    const past = pastRetention(group, step.at, retentionMs);
    for (const offset of [...group.offsets.all()])
      if (past(offset)) group.offsets.remove(offset.topic, offset.partition);
    if (isUnused(group)) this.#drop(group, step);
  }

  #expireThese(
    group: ClassicGroup,
    topics: readonly TopicPartitions[],
    retentionMs: number,
    step: Step,
  ): void {
    const past = pastRetention(group, step.at, retentionMs);
    for (const { topic, partitions } of topics) {
      for (const partition of partitions) {
        const offset = group.offsets.get(topic, partition);
        if (offset !== undefined && past(offset)) group.offsets.remove(topic, partition);
      }
    }
    if (isUnused(group)) this.#drop(group, step);
  }

  // ---- GroupsView ----
  heartbeat(question: HeartbeatQuestion): HeartbeatAnswer {
    const group = this.#group(question.group);
    return group === undefined ? { error: 'UNKNOWN_MEMBER_ID', renew: false } : heartbeat(group, question);
  }

  committed(id: GroupId, topic: TopicName, partition: number): CommittedOffset | undefined {
    return this.#group(id)?.offsets.get(topic, partition);
  }
  committedCount(id: GroupId): number {
    return this.#group(id)?.offsets.count ?? 0;
  }
  committedAll(id: GroupId): Iterable<CommittedOffset> {
    return this.#group(id)?.offsets.all() ?? [];
  }

  furthest(places: FurthestPlaces): ReturnType<Groups['furthest']> {
    return furthest(this.state.groups.values(), places);
  }

  has(id: GroupId): boolean {
    return this.state.groups.has(id);
  }
  issuedToken(id: GroupId, member: MemberId): number | undefined {
    return this.#group(id)?.pending.get(member)?.token;
  }
  *missing(id: GroupId, timer: 'join' | 'sync'): Iterable<MemberId> {
    const group = this.#group(id);
    if (group !== undefined) for (const { memberId } of missingMembers(group, timer)) yield memberId;
  }
  *dynamicMembers(id: GroupId): Iterable<MemberId> {
    for (const { memberId, instanceId } of this.#group(id)?.members.values() ?? [])
      if (instanceId === null) yield memberId;
  }
  expirable(at: WallMs, retentionMs: number): Iterable<Expirable | null> {
    return expirable(this.state.groups, at, retentionMs);
  }
  *list(): Iterable<GroupSummary> {
    for (const group of this.state.groups.values()) yield summary(group);
  }

  describe(id: GroupId): GroupDescription | undefined {
    const group = this.#group(id);
    if (group === undefined) return undefined;
    return {
      ...summary(group),
      protocolName: group.protocolName,
      leader: group.leader,
      memberDetails: [...group.members.values()].map((member) => ({
        memberId: member.memberId,
        instanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        sessionTimeoutMs: member.sessionTimeoutMs,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        waiting: member.waiting,
        metadata:
          member.protocols.find(({ name }) => name === group.protocolName)?.metadata ?? new Uint8Array(0),
        assignment: member.assignment,
        partitions:
          group.protocolType === CONSUMER_PROTOCOL_TYPE
            ? (assignedPartitions(member.assignment) ?? null)
            : null,
      })),
    };
  }

  rebalances(id: GroupId): readonly RebalanceRecord[] {
    return this.#group(id)?.history ?? [];
  }
  fences(id: GroupId, owner?: MemberId): readonly FenceGrant[] {
    const fences = this.#group(id)?.fences;
    return (owner === undefined ? fences?.all() : fences?.of(owner)) ?? [];
  }
  tokensOf(id: GroupId, member: MemberId, assignment: Uint8Array): readonly PartitionTokens[] {
    const group = this.#group(id);
    if (group?.protocolType !== CONSUMER_PROTOCOL_TYPE) return [];
    return (assignedPartitions(assignment) ?? []).map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.flatMap((partition) => {
        const token = group.fences.tokenOf(partitionScope(id, topic, partition), member);
        return token === undefined ? [] : [{ partition, token }];
      }),
    }));
  }
  ownerOf(id: GroupId, at: Generation, topic: TopicName, partition: number): MemberId | undefined {
    const group = this.#group(id);
    return group?.generation === at ? group.fences.ownerOf(partitionScope(id, topic, partition)) : undefined;
  }

  sharedOut(id: GroupId, leader: MemberId): ReadonlyMap<TopicName, number> | undefined {
    const group = this.#group(id);
    if (group?.leader !== leader || group.state !== 'Stable') return undefined;
    return sharedOut(group);
  }

  timers(): readonly Extract<TimerChange, { kind: 'arm' }>[] {
    const armed: Extract<TimerChange, { kind: 'arm' }>[] = [];
    for (const group of this.state.groups.values()) {
      const { id } = group;
      for (const member of group.members.values()) {
        const timer = { kind: 'session', member: member.memberId } as const;
        armed.push({ kind: 'arm', group: id, timer, afterMs: sessionMs(member), token: member.sessionToken });
      }
      for (const [member, { timeoutMs, token }] of group.pending) {
        armed.push({ kind: 'arm', group: id, timer: { kind: 'pending', member }, afterMs: timeoutMs, token });
      }
      for (const [kind, { afterMs, token }] of group.timers)
        armed.push({ kind: 'arm', group: id, timer: { kind }, afterMs, token });
    }
    return armed;
  }

  get hasUnanswered(): boolean {
    for (const group of this.state.groups.values()) for (const _ of unanswered(group)) return true;
    return false;
  }
  get tokensFrom(): number {
    return this.state.tokensFrom;
  }
  get groupCount(): number {
    return this.state.groups.size;
  }
  get memberCount(): number {
    let count = 0;
    for (const { members } of this.state.groups.values()) count += members.size;
    return count;
  }
  get offsetCount(): number {
    let count = 0;
    for (const { offsets } of this.state.groups.values()) count += offsets.count;
    return count;
  }

  fingerprint(id: GroupId, previous: number): number {
    const group = this.#group(id);
    if (group === undefined) return crc32cWord(this.state.generationFloor, previous);
    let crc = crc32cWord(group.generation, previous);
    crc = crc32cWord(group.members.size, crc);
    crc = crc32cWord(group.offsets.count, crc);
    crc = crc32cWord(group.pending.size, crc);
    crc = crc32cWord(group.fences.size, crc);
    return crc32cWord(STATES.indexOf(group.state), crc);
  }
}

const TOO_LONG: Verdict = 'OFFSET_METADATA_TOO_LARGE';

/** The numbers of the states in a fingerprint. Replicas of different versions compare them: never change the order. */
const STATES: readonly ClassicState[] = ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'];

/** Kafka: KIP-345. From v3 on a missing group is no error of the whole answer. */
const unknownLeaver = ({ memberId, instanceId }: LeavingMember): LeftMember => ({
  memberId,
  instanceId,
  error: 'UNKNOWN_MEMBER_ID',
});

function summary(group: ClassicGroup): GroupSummary {
  return {
    group: group.id,
    type: 'classic',
    state: group.state,
    protocolType: group.protocolType ?? '',
    members: group.members.size,
    generation: group.generation,
  };
}
