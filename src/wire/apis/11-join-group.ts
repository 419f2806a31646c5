import { api } from '../api.js';
import { array, boolean, bytes, field, int16, int32, nullable, string, struct } from '../schema.js';

/**
 * JoinGroup (key 11).
 *
 * A member enters a group, or comes back for the next generation. The answer may take up to the rebalance timeout.
 *
 * v1 rebalance timeout apart from the session timeout; v2 throttle time; v3 same bytes; v4 MEMBER_ID_REQUIRED for a new
 * dynamic member (KIP-394); v5 static members (KIP-345); v6 flexible; v7 protocol type in the answer, protocol name may be
 * null; v8 reason (KIP-800); v9 the leader may be told to skip the assignment (KIP-814).
 */
export const joinGroup = api({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexibleFrom: 6,
  request: {
    groupId: field(string),
    sessionTimeoutMs: field(int32),
    rebalanceTimeoutMs: field(int32, { since: 1, default: -1 }),
    memberId: field(string),
    groupInstanceId: field(nullable(string), { since: 5, default: null, essential: true }),
    protocolType: field(string),
    protocols: field(array(struct({ name: field(string), metadata: field(bytes) }))),
    reason: field(nullable(string), { since: 8, default: null }),
  },
  response: {
    throttleTimeMs: field(int32, { since: 2, default: 0 }),
    errorCode: field(int16),
    generationId: field(int32, { default: -1 }),
    protocolType: field(nullable(string), { since: 7, default: null }),
    protocolName: field(nullable(string, { since: 7, before: '' })),
    leader: field(string),
    skipAssignment: field(boolean, { since: 9, default: false }),
    memberId: field(string),
    members: field(
      array(
        struct({
          memberId: field(string),
          groupInstanceId: field(nullable(string), { since: 5, default: null }),
          metadata: field(bytes),
        }),
      ),
    ),
  },
});
