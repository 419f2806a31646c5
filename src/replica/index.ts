export type * from './ports.js';
export type * from './coordinator.js';
export {
  createReplica,
  ForeignDiskError,
  type PaxosSettings,
  type Replica,
  type ReplicaAddress,
  type ReplicaLog,
  type ReplicaOptions,
  type ReplicaStatus,
} from './replica.js';
export { systemClock, systemEntropy } from './system.js';
