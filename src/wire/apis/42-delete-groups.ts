import { api, type RequestOf, type ResponseInputOf, type ResponseOf } from '../api.js';
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

export type DeleteGroupsRequest = RequestOf<typeof deleteGroups>;
/** As decoded. */
export type DeleteGroupsResponse = ResponseOf<typeof deleteGroups>;
/** As given to the encoder: fields with a default may be left out. */
export type DeleteGroupsReply = ResponseInputOf<typeof deleteGroups>;
