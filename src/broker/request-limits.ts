import type { ApiName } from '../wire/index.js';

/** Partitions, at about a microsecond each. */
const PARTITIONS = 50_000;
/** Names of groups, members or topics, at two to three microseconds each. */
const NAMES = 20_000;
/** Protocols of one member, each with its vote: more are refused with INVALID_REQUEST. Clients have one to four. */
export const PROTOCOLS_MAX = 200;
/** Each becomes a command of its own, a few at a time. */
const COMMANDS = 10_000;

/**
 * How many items the arrays of one request may have, so that the longest request of each API costs a replica about 50 ms: far
 * more than clients send. A request beyond is malformed. test/system/worst-frames.test.ts measures the worst ones.
 */
export const REQUEST_ITEMS_MAX: Readonly<Record<ApiName, number>> = {
  Produce: PARTITIONS,
  Fetch: PARTITIONS,
  ListOffsets: PARTITIONS,
  OffsetCommit: PARTITIONS,
  /** Of groups, too. */
  OffsetFetch: NAMES,
  OffsetDelete: PARTITIONS,
  Metadata: NAMES,
  FindCoordinator: NAMES,
  DescribeGroups: NAMES / 2,
  DescribeConfigs: NAMES,
  IncrementalAlterConfigs: NAMES,
  LeaveGroup: NAMES / 2,
  DeleteGroups: COMMANDS,
  DeleteTopics: COMMANDS,
  CreatePartitions: COMMANDS,
  /** The settings and assignments of topics count, too. Looked at in slices. */
  CreateTopics: COMMANDS,
  /** An assignment for each member; more where `groupSizeMax` is higher. */
  SyncGroup: NAMES,
  JoinGroup: 1_000,
  ListGroups: 1_000,
  ApiVersions: 1_000,
  Heartbeat: 1_000,
  DescribeCluster: 1_000,
};

export const requestItemsMax = (api: ApiName, groupSizeMax: number): number =>
  api === 'SyncGroup' ? Math.max(REQUEST_ITEMS_MAX.SyncGroup, groupSizeMax) : REQUEST_ITEMS_MAX[api];
