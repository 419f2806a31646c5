import { api } from '../api.js';
import { NO_UUID, array, field, int16, int32, nullable, string, struct, uuid } from '../schema.js';

/**
 * DeleteTopics (key 20).
 *
 * Deletes topics.
 *
 * v1 the oldest Kafka 4 speaks: throttle time; v2 to v3 same bytes; v4 flexible; v5 message; v6 by name or by topic id:
 * `topicNames` becomes `topics` (KIP-516).
 */
export const deleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: [1, 6],
  flexibleFrom: 4,
  request: {
    topics: field(array(struct({ name: field(nullable(string), { default: null }), topicId: field(uuid) })), {
      since: 6,
      default: [],
      essential: true,
    }),
    topicNames: field(array(string), { until: 5, default: [] }),
    timeoutMs: field(int32),
  },
  response: {
    throttleTimeMs: field(int32, { default: 0 }),
    responses: field(
      array(
        struct({
          name: field(nullable(string, { since: 6 })),
          topicId: field(uuid, { since: 6, default: NO_UUID }),
          errorCode: field(int16),
          errorMessage: field(nullable(string), { since: 5, default: null }),
        }),
      ),
    ),
  },
});
