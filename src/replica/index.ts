export type * from './ports.js';
export type * from './coordinator.js';
export type { PaxosSettings, Replica, ReplicaAddress, ReplicaOptions, ReplicaStatus } from './options.js';
export { ForeignDiskError } from './recovery.js';
export { createReplica } from './replica.js';
export { systemClock, systemEntropy } from './system.js';
