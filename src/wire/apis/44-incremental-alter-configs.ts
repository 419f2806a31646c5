import { api } from '../api.js';
import { array, boolean, field, int16, int32, int8, nullable, string, struct } from '../schema.js';

/**
 * IncrementalAlterConfigs (key 44).
 *
 * Changes settings one by one (KIP-339): operation 0 set, 1 delete, 2 append, 3 subtract. v1 flexible.
 */
export const incrementalAlterConfigs = api({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: [0, 1],
  flexibleFrom: 1,
  request: {
    resources: field(
      array(
        struct({
          resourceType: field(int8),
          resourceName: field(string),
          configs: field(
            array(
              struct({ name: field(string), configOperation: field(int8), value: field(nullable(string)) }),
            ),
          ),
        }),
      ),
    ),
    validateOnly: field(boolean),
  },
  response: {
    throttleTimeMs: field(int32, { default: 0 }),
    responses: field(
      array(
        struct({
          errorCode: field(int16),
          errorMessage: field(nullable(string)),
          resourceType: field(int8),
          resourceName: field(string),
        }),
      ),
    ),
  },
});
