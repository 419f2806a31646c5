import { api } from '../api.js';
import { array, field, int16, int32, int64, int8, string, struct } from '../schema.js';

/**
 * ListOffsets (key 2).
 *
 * Where a partition begins (timestamp -2) and ends (-1). Our partitions have no records: the ends are virtual.
 *
 * v1 the oldest Kafka 4 speaks; v2 isolation level, throttle time; v3 same bytes; v4 leader epochs; v5 same bytes; v6
 * flexible; v7 timestamp -3, the largest; v8 -4, local log start; v9 -5, last tiered; v10 timeout.
 */
export const listOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 10],
  flexibleFrom: 6,
  request: {
    replicaId: field(int32),
    isolationLevel: field(int8, { since: 2, default: 0, essential: true }),
    topics: field(
      array(
        struct({
          name: field(string),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32),
                currentLeaderEpoch: field(int32, { since: 4, default: -1 }),
                timestamp: field(int64),
              }),
            ),
          ),
        }),
      ),
    ),
    timeoutMs: field(int32, { since: 10, default: 0 }),
  },
  response: {
    throttleTimeMs: field(int32, { since: 2, default: 0 }),
    topics: field(
      array(
        struct({
          name: field(string),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32),
                errorCode: field(int16),
                timestamp: field(int64, { default: -1 }),
                offset: field(int64, { default: -1 }),
                leaderEpoch: field(int32, { since: 4, default: -1 }),
              }),
            ),
          ),
        }),
      ),
    ),
  },
});
