import { api } from '../api.js';
import { array, bytes, field, int16, int32, nullable, string, struct } from '../schema.js';

/**
 * SyncGroup (key 14).
 *
 * The leader hands in the assignment, every member fetches its share.
 *
 * v1 throttle time; v2 same bytes; v3 static members (KIP-345); v4 flexible; v5 protocol type and name, checked against the
 * group's (KIP-559).
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
  },
});
