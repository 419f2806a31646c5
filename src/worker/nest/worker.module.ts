import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  Module,
  type Provider,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { WorkerHealthIndicator } from './health.js';
import { WorkerLifecycle } from './lifecycle.js';
import {
  FeatureOptions,
  WORKER_OPTIONS,
  type WorkerFeatureOptions,
  type WorkerModuleOptions,
} from './options.js';
import { PartitionWorkers } from './partition-workers.js';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<WorkerModuleOptions>({
  moduleName: 'QuorateWorker',
  optionsInjectionToken: WORKER_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

/** What other modules inject. It is global, and Nest destroys global modules last: what must end first is not in it. */
@Module({})
class WorkerCoreModule extends ConfigurableModuleClass {
  static over(options: DynamicModule): DynamicModule {
    const exported = [WORKER_OPTIONS, PartitionWorkers, WorkerHealthIndicator];
    return {
      ...options,
      global: true,
      imports: [...(options.imports ?? []), DiscoveryModule],
      providers: [...(options.providers ?? []), PartitionWorkers, WorkerHealthIndicator],
      exports: exported,
    };
  }
}

/** `useFactory`, `useClass` or `useExisting`, with `imports` and `inject`. */
export type WorkerModuleAsyncOptions = ConfigurableModuleAsyncOptions<WorkerModuleOptions>;

export interface WorkerFeatureAsyncOptions extends Pick<DynamicModule, 'imports'> {
  readonly inject?: ConfigurableModuleAsyncOptions<WorkerFeatureOptions>['inject'];
  readonly useFactory: NonNullable<ConfigurableModuleAsyncOptions<WorkerFeatureOptions>['useFactory']>;
}

/**
 * Runs the classes with `@PartitionWorker`, whichever module provides them:
 *
 *   imports: [WorkerModule.forRoot({ brokers: ['127.0.0.1:9092'], group: 'billing' })],
 *   providers: [TenantsWorker],
 *
 * Import it in the module of the application, once.
 */
@Module({})
export class WorkerModule {
  static forRoot(options: WorkerModuleOptions): DynamicModule {
    return rootOf(WorkerCoreModule.forRoot(options));
  }

  static forRootAsync(options: WorkerModuleAsyncOptions): DynamicModule {
    return rootOf(WorkerCoreModule.forRootAsync(options));
  }

  /** Options of one group: stores to seal, concurrency, sessions. They go before those of `forRoot`; stores of both are sealed. */
  static forFeature(group: string, options: WorkerFeatureOptions): DynamicModule {
    return featureOf(group, { useFactory: () => options });
  }

  static forFeatureAsync(group: string, options: WorkerFeatureAsyncOptions): DynamicModule {
    return featureOf(group, options);
  }
}

const rootOf = (options: DynamicModule): DynamicModule => ({
  module: WorkerModule,
  imports: [WorkerCoreModule.over(options)],
  providers: [WorkerLifecycle],
});

function featureOf(
  group: string,
  { imports = [], inject = [], useFactory }: WorkerFeatureAsyncOptions,
): DynamicModule {
  const made: (...args: unknown[]) => WorkerFeatureOptions | Promise<WorkerFeatureOptions> = useFactory;
  const provider: Provider = {
    provide: `quorate:worker-feature:${group}`,
    useFactory: async (...args: unknown[]) => new FeatureOptions(group, await made(...args)),
    inject,
  };
  return { module: WorkerModule, imports, providers: [provider] };
}
