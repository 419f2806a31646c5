import {
  type Codec,
  codec,
  type Generation,
  type FenceToken,
  type GroupId,
  type InstanceId,
  type MemberId,
  type TopicName,
  type WallMs,
} from '../kernel/index.js';
import type { GroupCommand, JoinProtocol, OffsetToCommit, TopicPartitions } from './types/commands.js';
import type { RebalanceRecord, RebalanceTrigger } from './types/history.js';
import type { Timer } from './types/timers.js';
import type { FenceGrant } from './types/views.js';

/** The bytes of this room's types, in the log and in snapshots. Tags and the order of fields never change. */
export const groupId = codec.branded<GroupId, string>()(codec.string);
export const memberId = codec.branded<MemberId, string>()(codec.string);
export const topicName = codec.branded<TopicName, string>()(codec.string);
export const generation = codec.branded<Generation, number>()(codec.int);
export const wallMs = codec.branded<WallMs, number>()(codec.double);
export const instanceId = codec.nullable(codec.branded<InstanceId, string>()(codec.string));
const text = codec.nullable(codec.string);

export const joinProtocol = codec.struct<JoinProtocol>({ name: codec.string, metadata: codec.bytes });
const topicPartitions = codec.struct<TopicPartitions>({
  topic: topicName,
  partitions: codec.array(codec.int),
});

/** By hand, as the commit around it: every replica reads each, and by a schema that takes three times as long. */
const offset: Codec<OffsetToCommit> = {
  write: (w, v) => {
    w.string(v.topic);
    text.write(w, v.topicId);
    w.zigzag(v.partition);
    codec.int64.write(w, v.offset);
    w.zigzag(v.leaderEpoch);
    w.string(v.metadata);
  },
  read: (r) => ({
    topic: r.string() as TopicName,
    topicId: text.read(r),
    partition: r.zigzag(),
    offset: codec.int64.read(r),
    leaderEpoch: r.zigzag(),
    metadata: r.string(),
  }),
};
const offsets = codec.array(offset);
const retention = codec.nullable(codec.double);

type Commit = Extract<GroupCommand, { kind: 'group.commit' }>;
const commit: Codec<Commit> = {
  write: (w, v) => {
    w.string(v.group);
    w.zigzag(v.generation);
    w.string(v.memberId);
    instanceId.write(w, v.instanceId);
    w.u8(v.groupNotFoundKnown ? 1 : 0);
    retention.write(w, v.retentionMs);
    w.varint(v.offsetMetadataBytesMax);
    offsets.write(w, v.offsets);
  },
  read: (r) => ({
    kind: 'group.commit',
    group: r.string() as GroupId,
    generation: r.zigzag() as Generation,
    memberId: r.string() as MemberId,
    instanceId: instanceId.read(r),
    groupNotFoundKnown: r.u8() === 1,
    retentionMs: retention.read(r),
    offsetMetadataBytesMax: r.varint(),
    offsets: offsets.read(r),
  }),
};

const member = { member: memberId };
const timer = codec.union<Timer>({
  session: { tag: 1, codec: codec.struct(member) },
  pending: { tag: 2, codec: codec.struct(member) },
  initial: { tag: 3, codec: codec.struct({}) },
  join: { tag: 4, codec: codec.struct({}) },
  sync: { tag: 5, codec: codec.struct({}) },
});

export const groupCommandCodec = codec.union<GroupCommand>({
  'group.join': {
    tag: 1,
    codec: codec.struct({
      group: groupId,
      memberId,
      newMemberId: memberId,
      instanceId,
      clientId: codec.string,
      clientHost: codec.string,
      sessionTimeoutMs: codec.uint,
      rebalanceTimeoutMs: codec.uint,
      protocolType: codec.string,
      protocols: codec.array(joinProtocol),
      memberIdRequired: codec.boolean,
      canSkipAssignment: codec.boolean,
      reason: text,
      resuming: codec.boolean,
      settings: codec.struct({
        groupSizeMax: codec.uint,
        initialQuietMs: codec.uint,
        initialDelayMsMax: codec.uint,
        rebalanceRecordsMax: codec.uint,
      }),
    }),
  },
  'group.sync': {
    tag: 2,
    codec: codec.struct({
      group: groupId,
      generation,
      memberId,
      instanceId,
      protocolType: text,
      protocolName: text,
      assignments: codec.array(codec.struct({ memberId, assignment: codec.bytes })),
    }),
  },
  'group.leave': {
    tag: 3,
    codec: codec.struct({
      group: groupId,
      members: codec.array(codec.struct({ memberId, instanceId, reason: text })),
    }),
  },
  'group.commit': { tag: 4, codec: commit },
  'group.delete': { tag: 5, codec: codec.struct({ group: groupId }) },
  'group.deleteOffsets': {
    tag: 6,
    codec: codec.struct({ group: groupId, topics: codec.array(topicPartitions) }),
  },
  'group.expire': { tag: 7, codec: codec.struct({ group: groupId, timer, token: codec.uint }) },
  'group.expireOffsets': { tag: 8, codec: codec.struct({ offsetsRetentionMs: codec.uint }) },
  'group.topicDeleted': { tag: 9, codec: codec.struct({ topic: topicName, topicId: codec.string }) },
  'group.expireThese': {
    tag: 11,
    codec: codec.struct({
      offsetsRetentionMs: codec.uint,
      groups: codec.array(codec.struct({ group: groupId, topics: codec.array(topicPartitions) })),
    }),
  },
  'group.rollCall': { tag: 12, codec: codec.struct({ quietMs: codec.uint }) },
  'group.startTokens': { tag: 10, codec: codec.struct({ from: codec.uint }) },
});

export const fenceGrant = codec.struct<FenceGrant>({
  scope: codec.string,
  owner: memberId,
  instanceId,
  token: codec.branded<FenceToken, number>()(codec.uint),
  generation,
});

const trigger = codec.struct<RebalanceTrigger>({
  cause: codec.oneOf(
    'member-joined',
    'member-left',
    'session-expired',
    'subscription-changed',
    'leader-rejoined',
    'static-replaced',
    'sync-missed',
  ),
  memberId: codec.nullable(memberId),
  reason: text,
});

export const rebalanceRecord = codec.struct<RebalanceRecord>({
  trigger,
  generationBefore: generation,
  generation,
  startedAt: wallMs,
  joinedAt: codec.nullable(wallMs),
  stableAt: codec.nullable(wallMs),
  outcome: codec.oneOf('running', 'stable', 'empty', 'overtaken'),
  members: codec.uint,
  stragglers: codec.array(codec.struct({ memberId, waitedMs: codec.double, removed: codec.boolean })),
  assignment: codec.array(
    codec.struct({ memberId, clientId: codec.string, topics: codec.array(topicPartitions) }),
  ),
  partitionsMoved: codec.nullable(codec.uint),
});
