import 'reflect-metadata';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ProblemFilter } from '../admin/nest/index.js';
import type { Address, Log } from '../kernel/index.js';
import { NestLog } from './log.js';

/** A client that sends its headers slowly, or does not take its answer, loses its connection. Milliseconds. */
const HTTP_HEADERS_MS = 10_000;
const HTTP_SILENCE_MS = 60_000;

function limitClients(server: Server, connectionsMax: number): void {
  server.maxConnections = connectionsMax;
  server.headersTimeout = HTTP_HEADERS_MS;
  server.requestTimeout = HTTP_SILENCE_MS;
  server.setTimeout(HTTP_SILENCE_MS);
}

/** A transaction over many records is the largest thing that is sent here. */
const BODY_BYTES_MAX = 1024 * 1024;

/** The HTTP side of a replica as a Nest application over Express; it does not listen yet. */
export async function httpApplication(
  module: DynamicModule,
  log: Log,
  connectionsMax: number,
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
  limitClients(app.getHttpServer(), connectionsMax);
  return app;
}

/** Serves the application on further addresses too, until the function that it resolves with is called. */
export async function listenAlso(
  app: NestExpressApplication,
  addresses: readonly Address[],
  connectionsMax: number,
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
      limitClients(server, connectionsMax);
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
