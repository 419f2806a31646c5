import { type ApiName, type ReplyOf, unsupportedApiVersionsReply, WireReader } from '../wire/index.js';
import type { BrokerContext, Handler, Handlers } from './context.js';
import type { Exchange } from './exchange.js';
import {
  deleteGroups,
  describeConfigs,
  describeGroups,
  incrementalAlterConfigs,
  listGroups,
} from './handlers/admin.js';
import { apiVersions, describeCluster, findCoordinator, metadata } from './handlers/cluster.js';
import { heartbeat } from './handlers/heartbeat.js';
import { joinGroup, leaveGroup, syncGroup } from './handlers/membership.js';
import { offsetDelete } from './handlers/offset-deletion.js';
import { offsetCommit, offsetFetch } from './handlers/offsets.js';
import { fetch, listOffsets, produce } from './handlers/partitions.js';
import { createPartitions, createTopics, deleteTopics } from './handlers/topics.js';
import { requestItemsMax } from './request-limits.js';

/** Who answers what: every API of the registry, or this does not compile. */
const HANDLERS: Handlers = {
  Produce: produce,
  Fetch: fetch,
  ListOffsets: listOffsets,
  Metadata: metadata,
  OffsetCommit: offsetCommit,
  OffsetFetch: offsetFetch,
  FindCoordinator: findCoordinator,
  JoinGroup: joinGroup,
  Heartbeat: heartbeat,
  LeaveGroup: leaveGroup,
  SyncGroup: syncGroup,
  DescribeGroups: describeGroups,
  ListGroups: listGroups,
  ApiVersions: apiVersions,
  CreateTopics: createTopics,
  DeleteTopics: deleteTopics,
  DescribeConfigs: describeConfigs,
  CreatePartitions: createPartitions,
  DeleteGroups: deleteGroups,
  IncrementalAlterConfigs: incrementalAlterConfigs,
  OffsetDelete: offsetDelete,
  DescribeCluster: describeCluster,
};

/** Decodes a request and hands it to its handler. Throws WireError when its bytes are not what its version says. */
export function dispatch(
  exchange: Exchange,
  frame: Buffer,
  bodyOffset: number,
  context: BrokerContext,
): void {
  const { api, version } = exchange;
  exchange.trace = context.tracer?.begin(api.name);
  const itemsMax = requestItemsMax(api.name, context.coordinator.groupSettings.groupSizeMax);
  const request = api.decodeRequest(new WireReader(frame, bodyOffset, itemsMax), version);
  context.counters.request(api.key);
  // Request, exchange and handler are of one API; the compiler cannot follow that through the union.
  (HANDLERS[api.name] as unknown as Handler<ApiName>)(request, exchange, context);
}

/** The body that a client gets which asks for ApiVersions in a version we do not speak (KIP-511), in version 0. */
export const UNKNOWN_API_VERSIONS: ReplyOf<'ApiVersions'> = unsupportedApiVersionsReply();
