export { agreementFound, differences } from './agreement.js';
export { identityProblem } from './identity.js';
export type * from './ports.js';
export type * from './coordinator.js';
export type { PaxosSettings, Replica, ReplicaStatus } from './options.js';
export { decodeFrame } from './frames.js';
export { createReplica } from './replica.js';
export { systemClock, systemEntropy } from './system.js';
