import type { Api, DecodedRequest, DecodedResponse, RequestInput, ResponseInput } from './api.js';
import { produce } from './apis/00-produce.js';
import { fetch } from './apis/01-fetch.js';
import { listOffsets } from './apis/02-list-offsets.js';
import { metadata } from './apis/03-metadata.js';
import { offsetCommit } from './apis/08-offset-commit.js';
import { offsetFetch } from './apis/09-offset-fetch.js';
import { findCoordinator } from './apis/10-find-coordinator.js';
import { joinGroup } from './apis/11-join-group.js';
import { heartbeat } from './apis/12-heartbeat.js';
import { leaveGroup } from './apis/13-leave-group.js';
import { syncGroup } from './apis/14-sync-group.js';
import { describeGroups } from './apis/15-describe-groups.js';
import { listGroups } from './apis/16-list-groups.js';
import { apiVersions } from './apis/18-api-versions.js';
import { createTopics } from './apis/19-create-topics.js';
import { deleteTopics } from './apis/20-delete-topics.js';
import { describeConfigs } from './apis/32-describe-configs.js';
import { createPartitions } from './apis/37-create-partitions.js';
import { deleteGroups } from './apis/42-delete-groups.js';
import { incrementalAlterConfigs } from './apis/44-incremental-alter-configs.js';
import { offsetDelete } from './apis/47-offset-delete.js';
import { describeCluster } from './apis/60-describe-cluster.js';
import { errorCode } from './errors.js';
import { fetchFast } from './fast/fetch.js';
import { heartbeatFast } from './fast/heartbeat.js';
import { offsetCommitFast } from './fast/offset-commit.js';
import { offsetFetchFast } from './fast/offset-fetch.js';

/** Every API spoken here, by ascending key. Everything that says what is spoken comes from this list. */
const SPOKEN = [
  produce,
  fetch.withFast(fetchFast),
  listOffsets,
  metadata,
  offsetCommit.withFast(offsetCommitFast),
  offsetFetch.withFast(offsetFetchFast),
  findCoordinator,
  joinGroup,
  heartbeat.withFast(heartbeatFast),
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  apiVersions,
  createTopics,
  deleteTopics,
  describeConfigs,
  createPartitions,
  deleteGroups,
  incrementalAlterConfigs,
  offsetDelete,
  describeCluster,
] as const;

type Spoken = (typeof SPOKEN)[number];
export type ApiByName = { readonly [A in Spoken as A['name']]: A };
export type ApiName = keyof ApiByName;
type ApiByKey = { readonly [A in Spoken as A['key']]: A };
export type ApiKey = keyof ApiByKey;

/** By key, as a frame names them. */
export const APIS = Object.fromEntries(SPOKEN.map((api) => [api.key, api])) as unknown as ApiByKey;
export const API_KEYS: readonly ApiKey[] = SPOKEN.map(({ key }) => key);

/** A request as it was decoded: `RequestOf<'JoinGroup'>`. */
export type RequestOf<N extends ApiName> = DecodedRequest<ApiByName[N]>;
/** What the encoder of an answer takes: fields with a default may be left out. */
export type ReplyOf<N extends ApiName> = ResponseInput<ApiByName[N]>;
/** The same by key, and the other way round, for clients. */
export type RequestByKey = { [K in ApiKey]: DecodedRequest<ApiByKey[K]> };
export type ResponseByKey = { [K in ApiKey]: DecodedResponse<ApiByKey[K]> };
export type RequestInputByKey = { [K in ApiKey]: RequestInput<ApiByKey[K]> };

/** Undefined: not spoken here. */
export function findApi(key: number): Spoken | undefined {
  return Object.hasOwn(APIS, key) ? APIS[key as ApiKey] : undefined;
}
/** What is spoken under a name. */
export function apiNamed<N extends ApiName>(name: N): ApiByName[N] {
  return BY_NAME[name];
}
const BY_NAME = Object.fromEntries(SPOKEN.map((api) => [api.name, api])) as unknown as ApiByName;

type AdvertisedVersions = Pick<Api<ApiKey>, 'minVersion' | 'maxVersion'> & { readonly apiKey: ApiKey };
const ADVERTISED: readonly AdvertisedVersions[] = SPOKEN.map(({ key, minVersion, maxVersion }) => ({
  apiKey: key,
  minVersion,
  maxVersion,
}));
/** What ApiVersions answers in `apiKeys`, by ascending key. */
export function advertisedVersions(): readonly AdvertisedVersions[] {
  return ADVERTISED;
}

/**
 * The answer to an ApiVersions request of a version not spoken here; to be encoded as version 0. It names the range of
 * ApiVersions only: the client asks again with a version in it (KIP-511).
 */
export function unsupportedApiVersionsReply(): ReplyOf<'ApiVersions'> {
  return {
    errorCode: errorCode('UNSUPPORTED_VERSION'),
    apiKeys: ADVERTISED.filter(({ apiKey }) => apiKey === apiVersions.key),
  };
}
