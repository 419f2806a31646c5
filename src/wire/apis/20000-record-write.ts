import { api, type RequestOf, type ResponseInputOf, type ResponseOf } from '../api.js';
import { array, boolean, field, int16, int64, int8, nullable, string, struct } from '../schema.js';

/**
 * RecordWrite (key 20000). Quorate's own; not in ApiVersions, since it is not of Kafka.
 *
 * Changes versioned records of one space, at the replica that coordinates the group of the space's name. Kinds of an
 * operation: 1 insert, 2 update (fields not named stay), 3 replace, 4 delete, 5 touch, 6 check. Tokens are digits. Kinds of an
 * outcome: 0 written (`version` is the new one), 1 not found, 2 version conflict, 3 exists already (`version` is the one it
 * has), 4 stale epoch (`current` is the token that has taken over), 5 skipped. Errors: 16 led elsewhere, 15 busy, 7 the
 * outcome is not known, 42 beyond the limits.
 */
export const recordWrite = api({
  key: 20000,
  name: 'RecordWrite',
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    space: field(string),
    atomic: field(boolean),
    operations: field(
      array(
        struct({
          kind: field(int8),
          id: field(string),
          version: field(int64, { default: 0 }),
          fields: field(array(struct({ name: field(string), json: field(string) })), { default: [] }),
          fenceScope: field(nullable(string), { default: null }),
          fenceToken: field(string, { default: '0' }),
          fenceOwner: field(nullable(string), { default: null }),
        }),
      ),
    ),
  },
  response: {
    errorCode: field(int16),
    errorMessage: field(nullable(string), { default: null }),
    outcomes: field(
      array(
        struct({
          kind: field(int8),
          version: field(int64, { default: 0 }),
          current: field(string, { default: '' }),
        }),
      ),
      { default: [] },
    ),
  },
});

export type RecordWriteRequest = RequestOf<typeof recordWrite>;
/** As decoded. */
export type RecordWriteResponse = ResponseOf<typeof recordWrite>;
/** As given to the encoder: fields with a default may be left out. */
export type RecordWriteReply = ResponseInputOf<typeof recordWrite>;
