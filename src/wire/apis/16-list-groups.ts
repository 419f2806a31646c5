import { api } from '../api.js';
import { array, field, int16, int32, string, struct } from '../schema.js';

/**
 * ListGroups (key 16).
 *
 * The groups that this replica coordinates.
 *
 * v1 throttle time; v2 same bytes; v3 flexible; v4 filter by state, state in the answer (KIP-518); v5 filter by type, type
 * in the answer (KIP-848).
 */
export const listGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    statesFilter: field(array(string), { since: 4, default: [], essential: true }),
    typesFilter: field(array(string), { since: 5, default: [], essential: true }),
  },
  response: {
    throttleTimeMs: field(int32, { since: 1, default: 0 }),
    errorCode: field(int16),
    groups: field(
      array(
        struct({
          groupId: field(string),
          protocolType: field(string),
          groupState: field(string, { since: 4, default: '' }),
          groupType: field(string, { since: 5, default: '' }),
        }),
      ),
    ),
  },
});
