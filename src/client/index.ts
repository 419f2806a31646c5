export { type AssignableMember, type Assignor, cooperativeSticky, range, roundRobin } from './assignors.js';
export { type BackOff, backOffMs } from './back-off.js';
export {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type PartitionsByTopic,
} from './consumer-protocol.js';
export type { Carrier } from './broker-connection.js';
export { BrokerError, ConnectionError } from './errors.js';
export { Exchange } from './exchange.js';
export {
  type CommittedPosition,
  GroupClient,
  type GroupClientOptions,
  type Membership,
} from './group-client.js';
