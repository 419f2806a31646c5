import type { Int64 } from '../../../src/kernel/index.js';
import type { RequestInputByKey } from '../../../src/wire/index.js';

/** Requests as clients send them, with what a test does not care about filled in. */
export const heartbeatOf = (group: string, member = 'm-1', generation = 1): RequestInputByKey[12] => ({
  groupId: group,
  generationId: generation,
  memberId: member,
});
export const joinOf = (
  group: string,
  overrides: Partial<RequestInputByKey[11]> = {},
): RequestInputByKey[11] => ({
  groupId: group,
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 60_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: Buffer.from('subscription') }],
  ...overrides,
});
export const syncOf = (
  group: string,
  overrides: Partial<RequestInputByKey[14]> = {},
): RequestInputByKey[14] => ({
  groupId: group,
  generationId: 1,
  memberId: 'm-1',
  assignments: [],
  ...overrides,
});
export const fetchOf = (
  topic: string,
  partition = 0,
  overrides: Partial<RequestInputByKey[1]> = {},
): RequestInputByKey[1] => ({
  maxWaitMs: 5_000,
  minBytes: 1,
  topics: [{ topic, partitions: [{ partition, fetchOffset: 7, partitionMaxBytes: 1_048_576 }] }],
  ...overrides,
});
export const commitOf = (
  group: string,
  topic: string,
  offset: Int64,
  overrides: Partial<RequestInputByKey[8]> = {},
): RequestInputByKey[8] => ({
  groupId: group,
  generationIdOrMemberEpoch: 1,
  memberId: 'm-1',
  topics: [
    { name: topic, partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'note' }] },
  ],
  ...overrides,
});
export const fetchOffsetsOf = (group: string, topic: string): RequestInputByKey[9] => ({
  groupId: group,
  topics: [{ name: topic, partitionIndexes: [0] }],
});
export const endOf = (topic: string, timestamp: Int64, partitions = 1): RequestInputByKey[2] => ({
  replicaId: -1,
  topics: [
    {
      name: topic,
      partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp })),
    },
  ],
});
