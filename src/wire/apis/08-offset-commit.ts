import { api } from '../api.js';
import { NO_UUID, array, field, int16, int32, int64, nullable, string, struct, uuid } from '../schema.js';

const request = {
  groupId: field(string),
  generationIdOrMemberEpoch: field(int32, { default: -1 }),
  memberId: field(string),
  groupInstanceId: field(nullable(string), { since: 7, default: null, essential: true }),
  retentionTimeMs: field(int64, { until: 4, default: -1 }),
  topics: field(
    array(
      struct({
        name: field(string, { until: 9, default: '' }),
        topicId: field(uuid, { since: 10, default: NO_UUID }),
        partitions: field(
          array(
            struct({
              partitionIndex: field(int32),
              committedOffset: field(int64),
              committedLeaderEpoch: field(int32, { since: 6, default: -1 }),
              committedMetadata: field(nullable(string)),
            }),
          ),
        ),
      }),
    ),
  ),
};
const response = {
  throttleTimeMs: field(int32, { since: 3, default: 0 }),
  topics: field(
    array(
      struct({
        name: field(string, { until: 9, default: '' }),
        topicId: field(uuid, { since: 10, default: NO_UUID }),
        partitions: field(array(struct({ partitionIndex: field(int32), errorCode: field(int16) }))),
      }),
    ),
  ),
};

/**
 * OffsetCommit (key 8).
 *
 * Progress of a group. Hot: see `fast/offset-commit.ts`.
 *
 * v2 the oldest Kafka 4 speaks; v3 throttle time; v4 same bytes; v5 no retention time any more; v6 leader epoch; v7 static
 * members (KIP-345); v8 flexible; v9 the generation may be a member epoch (KIP-848); v10 topics by id only (KIP-516).
 */
export const offsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  versions: [2, 10],
  flexibleFrom: 8,
  request,
  response,
});
