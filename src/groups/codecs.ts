import {
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

const offset = codec.struct<OffsetToCommit>({
  topic: topicName,
  topicId: text,
  partition: codec.int,
  offset: codec.int64,
  leaderEpoch: codec.int,
  metadata: codec.string,
});

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
  'group.commit': {
    tag: 4,
    codec: codec.struct({
      group: groupId,
      generation,
      memberId,
      instanceId,
      groupNotFoundKnown: codec.boolean,
      retentionMs: codec.nullable(codec.double),
      offsetMetadataBytesMax: codec.uint,
      offsets: codec.array(offset),
    }),
  },
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
