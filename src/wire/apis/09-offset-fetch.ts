import { api } from '../api.js';
import {
  NO_UUID,
  array,
  boolean,
  field,
  int16,
  int32,
  int64,
  nullable,
  string,
  struct,
  uuid,
} from '../schema.js';

const request = {
  groupId: field(string, { until: 7, default: '', essential: true }),
  topics: field(
    nullable(array(struct({ name: field(string), partitionIndexes: field(array(int32)) })), { since: 2 }),
    { until: 7, default: [], essential: true },
  ),
  groups: field(
    array(
      struct({
        groupId: field(string),
        memberId: field(nullable(string), { since: 9, default: null }),
        memberEpoch: field(int32, { since: 9, default: -1 }),
        topics: field(
          nullable(
            array(
              struct({
                name: field(string, { until: 9, default: '' }),
                topicId: field(uuid, { since: 10, default: NO_UUID }),
                partitionIndexes: field(array(int32)),
              }),
            ),
          ),
        ),
      }),
    ),
    { since: 8, default: [], essential: true },
  ),
  requireStable: field(boolean, { since: 7, default: false, essential: true }),
};
const response = {
  throttleTimeMs: field(int32, { since: 3, default: 0 }),
  topics: field(
    array(
      struct({
        name: field(string),
        partitions: field(
          array(
            struct({
              partitionIndex: field(int32),
              committedOffset: field(int64),
              committedLeaderEpoch: field(int32, { since: 5, default: -1 }),
              metadata: field(nullable(string)),
              errorCode: field(int16),
            }),
          ),
        ),
      }),
    ),
    { until: 7, default: [] },
  ),
  errorCode: field(int16, { since: 2, until: 7, default: 0 }),
  groups: field(
    array(
      struct({
        groupId: field(string),
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
                    committedLeaderEpoch: field(int32, { default: -1 }),
                    metadata: field(nullable(string)),
                    errorCode: field(int16),
                  }),
                ),
              ),
            }),
          ),
        ),
        errorCode: field(int16, { default: 0 }),
      }),
    ),
    { since: 8, default: [] },
  ),
};

/**
 * OffsetFetch (key 9).
 *
 * What a group has committed. Hot: see `fast/offset-fetch.ts`.
 *
 * v1 the oldest Kafka 4 speaks; v2 null asks for all topics, an error over the whole answer; v3 throttle time; v4 same
 * bytes; v5 leader epoch; v6 flexible; v7 wait for open transactions (KIP-447); v8 many groups at once: `groupId` and
 * `topics` move into `groups` (KIP-709); v9 member id and epoch (KIP-848); v10 topics by id only (KIP-516).
 */
export const offsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 10],
  flexibleFrom: 6,
  request,
  response,
});
