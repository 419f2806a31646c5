import type { Logger } from '@nestjs/common';
import { WorkerError } from '../problems.js';
import type { Worker } from '../worker.js';

/** What happens to a worker, in the log of the application. */
export function logEvents(worker: Worker, group: string, log: Logger): void {
  worker.on('joined', ({ memberId }) => log.log(`joined the group ${group} as ${memberId}`));
  worker.on('rebalanced', ({ epoch, owned }) => log.log(`${group}: ${owned} partition(s) in epoch ${epoch}`));
  for (const end of ['revoked', 'lost'] as const)
    worker.on(end, ({ leases, why }) => log.log(`${group}: ${leases.length} partition(s) ${end}: ${why}`));
  worker.on('error', ({ error, lease }) => {
    if (!(error instanceof WorkerError))
      log.error(`${lease?.scope}: ${String(error)}; its handler runs again after a pause`);
    else if (error.fatal || lease !== undefined) log.error(error.message);
    else log.warn(error.message);
  });
}
