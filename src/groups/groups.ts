import {
  crc32cWord,
  generation,
  type Generation,
  type GroupId,
  type TopicName,
  type WallMs,
  wallMs,
} from '../kernel/index.js';
import { join } from './classic/join.js';
import { joinRefused, sessionMs, syncRefused } from './classic/rebalance.js';
import { expire, heartbeat, leave, mayCommit, sync } from './classic/requests.js';
import type { ClassicGroup, Consequences } from './classic/state.js';
import { assignedPartitions, CONSUMER_PROTOCOL_TYPE, subscribedTopics } from './consumer-protocol.js';
import { Fences } from './fences.js';
import { OffsetTable, type StoredOffset } from './offsets.js';
import type {
  ApplyContext,
  CommittedOffset,
  FenceGrant,
  GroupCommand,
  GroupDescription,
  GroupError,
  GroupOutcome,
  GroupReply,
  Groups,
  GroupSummary,
  HeartbeatQuestion,
  RebalanceRecord,
  TimerChange,
} from './types.js';

/** What a snapshot holds of a shard's groups. */
export interface GroupsState {
  readonly groups: Map<GroupId, ClassicGroup>;
  /** No generation at or below it was or will be used by a group made from now on. */
  generationFloor: Generation;
}

type Handlers = {
  [K in GroupCommand['kind']]: (
    command: Extract<GroupCommand, { kind: K }>,
    context: ApplyContext,
    out: Consequences,
  ) => GroupReply;
};

export function createGroups(
  state: GroupsState = { groups: new Map(), generationFloor: generation(0) },
): Groups {
  return new ShardGroups(state);
}

export function newClassicGroup(id: GroupId, generation: Generation, historyMax = 20): ClassicGroup {
  return {
    kind: 'classic',
    id,
    state: 'Empty',
    generation,
    protocolType: null,
    protocolName: null,
    leader: null,
    members: new Map(),
    staticMembers: new Map(),
    pending: new Map(),
    timers: new Map(),
    emptySince: null,
    initial: null,
    offsets: new OffsetTable(),
    fences: new Fences(),
    history: [],
    historyMax,
  };
}

export class ShardGroups implements Groups {
  readonly state: GroupsState;

  constructor(state: GroupsState) {
    this.state = state;
  }

  apply(command: GroupCommand, context: ApplyContext): GroupOutcome {
    const out: Consequences = { news: [], timers: [] };
    // The handler belongs to the command's kind by the type of the table.
    const handler = this.#handlers[command.kind] as (
      command: GroupCommand,
      context: ApplyContext,
      out: Consequences,
    ) => GroupReply;
    const reply = handler(command, context, out);
    return { reply, ...out };
  }

  readonly #handlers: Handlers = {
    'group.join': (command, context, out) => {
      const known = this.#group(command.group);
      if (known === undefined && command.memberId !== '') {
        return { kind: 'join', answer: joinRefused('UNKNOWN_MEMBER_ID', command.memberId) };
      }
      const group = known ?? this.#create(command.group);
      return join(group, command, context, out);
    },
    'group.sync': (command, context, out) => {
      const group = this.#group(command.group);
      return group === undefined
        ? { kind: 'sync', answer: syncRefused('UNKNOWN_MEMBER_ID') }
        : sync(group, command, context, out);
    },
    'group.leave': (command, context, out) => {
      const group = this.#group(command.group);
      return group === undefined
        ? { kind: 'leave', error: 'UNKNOWN_MEMBER_ID', members: [] }
        : leave(group, command, context, out);
    },
    'group.commit': (command, context) => this.#commit(command, context),
    'group.delete': (command, _context, out) => {
      const group = this.#group(command.group);
      if (group === undefined) return { kind: 'delete', error: 'GROUP_ID_NOT_FOUND' };
      if (group.state !== 'Empty' || group.pending.size > 0)
        return { kind: 'delete', error: 'NON_EMPTY_GROUP' };
      this.#drop(group, out);
      return { kind: 'delete', error: 'NONE' };
    },
    'group.deleteOffsets': (command) => this.#deleteOffsets(command),
    'group.expire': (command, context, out) => {
      const group = this.#group(command.group);
      if (group !== undefined) expire(group, command, context, out);
      return { kind: 'done' };
    },
    'group.expireOffsets': (command, context, out) => {
      for (const group of [...this.state.groups.values()])
        this.#expireOffsets(group, command.offsetsRetentionMs, context, out);
      return { kind: 'done' };
    },
    'group.topicDeleted': (command) => {
      for (const group of this.state.groups.values())
        group.offsets.removeTopic(command.topic, command.topicId);
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

  #drop(group: ClassicGroup, out: Consequences): void {
    this.state.generationFloor = generation(Math.max(this.state.generationFloor, group.generation));
    this.state.groups.delete(group.id);
    for (const member of group.pending.keys())
      out.timers.push({ kind: 'cancel', group: group.id, timer: { kind: 'pending', member } });
    out.timers.push({ kind: 'cancel-group', group: group.id });
    out.news.push({ kind: 'group-deleted', group: group.id });
  }

  #commit(command: Extract<GroupCommand, { kind: 'group.commit' }>, context: ApplyContext): GroupReply {
    const known = this.#group(command.group);
    const refused = (error: GroupError): GroupReply => ({ kind: 'commit', error, errors: [] });
    if (known === undefined && command.generation >= 0) {
      return refused(command.groupNotFoundKnown ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION');
    }
    const group = known ?? this.#create(command.group);
    const verdict = mayCommit(group, command);
    if (verdict !== 'NONE') return refused(verdict);
    const expiresAt = command.retentionMs === null ? null : wallMs(context.at + command.retentionMs);
    const errors = command.offsets.map((offset): GroupError | 'NONE' => {
      if (offset.metadata.length > command.offsetMetadataBytesMax) return 'OFFSET_METADATA_TOO_LARGE';
      group.offsets.put(offset, context.at, expiresAt);
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

  /** Kafka: KIP-211. An offset's time runs from when the group (or the topic within it) fell out of use. */
  #expireOffsets(group: ClassicGroup, retentionMs: number, context: ApplyContext, out: Consequences): void {
    const subscribed = group.members.size > 0 ? subscriptionOf(group) : undefined;
    const unusedSince = (offset: StoredOffset): WallMs | undefined => {
      if (group.state === 'Empty') return group.emptySince ?? offset.committedAt;
      if (subscribed === undefined || group.state !== 'Stable') return undefined;
      return subscribed.has(offset.topic) ? undefined : offset.committedAt;
    };
    group.offsets.expire(context.at, retentionMs, unusedSince);
    if (group.state === 'Empty' && group.pending.size === 0 && group.offsets.count === 0)
      this.#drop(group, out);
  }

  // ---- GroupsView ----

  heartbeat(question: HeartbeatQuestion): { readonly error: GroupError | 'NONE'; readonly renew: boolean } {
    const group = this.#group(question.group);
    return group === undefined ? { error: 'UNKNOWN_MEMBER_ID', renew: false } : heartbeat(group, question);
  }

  committed(id: GroupId, topic: TopicName, partition: number): CommittedOffset | undefined {
    return this.#group(id)?.offsets.get(topic, partition);
  }
  committedAll(id: GroupId): readonly CommittedOffset[] {
    return [...(this.#group(id)?.offsets.all() ?? [])];
  }

  list(): readonly GroupSummary[] {
    return [...this.state.groups.values()].map(summary);
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
  fences(id: GroupId): readonly FenceGrant[] {
    return this.#group(id)?.fences.all() ?? [];
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
    const words = [
      group.generation,
      group.members.size,
      group.offsets.count,
      group.pending.size,
      group.fences.size,
      STATES.indexOf(group.state),
    ];
    return words.reduce((crc, word) => crc32cWord(word, crc), previous);
  }
}

const STATES = ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead'];

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

/** What the members subscribe to; undefined when the protocol is opaque. */
function subscriptionOf(group: ClassicGroup): Set<TopicName> | undefined {
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined;
  const topics = new Set<TopicName>();
  for (const { protocols } of group.members.values()) {
    for (const { metadata } of protocols) {
      const subscribed = subscribedTopics(metadata);
      if (subscribed === undefined) return undefined;
      for (const topic of subscribed) topics.add(topic);
    }
  }
  return topics;
}
