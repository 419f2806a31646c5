import { api, type RequestOf, type ResponseInputOf, type ResponseOf } from '../api.js';
import { boolean, field, int16, nullable, string } from '../schema.js';

/**
 * RecordSeal (key 20002). Quorate's own; not in ApiVersions.
 *
 * Raises the fence of a whole fence scope among the records of `space`. `sealed`: false when a later owner has done so
 * already; `token` is then the one that has taken over, else the one before (null: none). Errors as in RecordWrite.
 */
export const recordSeal = api({
  key: 20002,
  name: 'RecordSeal',
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    space: field(string),
    fenceScope: field(string),
    fenceToken: field(string),
    fenceOwner: field(nullable(string), { default: null }),
  },
  response: {
    errorCode: field(int16),
    errorMessage: field(nullable(string), { default: null }),
    sealed: field(boolean, { default: false }),
    token: field(nullable(string), { default: null }),
  },
});

export type RecordSealRequest = RequestOf<typeof recordSeal>;
/** As decoded. */
export type RecordSealResponse = ResponseOf<typeof recordSeal>;
/** As given to the encoder: fields with a default may be left out. */
export type RecordSealReply = ResponseInputOf<typeof recordSeal>;
