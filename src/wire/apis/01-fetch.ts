import { api } from '../api.js';
import { array, bytes, field, int16, int32, int64, int8, nullable, string, struct } from '../schema.js';

const request = {
  clusterId: field(nullable(string), { since: 12, tag: 0, default: null }),
  replicaId: field(int32, { default: -1 }),
  maxWaitMs: field(int32),
  minBytes: field(int32),
  maxBytes: field(int32, { default: 0x7fff_ffff }),
  isolationLevel: field(int8, { default: 0 }),
  sessionId: field(int32, { since: 7, default: 0 }),
  sessionEpoch: field(int32, { since: 7, default: -1 }),
  topics: field(
    array(
      struct({
        topic: field(string),
        partitions: field(
          array(
            struct({
              partition: field(int32),
              currentLeaderEpoch: field(int32, { since: 9, default: -1 }),
              fetchOffset: field(int64),
              lastFetchedEpoch: field(int32, { since: 12, default: -1, essential: true }),
              logStartOffset: field(int64, { since: 5, default: -1 }),
              partitionMaxBytes: field(int32),
            }),
          ),
        ),
      }),
    ),
  ),
  forgottenTopicsData: field(array(struct({ topic: field(string), partitions: field(array(int32)) })), {
    since: 7,
    default: [],
    essential: true,
  }),
  rackId: field(string, { since: 11, default: '' }),
};
const response = {
  throttleTimeMs: field(int32, { default: 0 }),
  errorCode: field(int16, { since: 7, default: 0 }),
  sessionId: field(int32, { since: 7, default: 0 }),
  responses: field(
    array(
      struct({
        topic: field(string),
        partitions: field(
          array(
            struct({
              partitionIndex: field(int32),
              errorCode: field(int16),
              highWatermark: field(int64),
              lastStableOffset: field(int64, { default: -1 }),
              logStartOffset: field(int64, { since: 5, default: -1 }),
              divergingEpoch: field(
                struct({ epoch: field(int32, { default: -1 }), endOffset: field(int64, { default: -1 }) }),
                { since: 12, tag: 0, default: { epoch: -1, endOffset: -1 } },
              ),
              currentLeader: field(
                struct({
                  leaderId: field(int32, { default: -1 }),
                  leaderEpoch: field(int32, { default: -1 }),
                }),
                { since: 12, tag: 1, default: { leaderId: -1, leaderEpoch: -1 } },
              ),
              snapshotId: field(
                struct({ endOffset: field(int64, { default: -1 }), epoch: field(int32, { default: -1 }) }),
                { since: 12, tag: 2, default: { endOffset: -1, epoch: -1 } },
              ),
              abortedTransactions: field(
                nullable(array(struct({ producerId: field(int64), firstOffset: field(int64) }))),
              ),
              preferredReadReplica: field(int32, { since: 11, default: -1 }),
              records: field(nullable(bytes)),
            }),
          ),
        ),
      }),
    ),
  ),
};

/**
 * Fetch (key 1).
 *
 * Records, of which we have none: held for `maxWaitMs`, then answered empty. Hot: see `fast/fetch.ts`.
 *
 * v4 the oldest Kafka 4 speaks: isolation level, aborted transactions; v5 log start offset; v6 same bytes; v7 fetch
 * sessions (KIP-227); v8 same bytes; v9 leader epoch; v10 same bytes; v11 rack, preferred replica (KIP-392); v12 flexible,
 * last fetched epoch. Versions from 13 on name topics by id and are not advertised.
 */
export const fetch = api({
  key: 1,
  name: 'Fetch',
  versions: [4, 12],
  flexibleFrom: 12,
  request,
  response,
});
