import { api } from '../api.js';
import { array, bytes, field, int16, int32, int64, nullable, string, struct } from '../schema.js';

/**
 * Produce (key 0).
 *
 * Refused for every partition: there are no records here. Advertised because librdkafka takes a broker without it for
 * one from before consumer groups.
 *
 * v3 the oldest Kafka 4 speaks: transactional id; v4 same bytes; v5 log start offset; v6 to v7 same bytes; v8 errors of single
 * records and a message; v9 flexible.
 */
export const produce = api({
  key: 0,
  name: 'Produce',
  versions: [3, 9],
  flexibleFrom: 9,
  request: {
    transactionalId: field(nullable(string), { default: null }),
    acks: field(int16),
    timeoutMs: field(int32),
    topicData: field(
      array(
        struct({
          name: field(string),
          partitionData: field(array(struct({ index: field(int32), records: field(nullable(bytes)) }))),
        }),
      ),
    ),
  },
  response: {
    responses: field(
      array(
        struct({
          name: field(string),
          partitionResponses: field(
            array(
              struct({
                index: field(int32),
                errorCode: field(int16),
                baseOffset: field(int64),
                logAppendTimeMs: field(int64, { default: -1 }),
                logStartOffset: field(int64, { since: 5, default: -1 }),
                recordErrors: field(
                  array(
                    struct({
                      batchIndex: field(int32),
                      batchIndexErrorMessage: field(nullable(string), { default: null }),
                    }),
                  ),
                  { since: 8, default: [] },
                ),
                errorMessage: field(nullable(string), { since: 8, default: null }),
              }),
            ),
          ),
        }),
      ),
    ),
    throttleTimeMs: field(int32, { default: 0 }),
  },
});
