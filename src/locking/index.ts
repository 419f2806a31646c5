export * from './model.js';
export * from './errors.js';
export {
  Records,
  type BulkUpdate,
  type MergeOptions,
  type RecordReference,
  type WriteOptions,
} from './records.js';
export { AggregateChange, type RootMode } from './aggregate.js';
export { retryOnConflict, type RetryOptions } from './retry.js';
export { MemoryStore, type MemoryStoreFaults } from './memory-store.js';
export { QuorateStore, type QuorateStoreOptions } from './quorate-store.js';
export { LOCKING_CHANNEL, observed, observedRetry, type LockingEvent } from './observed.js';
export { currentFence, type HeldFence, runFenced, withCurrentFence } from './fence-context.js';
export { Fenced, RetryOnConflict } from './decorators.js';
