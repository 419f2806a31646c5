import { api } from '../api.js';
import { array, field, int16, int32, string, struct } from '../schema.js';

/**
 * OffsetDelete (key 47).
 *
 * Forgets a group's offsets of some partitions (KIP-496). v0 only, never flexible.
 */
export const offsetDelete = api({
  key: 47,
  name: 'OffsetDelete',
  versions: [0, 0],
  flexibleFrom: null,
  request: {
    groupId: field(string),
    topics: field(
      array(
        struct({ name: field(string), partitions: field(array(struct({ partitionIndex: field(int32) }))) }),
      ),
    ),
  },
  response: {
    errorCode: field(int16),
    throttleTimeMs: field(int32, { default: 0 }),
    topics: field(
      array(
        struct({
          name: field(string),
          partitions: field(array(struct({ partitionIndex: field(int32), errorCode: field(int16) }))),
        }),
      ),
    ),
  },
});
