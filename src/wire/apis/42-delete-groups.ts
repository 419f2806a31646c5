import { api } from '../api.js';
import { array, field, int16, int32, string, struct } from '../schema.js';

/**
 * DeleteGroups (key 42).
 *
 * Deletes groups that have no members (KIP-229). v1 same bytes; v2 flexible.
 */
export const deleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    groupsNames: field(array(string)),
  },
  response: {
    throttleTimeMs: field(int32, { default: 0 }),
    results: field(array(struct({ groupId: field(string), errorCode: field(int16) }))),
  },
});
