import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ProblemFilter } from '../admin/nest/index.js';
import { createLog, NestLog } from './log.js';
import { QuorateModule } from './quorate.module.js';
import type { LoadedSettings } from './configuration.js';

/** A transaction over many records is the largest thing that is sent here. */
const BODY_BYTES_MAX = 1024 * 1024;

export interface RunningReplica {
  stop(): Promise<void>;
}

/**
 * Runs one replica as a Nest application in this process. SIGTERM and SIGINT stop it: it hands leadership over, then
 * closes; a second signal ends the process at once. Throws what keeps it from starting, with a message that says what to do.
 */
export async function runReplica({ settings, warnings }: LoadedSettings): Promise<RunningReplica> {
  const log = createLog(settings);
  for (const warning of warnings) log.warn(warning);
  const own = settings.replicas.find(({ id }) => id === settings.replicaId)!;
  const app = await NestFactory.create<NestExpressApplication>(QuorateModule.forRoot({ settings, log }), {
    logger: new NestLog(log),
    abortOnError: false,
    // Nest's own would also take forms, and whoever forgets to say that it sends JSON sends one.
    bodyParser: false,
  });
  app.useGlobalFilters(new ProblemFilter());
  app.useBodyParser('json', { limit: BODY_BYTES_MAX });
  // An ETag is the version of a record, and nothing else; Express would hash every answer for one of its own.
  app.set('etag', false);
  app.disable('x-powered-by');
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(() => {
      log.warn(
        `not stopped after ${settings.shutdownTimeoutMs} ms: ending anyway; what was acknowledged is on disk`,
      );
      process.exit(1);
    }, settings.shutdownTimeoutMs).unref();
    log.info('stopping');
    await app.close();
    log.info('stopped');
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error(`could not stop cleanly: ${String(error)}`);
          process.exit(1);
        },
      );
    });
  }
  if (own.httpPort === undefined) await app.init();
  else await app.listen(own.httpPort, settings.httpListenHost ?? own.host);
  return { stop };
}

/** What to print when a replica cannot start: the cause, and what to do about it. */
export function startProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code === 'EADDRINUSE')
    return `port ${port} on ${address} is in use: stop what uses it, or give this replica another port in \`replicas\`.`;
  if (code === 'EACCES' && port !== undefined)
    return `port ${port} may not be used by this user: give a port above 1023.`;
  if (code === 'EADDRNOTAVAIL')
    return `the address ${address} is not one of this machine: correct it in \`replicas\` or the listen settings.`;
  return error.message;
}
