import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  createParamDecorator,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Global,
  Injectable,
  Module,
  type ModuleMetadata,
  type NestInterceptor,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type Observable, tap } from 'rxjs';
import { startTestCluster, type TestCluster } from '../../../src/app/testing/index.js';
import { currentFence, Fenced, MemoryStore, Records } from '../../../src/locking/index.js';
import { getStoreToken, LockingModule } from '../../../src/locking/nest/index.js';
import {
  Lease,
  leaseOf,
  OnPartition,
  PartitionWorker,
  WorkerHealthIndicator,
  WorkerModule,
  type WorkerModuleOptions,
} from '../../../src/worker/nest/index.js';
import { eventually } from '../../harness/waiting.js';
import { closeApplications, ended, startApplication } from './nest-application.js';

const WITHIN_MS = 30_000;

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.stop());

afterEach(closeApplications);
const start = (
  ...[metadata, options]: [metadata: ModuleMetadata, options?: Partial<WorkerModuleOptions>]
): ReturnType<typeof startApplication> => startApplication(cluster, metadata, options);

describe('a class with @PartitionWorker', () => {
  it('gets each partition as a lease, in stores that are sealed, and commits', async () => {
    const store = new MemoryStore();
    const other = new MemoryStore();
    const records = new Records<{ n: number }>(store, 'counters');
    const seen: object[] = [];
    @PartitionWorker('sealed', { group: 'sealed' })
    class Counter {
      @OnPartition()
      async work(lease: Lease): Promise<void> {
        const sealed = await Promise.all([store, other].map((each) => each.fenceOf(lease.scope)));
        expect(sealed).toEqual([lease.token, lease.token]);
        await records.insert(String(lease.partition), { n: 1 }, { fence: lease });
        await lease.commit(7);
        seen.push({ partition: lease.partition, position: lease.position });
        await ended(lease);
      }
    }
    await start({
      imports: [
        LockingModule.forRoot({ store: other }),
        WorkerModule.forFeature('sealed', { stores: [store] }),
        WorkerModule.forFeatureAsync('sealed', {
          inject: [getStoreToken()],
          useFactory: (injected: MemoryStore) => ({ stores: [injected] }),
        }),
      ],
      providers: [Counter],
    });
    await eventually('both partitions are worked on', WITHIN_MS, () => seen.length === 2);
    expect(seen).toEqual(
      expect.arrayContaining([
        { partition: 0, position: 7n },
        { partition: 1, position: 7n },
      ]),
    );
    expect(cluster.ownersOf('sealed')).toHaveLength(2);
  });

  it('is called as a controller is: guards, interceptors, filters, pipes of parameters, and what decorators noted', async () => {
    const calls: string[] = [];
    const Role = (role: string): MethodDecorator => SetMetadata('role', role);
    const Partition = createParamDecorator(
      (_: unknown, context: ExecutionContext) => leaseOf(context)!.partition,
    );
    @Injectable()
    class Guard implements CanActivate {
      constructor(readonly reflector: Reflector) {}
      canActivate(context: ExecutionContext): boolean {
        const role = this.reflector.get<string>('role', context.getHandler());
        calls.push(`guard ${context.getType()} ${context.getClass().name} ${role}`);
        return true;
      }
    }
    class Interceptor implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
        calls.push(`before ${leaseOf(context)!.scope}`);
        return next.handle().pipe(tap(() => calls.push('after')));
      }
    }
    @Catch(RangeError)
    class Filter implements ExceptionFilter<RangeError> {
      catch(error: RangeError, host: ArgumentsHost): string {
        calls.push(`filter ${host.getType()} ${error.message}`);
        return 'handled';
      }
    }
    @PartitionWorker('called', { group: 'called' })
    @UseGuards(Guard)
    class Called {
      @OnPartition()
      @UseInterceptors(Interceptor)
      @UseFilters(Filter)
      @Role('owner')
      @Fenced()
      async work(@Lease() lease: Lease, @Partition() partition: number): Promise<void> {
        calls.push(`partition ${partition} of ${this.constructor.name}, fenced ${currentFence() === lease}`);
        await lease.commit(1);
        throw new RangeError('too far');
      }
    }
    await start({ providers: [Called] }, { createTopics: { partitions: 1 } });
    await eventually('the filter was called', WITHIN_MS, () => calls.length >= 4);
    expect(calls).toEqual([
      'guard quorate Called owner',
      'before called/called/0',
      'partition 0 of Called, fenced true',
      'filter quorate too far',
    ]);
  });

  it('is called again after what it throws, also where a guard refuses', async () => {
    let asked = 0;
    let worked = 0;
    class ThirdTime implements CanActivate {
      canActivate(): boolean {
        return ++asked >= 3;
      }
    }
    @PartitionWorker('again', { group: 'again' })
    class Again {
      @OnPartition()
      @UseGuards(ThirdTime)
      async work(lease: Lease): Promise<void> {
        if (++worked === 1) throw new Error('not yet');
        await ended(lease);
      }
    }
    await start({ providers: [Again] }, { createTopics: { partitions: 1 } });
    await eventually('it works', WITHIN_MS, () => worked === 2);
    expect(asked).toBe(4);
  });
});

describe('health', () => {
  it('says what is owned, and is down where the coordinator does not answer', async () => {
    @PartitionWorker('health')
    class Worker {
      @OnPartition()
      work(lease: Lease): Promise<void> {
        return ended(lease);
      }
    }
    const { app, workers } = await start({ providers: [Worker] }, { group: 'health', clientId: 'healthy' });
    const indicator = app.get(WorkerHealthIndicator);
    await eventually('both are owned', WITHIN_MS, () => workers.owned().length === 2);
    const health = {
      state: 'working',
      owned: 2,
      lastAnswerMs: expect.any(Number) as unknown,
      loopDelayMs: expect.any(Number) as unknown,
    };
    expect(indicator.isHealthy()).toEqual({ workers: { status: 'up', health } });
    expect(indicator.isHealthy('own', { group: 'health' })).toEqual({ own: { status: 'up', health } });
    cluster.pauseWorker('healthy');
    try {
      await eventually(
        'it is down',
        WITHIN_MS,
        () => indicator.isHealthy('workers', { answerWithinMs: 1_000 })['workers']!.status === 'down',
      );
    } finally {
      cluster.resumeWorker('healthy');
    }
  });
});

describe('the end of an application', () => {
  it('is in order: HTTP takes no more, what is under way is answered, handlers drain, the group is left, pools close', async () => {
    const log: string[] = [];
    let release = (): void => undefined;
    const drained = new Promise<void>((resolve) => (release = resolve));
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const members = (): string => `${cluster.ownersOf('ending').length} owned`;

    /** A pool as most are: of a global module. */
    @Injectable()
    class GlobalPool implements OnModuleDestroy {
      onModuleDestroy(): void {
        log.push(`global pool closes, ${members()}`);
      }
    }
    @Global()
    @Module({ providers: [GlobalPool], exports: [GlobalPool] })
    class PoolModule {}
    /** One of the application's own module, which Nest destroys first. */
    @Injectable()
    class OwnPool implements OnApplicationShutdown {
      onApplicationShutdown(): void {
        log.push(`own pool closes, ${members()}`);
      }
    }
    @Controller()
    class Requests {
      @Get('slow')
      async slow(): Promise<string> {
        log.push('request begins');
        await answered;
        return 'answered';
      }
    }
    let works = false;
    @PartitionWorker('ending', { group: 'ending' })
    class Worker {
      constructor(
        readonly globalPool: GlobalPool,
        readonly ownPool: OwnPool,
      ) {}
      @OnPartition()
      async work(lease: Lease): Promise<void> {
        works = true;
        await ended(lease);
        log.push(`drains: ${lease.end}`);
        await drained;
        await lease.commit(3);
        log.push('drained');
      }
    }
    const { app, url, workers } = await start(
      { imports: [PoolModule], providers: [OwnPool, Worker], controllers: [Requests] },
      { createTopics: { partitions: 1 } },
    );
    // What is owned has no handler yet while its position is read.
    await eventually('it works', WITHIN_MS, () => works && workers.owned().length === 1);
    const slow = fetch(`${url}/slow`).then((response) => response.text());
    await eventually('the request is under way', WITHIN_MS, () => log.length === 1);

    const closed = app.close();
    await eventually('it drains', WITHIN_MS, () => log.includes('drains: revoked'));
    await expect(fetch(`${url}/slow`)).rejects.toThrow('fetch failed');
    expect(cluster.ownersOf('ending')).toHaveLength(1);
    answer();
    expect(await slow).toBe('answered');
    release();
    await closed;
    expect(log).toEqual([
      'request begins',
      'drains: revoked',
      'drained',
      'global pool closes, 0 owned',
      'own pool closes, 0 owned',
    ]);
    expect(workers.worker().state).toBe('stopped');
  });
});
