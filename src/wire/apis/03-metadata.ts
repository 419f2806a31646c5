import { api } from '../api.js';
import { NO_UUID, array, boolean, field, int16, int32, nullable, string, struct, uuid } from '../schema.js';

/**
 * Metadata (key 3).
 *
 * Who the replicas are and who leads which partition. Every replica answers it for the whole cluster.
 *
 * v0 an empty list asks for all topics; v1 null asks for all and an empty list for none, rack, controller, internal flag;
 * v2 cluster id; v3 throttle time; v4 may a topic be created by asking; v5 offline replicas; v6 same bytes; v7 leader
 * epoch; v8 authorized operations; v9 flexible; v10 topic ids in the answer (KIP-516); v11 no cluster operations any more;
 * v12 asking by topic id alone, so that a name may be null; v13 an error over the whole answer (KIP-1102).
 */
export const metadata = api({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexibleFrom: 9,
  request: {
    topics: field(
      nullable(
        array(
          struct({
            topicId: field(uuid, { since: 10, default: NO_UUID }),
            name: field(nullable(string, { since: 10 })),
          }),
        ),
        { since: 1, before: [] },
      ),
    ),
    allowAutoTopicCreation: field(boolean, { since: 4, default: true, essential: true }),
    includeClusterAuthorizedOperations: field(boolean, {
      since: 8,
      until: 10,
      default: false,
      essential: true,
    }),
    includeTopicAuthorizedOperations: field(boolean, { since: 8, default: false, essential: true }),
  },
  response: {
    throttleTimeMs: field(int32, { since: 3, default: 0 }),
    brokers: field(
      array(
        struct({
          nodeId: field(int32),
          host: field(string),
          port: field(int32),
          rack: field(nullable(string), { since: 1, default: null }),
        }),
      ),
    ),
    clusterId: field(nullable(string), { since: 2, default: null }),
    controllerId: field(int32, { since: 1, default: -1 }),
    topics: field(
      array(
        struct({
          errorCode: field(int16),
          name: field(nullable(string, { since: 12 })),
          topicId: field(uuid, { since: 10, default: NO_UUID }),
          isInternal: field(boolean, { since: 1, default: false }),
          partitions: field(
            array(
              struct({
                errorCode: field(int16),
                partitionIndex: field(int32),
                leaderId: field(int32),
                leaderEpoch: field(int32, { since: 7, default: -1 }),
                replicaNodes: field(array(int32)),
                isrNodes: field(array(int32)),
                offlineReplicas: field(array(int32), { since: 5, default: [] }),
              }),
            ),
          ),
          topicAuthorizedOperations: field(int32, { since: 8, default: -2147483648 }),
        }),
      ),
    ),
    clusterAuthorizedOperations: field(int32, { since: 8, until: 10, default: -2147483648 }),
    errorCode: field(int16, { since: 13, default: 0 }),
  },
});
