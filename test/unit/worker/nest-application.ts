import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { type INestApplication, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { TestCluster } from '../../../src/app/testing/index.js';
import {
  type Lease,
  PartitionWorkers,
  WorkerModule,
  type WorkerModuleOptions,
} from '../../../src/worker/nest/index.js';

const open: INestApplication[] = [];
export async function closeApplications(): Promise<void> {
  for (const app of open.splice(0)) await app.close();
}

interface Started {
  readonly app: INestApplication;
  readonly url: string;
  readonly workers: PartitionWorkers;
}
/** An application that works on partitions of the cluster, and answers HTTP. */
export async function startApplication(
  cluster: TestCluster,
  metadata: ModuleMetadata,
  options: Partial<WorkerModuleOptions> = {},
): Promise<Started> {
  const root = WorkerModule.forRoot({
    brokers: cluster.brokers,
    createTopics: { partitions: 2 },
    restartMs: 1,
    ...options,
  });
  @Module({ ...metadata, imports: [root, ...(metadata.imports ?? [])] })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false });
  open.push(app);
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  return { app, url: `http://127.0.0.1:${port}`, workers: app.get(PartitionWorkers) };
}

export const ended = (lease: Lease): Promise<void> =>
  new Promise((resolve) => {
    if (lease.signal.aborted) return resolve();
    lease.signal.addEventListener('abort', () => resolve(), { once: true });
  });
