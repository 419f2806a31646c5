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
  // Who reads the log may die, and the pipe to it break. That is no reason for a replica to die too.
  process.stdout.on('error', () => undefined);
  for (const warning of warnings) log.warn(warning);
  const own = settings.replicas.find(({ id }) => id === settings.replicaId)!;
  // Not at the top: who runs QuorateModule over Fastify has no Express. Nest's own search for it would end the process.
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  const app = await NestFactory.create<NestExpressApplication>(
    QuorateModule.forRoot({ settings, log }),
    new ExpressAdapter(),
    // Nest's own body parser would also take forms, and whoever forgets to say that it sends JSON sends one.
    { logger: new NestLog(log), abortOnError: false, bodyParser: false },
  );
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
