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
  LeaveGroup: NAMES,
  DeleteGroups: COMMANDS,
  DeleteTopics: COMMANDS,
  CreatePartitions: COMMANDS,
  /** With an assignment or a setting for each topic. Looked at in slices. */
  CreateTopics: 2 * COMMANDS,
  /** An assignment for each member, and groups may be as large as `groupSizeMax`: twice as long as the others. */
  SyncGroup: 100_000,
  JoinGroup: 1_000,
  ListGroups: 1_000,
  ApiVersions: 1_000,
  Heartbeat: 1_000,
  DescribeCluster: 1_000,
};
