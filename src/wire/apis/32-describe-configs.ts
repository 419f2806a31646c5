import { api } from '../api.js';
import { array, boolean, field, int16, int32, int8, nullable, string, struct } from '../schema.js';

/**
 * DescribeConfigs (key 32).
 *
 * Settings of topics, brokers and groups.
 *
 * v1 the oldest Kafka 4 speaks: where a value comes from, synonyms; v2 same bytes; v3 documentation and type; v4 flexible.
 */
export const describeConfigs = api({
  key: 32,
  name: 'DescribeConfigs',
  versions: [1, 4],
  flexibleFrom: 4,
  request: {
    resources: field(
      array(
        struct({
          resourceType: field(int8),
          resourceName: field(string),
          configurationKeys: field(nullable(array(string))),
        }),
      ),
    ),
    includeSynonyms: field(boolean, { default: false }),
    includeDocumentation: field(boolean, { since: 3, default: false, essential: true }),
  },
  response: {
    throttleTimeMs: field(int32, { default: 0 }),
    results: field(
      array(
        struct({
          errorCode: field(int16),
          errorMessage: field(nullable(string)),
          resourceType: field(int8),
          resourceName: field(string),
          configs: field(
            array(
              struct({
                name: field(string),
                value: field(nullable(string)),
                readOnly: field(boolean),
                configSource: field(int8, { default: -1 }),
                isSensitive: field(boolean),
                synonyms: field(
                  array(struct({ name: field(string), value: field(nullable(string)), source: field(int8) })),
                ),
                configType: field(int8, { since: 3, default: 0 }),
                documentation: field(nullable(string), { since: 3, default: null }),
              }),
            ),
          ),
        }),
      ),
    ),
  },
});
