import { api } from '../api.js';
import { array, field, int16, int32, int8, nullable, string, struct } from '../schema.js';

/**
 * FindCoordinator (key 10).
 *
 * Which replica coordinates a group.
 *
 * v1 key type (0 group, 1 transaction, 2 share group), throttle time, message; v2 same bytes; v3 flexible; v4 many keys at
 * once, answered in `coordinators` (KIP-699); v5 a new error for transactions; v6 share groups.
 */
export const findCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 6],
  flexibleFrom: 3,
  request: {
    key: field(string, { until: 3, default: '', essential: true }),
    keyType: field(int8, { since: 1, default: 0, essential: true }),
    coordinatorKeys: field(array(string), { since: 4, default: [], essential: true }),
  },
  response: {
    throttleTimeMs: field(int32, { since: 1, default: 0 }),
    errorCode: field(int16, { until: 3, default: 0 }),
    errorMessage: field(nullable(string), { since: 1, until: 3, default: null }),
    nodeId: field(int32, { until: 3, default: 0 }),
    host: field(string, { until: 3, default: '' }),
    port: field(int32, { until: 3, default: 0 }),
    coordinators: field(
      array(
        struct({
          key: field(string),
          nodeId: field(int32),
          host: field(string),
          port: field(int32),
          errorCode: field(int16),
          errorMessage: field(nullable(string)),
        }),
      ),
      { since: 4, default: [] },
    ),
  },
});
