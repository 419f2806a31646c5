import {
  type ApiKey,
  APIS,
  type ReplyByKey,
  unsupportedApiVersionsReply,
  WireReader,
} from '../wire/index.js';
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
import { heartbeat, joinGroup, leaveGroup, syncGroup } from './handlers/membership.js';
import { offsetCommit, offsetDelete, offsetFetch } from './handlers/offsets.js';
import { fetch, listOffsets, produce } from './handlers/partitions.js';
import { recordRead, recordSeal, recordWrite } from './handlers/records.js';
import { createPartitions, createTopics, deleteTopics } from './handlers/topics.js';

/** Who answers what: every API of the registry, or this does not compile. */
const HANDLERS: Handlers = {
  0: produce,
  1: fetch,
  2: listOffsets,
  3: metadata,
  8: offsetCommit,
  9: offsetFetch,
  10: findCoordinator,
  11: joinGroup,
  12: heartbeat,
  13: leaveGroup,
  14: syncGroup,
  15: describeGroups,
  16: listGroups,
  18: apiVersions,
  19: createTopics,
  20: deleteTopics,
  32: describeConfigs,
  37: createPartitions,
  42: deleteGroups,
  44: incrementalAlterConfigs,
  47: offsetDelete,
  60: describeCluster,
  20000: recordWrite,
  20001: recordRead,
  20002: recordSeal,
};

/** What one request may ask about: far more than clients do, and about a second of this replica's time. */
const REQUEST_ITEMS_MAX = 250_000;

/** Decodes a request and hands it to its handler. Throws WireError when its bytes are not what its version says. */
export function dispatch(
  exchange: Exchange,
  frame: Buffer,
  bodyOffset: number,
  context: BrokerContext,
): void {
  const { key, version } = exchange;
  const request = APIS[key].decodeRequest(new WireReader(frame, bodyOffset, REQUEST_ITEMS_MAX), version);
  context.counters.request(key);
  // Request, exchange and handler are of one key; the compiler cannot follow that through the union.
  (HANDLERS[key] as unknown as Handler<ApiKey>)(request, exchange, context);
}

/** The body that a client gets which asks for ApiVersions in a version we do not speak (KIP-511), in version 0. */
export const UNKNOWN_API_VERSIONS: ReplyByKey[18] = unsupportedApiVersionsReply();
