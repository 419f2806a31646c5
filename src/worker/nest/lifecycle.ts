import type { Server } from 'node:http';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { WORKER_OPTIONS, type WorkerModuleOptions } from './options.js';
import { PartitionWorkers } from './partition-workers.js';

/**
 * Workers begin when the application does, and end before what they use: HTTP takes no more requests, handlers drain, the groups
 * are left. Nest destroys a module before those that it imports and before the global ones, and lets all of them pass
 * `onModuleDestroy` before any passes `onApplicationShutdown`.
 */
@Injectable()
export class WorkerLifecycle implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #workers: PartitionWorkers;
  readonly #options: WorkerModuleOptions;
  readonly #http: HttpAdapterHost;

  constructor(
    @Inject(PartitionWorkers) workers: PartitionWorkers,
    @Inject(WORKER_OPTIONS) options: WorkerModuleOptions,
    @Inject(HttpAdapterHost) http: HttpAdapterHost,
  ) {
    this.#workers = workers;
    this.#options = options;
    this.#http = http;
  }

  onModuleInit(): void {
    this.#workers.prepare();
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.#options.autoStart !== false) await this.#workers.start();
  }

  async onModuleDestroy(): Promise<void> {
    // Requests under way are answered. Nest closes it once more, and waits for them.
    const server = this.#http.httpAdapter?.getHttpServer() as Server | undefined;
    if (server?.listening === true) server.close();
    await this.#workers.stop('the application ends');
  }
}
