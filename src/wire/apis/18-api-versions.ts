import { api } from '../api.js';
import { array, boolean, field, int16, int32, int64, string, struct } from '../schema.js';

/**
 * ApiVersions (key 18).
 *
 * What this replica speaks: the first request of nearly every client. The response header is always v0, so that a client
 * can read the answer before it knows what we speak; an unknown version gets a v0 body with UNSUPPORTED_VERSION (KIP-511).
 *
 * v1 throttle time; v2 same bytes; v3 flexible, the client names its software, features (KIP-584); v4 a feature's least
 * version may be 0.
 */
export const apiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexibleFrom: 3,
  request: {
    clientSoftwareName: field(string, { since: 3, default: '' }),
    clientSoftwareVersion: field(string, { since: 3, default: '' }),
  },
  response: {
    errorCode: field(int16),
    apiKeys: field(
      array(struct({ apiKey: field(int16), minVersion: field(int16), maxVersion: field(int16) })),
    ),
    throttleTimeMs: field(int32, { since: 1, default: 0 }),
    supportedFeatures: field(
      array(struct({ name: field(string), minVersion: field(int16), maxVersion: field(int16) })),
      { since: 3, tag: 0, default: [] },
    ),
    finalizedFeaturesEpoch: field(int64, { since: 3, tag: 1, default: -1 }),
    finalizedFeatures: field(
      array(struct({ name: field(string), maxVersionLevel: field(int16), minVersionLevel: field(int16) })),
      { since: 3, tag: 2, default: [] },
    ),
    zkMigrationReady: field(boolean, { since: 3, tag: 3, default: false }),
  },
});
