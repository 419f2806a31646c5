import type { Api, RequestInputOf, RequestOf, ResponseInputOf, ResponseOf } from './api.js';
import * as apis from './apis/index.js';
import { errorCode } from './errors.js';
import { fetchFast } from './fast/fetch.js';
import { heartbeatFast } from './fast/heartbeat.js';
import { offsetCommitFast } from './fast/offset-commit.js';
import { offsetFetchFast } from './fast/offset-fetch.js';

/** Every API spoken here, by key. The advertised range, the router and the tests all read this table. */
export const APIS = {
  0: apis.produce,
  1: apis.fetch.withFast(fetchFast),
  2: apis.listOffsets,
  3: apis.metadata,
  8: apis.offsetCommit.withFast(offsetCommitFast),
  9: apis.offsetFetch.withFast(offsetFetchFast),
  10: apis.findCoordinator,
  11: apis.joinGroup,
  12: apis.heartbeat.withFast(heartbeatFast),
  13: apis.leaveGroup,
  14: apis.syncGroup,
  15: apis.describeGroups,
  16: apis.listGroups,
  18: apis.apiVersions,
  19: apis.createTopics,
  20: apis.deleteTopics,
  32: apis.describeConfigs,
  37: apis.createPartitions,
  42: apis.deleteGroups,
  44: apis.incrementalAlterConfigs,
  47: apis.offsetDelete,
  60: apis.describeCluster,
  20000: apis.recordWrite,
  20001: apis.recordRead,
  20002: apis.recordSeal,
} as const;

export type ApiKey = keyof typeof APIS;
/** Messages by key, for handler maps: `{ [K in ApiKey]: (request: RequestByKey[K]) => ReplyByKey[K] }`. */
export type RequestByKey = { [K in ApiKey]: RequestOf<(typeof APIS)[K]> };
export type ResponseByKey = { [K in ApiKey]: ResponseOf<(typeof APIS)[K]> };
/** What the encoders take: fields with a default may be left out. */
export type RequestInputByKey = { [K in ApiKey]: RequestInputOf<(typeof APIS)[K]> };
export type ReplyByKey = { [K in ApiKey]: ResponseInputOf<(typeof APIS)[K]> };

export const API_KEYS: readonly ApiKey[] = Object.keys(APIS).map((key) => Number(key) as ApiKey);

function isApiKey(key: number): key is ApiKey {
  return Object.hasOwn(APIS, key);
}
/** Undefined: not spoken here. */
export function findApi(key: number): Api<ApiKey> | undefined {
  return isApiKey(key) ? APIS[key] : undefined;
}

interface AdvertisedVersions {
  readonly apiKey: ApiKey;
  readonly minVersion: number;
  readonly maxVersion: number;
}
/** Keys from here on are Quorate's own. Kafka's clients are not told of them: some know no key above their own. */
const OWN_KEYS_FROM = 20_000;
const ADVERTISED: readonly AdvertisedVersions[] = API_KEYS.filter((key) => key < OWN_KEYS_FROM).map(
  (key) => ({
    apiKey: key,
    minVersion: APIS[key].minVersion,
    maxVersion: APIS[key].maxVersion,
  }),
);
/** What ApiVersions answers in `apiKeys`, by ascending key. */
export function advertisedVersions(): readonly AdvertisedVersions[] {
  return ADVERTISED;
}

/**
 * The answer to an ApiVersions request of a version not spoken here; to be encoded as version 0. It names the range of
 * ApiVersions only: the client asks again with a version in it (KIP-511).
 */
export function unsupportedApiVersionsReply(): ReplyByKey[18] {
  return {
    errorCode: errorCode('UNSUPPORTED_VERSION'),
    apiKeys: ADVERTISED.filter(({ apiKey }) => apiKey === 18),
  };
}
