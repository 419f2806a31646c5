import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import type { RecordStore } from 'quorate/locking';
import { getStoreToken, LockingModule } from 'quorate/locking/nest';
import { WorkerModule } from 'quorate/worker/nest';
import type { Config } from './config.js';
import { HttpController } from './http.js';
import { Jobs, Prices } from './jobs.js';
import { Stores, StoresModule } from './stores.js';
import { TenantsWorker } from './tenants.worker.js';

@Module({})
export class AppModule {
  static with(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        TerminusModule,
        StoresModule.with(config),
        LockingModule.forRootAsync({
          inject: [Stores],
          useFactory: ({ accounts }: Stores) => ({ store: accounts }),
        }),
        LockingModule.forRootAsync({
          name: 'totals',
          inject: [Stores],
          useFactory: ({ totals }: Stores) => ({ store: totals }),
        }),
        LockingModule.forFeature(['accounts']),
        LockingModule.forFeature(['totals'], { store: 'totals' }),
        WorkerModule.forRootAsync({
          inject: [getStoreToken(), getStoreToken('totals')],
          useFactory: (...stores: RecordStore[]) => ({
            brokers: config.brokers,
            clientId: config.clientId,
            sessionTimeoutMs: config.sessionTimeoutMs,
            group: 'billing',
            createTopics: { partitions: 4 },
            // Both are sealed before a lease begins: from then on they refuse the owner before.
            stores,
          }),
        }),
      ],
      controllers: [HttpController],
      providers: [TenantsWorker, Prices, { provide: Jobs, useFactory: () => new Jobs(config.chargeEveryMs) }],
    };
  }
}
