export { produce, type ProduceReply, type ProduceRequest, type ProduceResponse } from './00-produce.js';
export { fetch, type FetchReply, type FetchRequest, type FetchResponse } from './01-fetch.js';
export {
  listOffsets,
  type ListOffsetsReply,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
} from './02-list-offsets.js';
export { metadata, type MetadataReply, type MetadataRequest, type MetadataResponse } from './03-metadata.js';
export {
  offsetCommit,
  type OffsetCommitReply,
  type OffsetCommitRequest,
  type OffsetCommitResponse,
} from './08-offset-commit.js';
export {
  offsetFetch,
  type OffsetFetchReply,
  type OffsetFetchRequest,
  type OffsetFetchResponse,
} from './09-offset-fetch.js';
export {
  findCoordinator,
  type FindCoordinatorReply,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
} from './10-find-coordinator.js';
export {
  joinGroup,
  type JoinGroupReply,
  type JoinGroupRequest,
  type JoinGroupResponse,
} from './11-join-group.js';
export {
  heartbeat,
  type HeartbeatReply,
  type HeartbeatRequest,
  type HeartbeatResponse,
} from './12-heartbeat.js';
export {
  leaveGroup,
  type LeaveGroupReply,
  type LeaveGroupRequest,
  type LeaveGroupResponse,
} from './13-leave-group.js';
export {
  syncGroup,
  type SyncGroupReply,
  type SyncGroupRequest,
  type SyncGroupResponse,
} from './14-sync-group.js';
export {
  describeGroups,
  type DescribeGroupsReply,
  type DescribeGroupsRequest,
  type DescribeGroupsResponse,
} from './15-describe-groups.js';
export {
  listGroups,
  type ListGroupsReply,
  type ListGroupsRequest,
  type ListGroupsResponse,
} from './16-list-groups.js';
export {
  apiVersions,
  type ApiVersionsReply,
  type ApiVersionsRequest,
  type ApiVersionsResponse,
} from './18-api-versions.js';
export {
  createTopics,
  type CreateTopicsReply,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from './19-create-topics.js';
export {
  deleteTopics,
  type DeleteTopicsReply,
  type DeleteTopicsRequest,
  type DeleteTopicsResponse,
} from './20-delete-topics.js';
export {
  describeConfigs,
  type DescribeConfigsReply,
  type DescribeConfigsRequest,
  type DescribeConfigsResponse,
} from './32-describe-configs.js';
export {
  createPartitions,
  type CreatePartitionsReply,
  type CreatePartitionsRequest,
  type CreatePartitionsResponse,
} from './37-create-partitions.js';
export {
  deleteGroups,
  type DeleteGroupsReply,
  type DeleteGroupsRequest,
  type DeleteGroupsResponse,
} from './42-delete-groups.js';
export {
  incrementalAlterConfigs,
  type IncrementalAlterConfigsReply,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
} from './44-incremental-alter-configs.js';
export {
  offsetDelete,
  type OffsetDeleteReply,
  type OffsetDeleteRequest,
  type OffsetDeleteResponse,
} from './47-offset-delete.js';
export {
  describeCluster,
  type DescribeClusterReply,
  type DescribeClusterRequest,
  type DescribeClusterResponse,
} from './60-describe-cluster.js';
export {
  recordWrite,
  type RecordWriteReply,
  type RecordWriteRequest,
  type RecordWriteResponse,
} from './20000-record-write.js';
export {
  recordRead,
  type RecordReadReply,
  type RecordReadRequest,
  type RecordReadResponse,
} from './20001-record-read.js';
export {
  recordSeal,
  type RecordSealReply,
  type RecordSealRequest,
  type RecordSealResponse,
} from './20002-record-seal.js';
