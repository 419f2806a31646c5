import { api } from '../api.js';
import { array, bytes, field, int16, int32, int64, nullable, string, struct } from '../schema.js';

/** Far from those that Kafka counts up from 0: a field of Quorate alone. Clients skip tags that they do not know (KIP-482). */
const QUORATE_TOKENS = 0x5155;
const QUORATE_GRACE = 0x5156;

/**
 * SyncGroup (key 14).
 *
 * The leader hands in the assignment, every member fetches its share.
 *
 * v1 throttle time; v2 same bytes; v3 static members (KIP-345); v4 flexible; v5 protocol type and name, checked against the
 * group's (KIP-559). From v4 on Quorate adds the fence tokens of the partitions in the assignment, and how long it waits for a dynamic
 * member whose connection has ended (milliseconds; 0: for its session).
 */
export const syncGroup = api({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: field(string),
    generationId: field(int32),
    memberId: field(string),
    groupInstanceId: field(nullable(string), { since: 3, default: null, essential: true }),
    protocolType: field(nullable(string), { since: 5, default: null }),
    protocolName: field(nullable(string), { since: 5, default: null }),
    assignments: field(array(struct({ memberId: field(string), assignment: field(bytes) }))),
  },
  response: {
    throttleTimeMs: field(int32, { since: 1, default: 0 }),
    errorCode: field(int16),
    protocolType: field(nullable(string), { since: 5, default: null }),
    protocolName: field(nullable(string), { since: 5, default: null }),
    assignment: field(bytes),
    fenceTokens: field(
      array(
        struct({
          topic: field(string),
          partitions: field(array(struct({ partition: field(int32), token: field(int64) }))),
        }),
      ),
      { since: 4, tag: QUORATE_TOKENS, default: [] },
    ),
    disconnectGraceMs: field(int32, { since: 4, tag: QUORATE_GRACE, default: 0 }),
  },
});
