import { api } from '../api.js';
import {
  NO_UUID,
  array,
  boolean,
  field,
  int16,
  int32,
  int8,
  nullable,
  string,
  struct,
  uuid,
} from '../schema.js';

/**
 * CreateTopics (key 19).
 *
 * Makes named partition sets.
 *
 * v2 the oldest Kafka 4 speaks; v3 same bytes; v4 partition count and replication factor may be -1 for the default; v5
 * flexible, partition count and configuration in the answer (KIP-525); v6 same bytes; v7 topic id in the answer.
 */
export const createTopics = api({
  key: 19,
  name: 'CreateTopics',
  versions: [2, 7],
  flexibleFrom: 5,
  request: {
    topics: field(
      array(
        struct({
          name: field(string),
          numPartitions: field(int32),
          replicationFactor: field(int16),
          assignments: field(array(struct({ partitionIndex: field(int32), brokerIds: field(array(int32)) }))),
          configs: field(array(struct({ name: field(string), value: field(nullable(string)) }))),
        }),
      ),
    ),
    timeoutMs: field(int32, { default: 60000 }),
    validateOnly: field(boolean, { default: false }),
  },
  response: {
    throttleTimeMs: field(int32, { default: 0 }),
    topics: field(
      array(
        struct({
          name: field(string),
          topicId: field(uuid, { since: 7, default: NO_UUID }),
          errorCode: field(int16),
          errorMessage: field(nullable(string)),
          topicConfigErrorCode: field(int16, { since: 5, tag: 0, default: 0 }),
          numPartitions: field(int32, { since: 5, default: -1 }),
          replicationFactor: field(int16, { since: 5, default: -1 }),
          configs: field(
            nullable(
              array(
                struct({
                  name: field(string),
                  value: field(nullable(string)),
                  readOnly: field(boolean),
                  configSource: field(int8, { default: -1 }),
                  isSensitive: field(boolean),
                }),
              ),
            ),
            { since: 5, default: null },
          ),
        }),
      ),
    ),
  },
});
