export {
  WorkerModule,
  type WorkerFeatureAsyncOptions,
  type WorkerModuleAsyncOptions,
} from './worker.module.js';
export type { WorkerFeatureOptions, WorkerModuleOptions } from './options.js';
export {
  Lease,
  leaseOf,
  OnLost,
  OnPartition,
  OnRevoked,
  PartitionWorker,
  type PartitionWorkerOptions,
} from './decorators.js';
export { PartitionWorkers, WorkerSetupError } from './partition-workers.js';
export { PartitionTransport, type PartitionTransportOptions, QUORATE_TRANSPORT } from './transport.js';
export { WorkerHealthIndicator, type WorkerHealthOptions, type WorkerHealthResult } from './health.js';
