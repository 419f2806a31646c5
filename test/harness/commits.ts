import {
  generation,
  groupId,
  type Int64,
  memberId,
  type TopicId,
  topicName,
} from '../../src/kernel/index.js';
import type { Command } from '../../src/machine/index.js';
import type { Replica } from '../../src/replica/index.js';

/** What the commits of the tests are about, unless they say otherwise. */
export const GROUP = groupId('billing');
export const TOPIC = topicName('t');

interface CommitOptions {
  readonly group?: string;
  readonly partition?: number;
  readonly topicId?: TopicId;
  readonly metadata?: string;
}

/** The commit of a client that is no member of a group. */
export function commit(
  offset: Int64,
  options: CommitOptions = {},
): Extract<Command, { kind: 'group.commit' }> {
  const { group = GROUP, partition = 0, topicId = null, metadata = '' } = options;
  return {
    kind: 'group.commit',
    group: groupId(group),
    generation: generation(-1),
    memberId: memberId(''),
    instanceId: null,
    groupNotFoundKnown: true,
    retentionMs: null,
    offsetMetadataBytesMax: 16_384,
    offsets: [{ topic: TOPIC, topicId, partition, offset, leaderEpoch: -1, metadata }],
  };
}

/** What a replica has applied of them, whether it leads or not. */
export const offsetAt = (replica: Replica): Int64 | undefined =>
  replica.peek(replica.shardOf(GROUP)).groups.committed(GROUP, TOPIC, 0)?.offset;
