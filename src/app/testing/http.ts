import type { DynamicModule } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AdminSource } from '../../admin/index.js';
import { AdminModule } from '../../admin/nest/index.js';
import type { Log } from '../../kernel/index.js';
import { httpApplication } from '../http-application.js';
import { HTTP_LIMITS, HttpClients } from '../http-clients.js';

const SOURCE = Symbol('quorate:admin-source');
const CONNECTIONS_MAX = 1_000;

/** The HTTP side alone, over a source that is at hand. */
export function adminApplication(source: AdminSource, log: Log): Promise<NestExpressApplication> {
  const sources: DynamicModule = {
    module: class AdminSources {},
    providers: [{ provide: SOURCE, useValue: source }],
    exports: [SOURCE],
  };
  const clients = new HttpClients({ ...HTTP_LIMITS, connectionsMax: CONNECTIONS_MAX }, log);
  return httpApplication(AdminModule.over(SOURCE, [sources]), log, clients);
}
