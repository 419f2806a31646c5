import { api } from '../api.js';
import { array, boolean, field, int16, int32, nullable, string, struct } from '../schema.js';

/**
 * CreatePartitions (key 37).
 *
 * Gives a topic more partitions; never fewer. v1 same bytes; v2 flexible; v3 same bytes.
 */
export const createPartitions = api({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexibleFrom: 2,
  request: {
    topics: field(
      array(
        struct({
          name: field(string),
          count: field(int32),
          assignments: field(nullable(array(struct({ brokerIds: field(array(int32)) })))),
        }),
      ),
    ),
    timeoutMs: field(int32),
    validateOnly: field(boolean),
  },
  response: {
    throttleTimeMs: field(int32, { default: 0 }),
    results: field(
      array(
        struct({
          name: field(string),
          errorCode: field(int16),
          errorMessage: field(nullable(string), { default: null }),
        }),
      ),
    ),
  },
});
