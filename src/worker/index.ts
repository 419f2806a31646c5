import type { WorkerOptions } from './options.js';
import { placeOutside } from './place.js';
import { Worker } from './worker.js';

export type { AssignorName, SealableStore, WorkerOptions } from './options.js';
export { WorkerError } from './problems.js';
export {
  type Lease,
  type LeaseEnd,
  LeaseEndedError,
  type TopicPartition,
  type WorkerEvents,
  type WorkerState,
} from './types.js';
export type { Worker, WorkerHealth } from './worker.js';

/** Makes a worker; `start` joins the group. Throws TypeError when an option is wrong. */
export function createWorker(options: WorkerOptions): Worker {
  return new Worker(options, { madeAt: placeOutside(createWorker) });
}
