import { api, type RequestOf, type ResponseInputOf, type ResponseOf } from '../api.js';
import { array, field, int16, int64, nullable, string, struct } from '../schema.js';

/**
 * RecordRead (key 20001). Quorate's own; not in ApiVersions.
 *
 * A linearizable read of records and of the token that a fence scope was sealed with. Records that are not there are left
 * out of the answer. Errors: 16 led elsewhere, 42 more than 256 ids.
 */
export const recordRead = api({
  key: 20001,
  name: 'RecordRead',
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    space: field(string),
    ids: field(array(string)),
    fenceScope: field(nullable(string), { default: null }),
  },
  response: {
    errorCode: field(int16),
    records: field(
      array(
        struct({
          id: field(string),
          version: field(int64),
          fence: field(nullable(string)),
          fields: field(array(struct({ name: field(string), json: field(string) }))),
        }),
      ),
      { default: [] },
    ),
    sealed: field(nullable(string), { default: null }),
  },
});

export type RecordReadRequest = RequestOf<typeof recordRead>;
/** As decoded. */
export type RecordReadResponse = ResponseOf<typeof recordRead>;
/** As given to the encoder: fields with a default may be left out. */
export type RecordReadReply = ResponseInputOf<typeof recordRead>;
