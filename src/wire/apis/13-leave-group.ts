import { api } from '../api.js';
import { array, field, int16, int32, nullable, string, struct } from '../schema.js';

/**
 * LeaveGroup (key 13).
 *
 * Members go.
 *
 * v1 throttle time; v2 same bytes; v3 many members at once, by member id or instance id, with an error for each (KIP-345):
 * `memberId` moves into `members`; v4 flexible; v5 reason (KIP-800).
 */
export const leaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: field(string),
    memberId: field(string, { until: 2, default: '', essential: true }),
    members: field(
      array(
        struct({
          memberId: field(string),
          groupInstanceId: field(nullable(string), { default: null }),
          reason: field(nullable(string), { since: 5, default: null }),
        }),
      ),
      { since: 3, default: [], essential: true },
    ),
  },
  response: {
    throttleTimeMs: field(int32, { since: 1, default: 0 }),
    errorCode: field(int16),
    members: field(
      array(
        struct({
          memberId: field(string),
          groupInstanceId: field(nullable(string)),
          errorCode: field(int16),
        }),
      ),
      { since: 3, default: [] },
    ),
  },
});
