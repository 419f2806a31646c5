import 'reflect-metadata';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ProblemFilter } from '../admin/nest/index.js';
import type { Address, Log } from '../kernel/index.js';
import type { HttpClients } from './http-clients.js';
import { NestLog } from './log.js';

/** A transaction over many records is the largest thing that is sent here. */
const BODY_BYTES_MAX = 1024 * 1024;

/** The HTTP side of a replica as a Nest application over Express; it does not listen yet. */
export async function httpApplication(
  module: DynamicModule,
  log: Log,
  clients: HttpClients,
): Promise<NestExpressApplication> {
  // Not at the top: an application that runs QuorateModule over Fastify has no Express, and Nest's own search for it would
  // end the process.
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  const app = await NestFactory.create<NestExpressApplication>(
    module,
    new ExpressAdapter(),
    // Nest's own body parser would also take forms, which is what a client sends that names no content type.
    { logger: new NestLog(log), abortOnError: false, bodyParser: false },
  );
  app.useGlobalFilters(new ProblemFilter());
  app.useBodyParser('json', { limit: BODY_BYTES_MAX });
  // An ETag is the version of a record, and nothing else; Express would hash every answer for one of its own.
  app.set('etag', false);
  app.disable('x-powered-by');
  clients.watch(app.getHttpServer());
  return app;
}

/** Serves the application on further addresses too, until the function that it resolves with is called. */
export async function listenAlso(
  app: NestExpressApplication,
  addresses: readonly Address[],
  clients: HttpClients,
): Promise<() => void> {
  const servers: Server[] = [];
  const close = (): void => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  };
  try {
    for (const { host, port } of addresses) {
      const server = createServer(app.getHttpAdapter().getInstance() as RequestListener);
      clients.watch(server);
      servers.push(server);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, resolve);
      });
    }
    return close;
  } catch (error) {
    close();
    throw error;
  }
}
