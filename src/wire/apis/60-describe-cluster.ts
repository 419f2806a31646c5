import { api } from '../api.js';
import { array, boolean, field, int16, int32, int8, nullable, string, struct } from '../schema.js';

/**
 * DescribeCluster (key 60).
 *
 * The replicas, for people (KIP-700). Flexible from the first version; v1 asks for brokers or controllers (KIP-919).
 */
export const describeCluster = api({
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 1],
  flexibleFrom: 0,
  request: {
    includeClusterAuthorizedOperations: field(boolean),
    endpointType: field(int8, { since: 1, default: 1, essential: true }),
  },
  response: {
    throttleTimeMs: field(int32, { default: 0 }),
    errorCode: field(int16),
    errorMessage: field(nullable(string), { default: null }),
    endpointType: field(int8, { since: 1, default: 1 }),
    clusterId: field(string),
    controllerId: field(int32, { default: -1 }),
    brokers: field(
      array(
        struct({
          brokerId: field(int32),
          host: field(string),
          port: field(int32),
          rack: field(nullable(string), { default: null }),
        }),
      ),
    ),
    clusterAuthorizedOperations: field(int32, { default: -2147483648 }),
  },
});
