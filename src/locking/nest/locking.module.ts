import { ConfigurableModuleBuilder, type DynamicModule, Module, type Provider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { withCurrentFence } from '../fence-context.js';
import type { RecordStore, ResourceName } from '../model.js';
import { observed } from '../observed.js';
import { Records } from '../records.js';
import { LockingEvents } from './events.js';
import { LockingExceptionFilter } from './exception-filter.js';
import { LockingHealthIndicator } from './health.js';
import {
  DEFAULT_STORE,
  getHealthIndicatorToken,
  getRecordsToken,
  getStoreToken,
  LOCKING_OPTIONS,
} from './tokens.js';

export interface LockingModuleOptions {
  /** Where the records are. The module counts its writes, and makes them under the fence of a `@Fenced` method. */
  readonly store: RecordStore;
}

/** What is decided before a factory runs. */
export interface LockingModuleExtras {
  /** Needed once there is more than one store. */
  readonly name?: string;
  /** Default true: `forFeature` works in every module. False: it is told `from` which module the store comes. */
  readonly isGlobal?: boolean;
  /** Default true: a LockingError that leaves a handler is answered as problem+json, with its status. */
  readonly mapErrors?: boolean;
}

export interface LockingFeatureOptions {
  /** Which store, by name. */
  readonly store?: string;
  /** What `forRoot` returned, where it is not global. */
  readonly from?: DynamicModule | Promise<DynamicModule>;
}

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<LockingModuleOptions>({
  moduleName: 'QuorateLocking',
  optionsInjectionToken: LOCKING_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setExtras<LockingModuleExtras>(
    { name: DEFAULT_STORE, isGlobal: true, mapErrors: true },
    (definition, { name, isGlobal, mapErrors }) => {
      const store: Provider = {
        provide: getStoreToken(name),
        useFactory: (options: LockingModuleOptions) => withCurrentFence(observed(options.store)),
        inject: [LOCKING_OPTIONS],
      };
      const health: Provider = {
        provide: getHealthIndicatorToken(name),
        useFactory: (own: RecordStore) => new LockingHealthIndicator(own),
        inject: [getStoreToken(name)],
      };
      const filter = { provide: APP_FILTER, useClass: LockingExceptionFilter };
      return {
        ...definition,
        global: isGlobal ?? true,
        providers: [
          ...(definition.providers ?? []),
          store,
          health,
          LockingEvents,
          ...(mapErrors === false ? [] : [filter]),
        ],
        exports: [getStoreToken(name), getHealthIndicatorToken(name), LockingEvents],
      };
    },
  )
  .build();

/**
 * Records of any store as providers:
 *
 *   LockingModule.forRootAsync({ useFactory: (redis: Redis) => ({ store: new RedisStore(redis) }), inject: [REDIS] })
 *   LockingModule.forFeature(['accounts', 'orders'])
 *
 * and in a service `@InjectRecords('accounts') accounts: Records<Account>`. The module opens and closes no connection.
 */
@Module({})
export class LockingModule extends ConfigurableModuleClass {
  /** Provides `Records` of these resources to the module that imports it. */
  static forFeature(
    resources: readonly ResourceName[],
    { store, from }: LockingFeatureOptions = {},
  ): DynamicModule {
    const providers = resources.map((resource) => ({
      provide: getRecordsToken(resource, store),
      useFactory: (own: RecordStore) => new Records(own, resource),
      inject: [getStoreToken(store)],
    }));
    return {
      module: LockingModule,
      imports: from === undefined ? [] : [from],
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}
