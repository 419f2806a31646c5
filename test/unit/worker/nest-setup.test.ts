import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type ModuleMetadata, type Provider, Scope } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { MemoryStore } from '../../../src/locking/index.js';
import {
  Lease,
  OnLost,
  OnPartition,
  OnRevoked,
  PartitionWorker,
  PartitionWorkers,
  WorkerHealthIndicator,
  WorkerModule,
  WorkerSetupError,
} from '../../../src/worker/nest/index.js';

const BROKERS = ['127.0.0.1:1'];
const ROOT = WorkerModule.forRoot({ brokers: BROKERS, group: 'billing', autoStart: false });

const open: TestingModule[] = [];
afterEach(async () => {
  for (const module of open.splice(0)) await module.close();
});
async function initialized(metadata: ModuleMetadata): Promise<TestingModule> {
  const module = await Test.createTestingModule(metadata).compile();
  open.push(module);
  await module.init();
  return module;
}
/** What is wrong with an application of these classes. */
async function problemsOf(providers: Provider[], imports = [ROOT]): Promise<readonly string[]> {
  const module = await Test.createTestingModule({ imports, providers }).compile();
  const error: unknown = await module.init().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(WorkerSetupError);
  return (error as WorkerSetupError).problems;
}

@PartitionWorker('tenants')
class Tenants {
  @OnPartition()
  work(): void {}
}
@PartitionWorker('feeds', { group: 'fetching' })
class Feeds {
  @OnPartition()
  work(): void {}
}

describe('an application with WorkerModule', () => {
  it('is a member of each group that its classes name, once', async () => {
    @PartitionWorker(['a', 'b'])
    class Other extends Tenants {}
    const module = await initialized({ imports: [ROOT], providers: [Tenants, Feeds, Other] });
    expect(module.get(PartitionWorkers).groups).toEqual(['billing', 'fetching']);
    expect(module.get(PartitionWorkers).worker().state).toBe('idle');
    expect(() => module.get(PartitionWorkers).worker('b')).toThrow('there is billing, fetching');
  });

  it('does not join before it is told to, and is not healthy, with autoStart false', async () => {
    const module = await initialized({ imports: [ROOT], providers: [Tenants] });
    expect(module.get(WorkerHealthIndicator).isHealthy()).toMatchObject({
      workers: { status: 'down', billing: { state: 'idle', owned: 0 } },
    });
  });

  it('does not start where it cannot join, and says why', async () => {
    const root = WorkerModule.forRoot({ brokers: BROKERS, group: 'billing', startTimeoutMs: 200 });
    const module = await Test.createTestingModule({ imports: [root], providers: [Tenants] }).compile();
    module.useLogger(false);
    await expect(module.init()).rejects.toMatchObject({ name: 'WorkerError', code: 'UNREACHABLE' });
    expect(module.get(PartitionWorkers).worker().state).toBe('stopped');
  });

  it('finds classes that a factory or another token provides, and takes an alias for no other', async () => {
    const module = await initialized({
      imports: [ROOT],
      providers: [
        { provide: 'tenants', useFactory: () => new Tenants() },
        { provide: 'feeds', useClass: Feeds },
        { provide: 'alias', useExisting: 'feeds' },
      ],
    });
    expect(module.get(PartitionWorkers).groups).toEqual(['billing', 'fetching']);
  });
});

describe('what is wrong is said before the start, all of it, with what to do', () => {
  it('no decorator on the class', async () => {
    class Forgotten {
      @OnPartition()
      work(): void {}
    }
    class Late {
      @OnRevoked()
      flush(): void {}
    }
    expect(await problemsOf([Forgotten, Late])).toEqual([
      "Forgotten.work would never be called: put @PartitionWorker('topic', { group: 'group' }) on the class Forgotten",
      "Late.flush would never be called: put @PartitionWorker('topic', { group: 'group' }) on the class Late",
    ]);
  });

  it('no method for a partition, or two', async () => {
    @PartitionWorker('none')
    class None {
      @OnLost()
      lost(): void {}
    }
    @PartitionWorker('two')
    class Two {
      @OnPartition()
      one(): void {}
      @OnPartition()
      other(): void {}
    }
    expect(await problemsOf([None, Two])).toEqual([
      'None has no method with @OnPartition(): put it on the one that works on a partition',
      'Two has @OnPartition() on one and other: a partition has one handler, which may call both',
    ]);
  });

  it('no group and no topic', async () => {
    @PartitionWorker([])
    class Nothing extends Tenants {}
    const root = WorkerModule.forRoot({ brokers: BROKERS });
    expect(await problemsOf([Tenants, Nothing], [root])).toEqual([
      "Tenants has no group: give it one with @PartitionWorker('tenants', { group: 'billing' }), or all of them with WorkerModule.forRoot({ group: 'billing' })",
      "Nothing has no topic: @PartitionWorker('tenants')",
      expect.stringContaining('Nothing has no group'),
    ]);
  });

  it('two classes for one topic and group, or one that is provided twice', async () => {
    @PartitionWorker(['feeds', 'tenants'])
    class Rival extends Tenants {}
    @Module({ providers: [Feeds] })
    class First {}
    @Module({ providers: [Feeds] })
    class Second {}
    expect(await problemsOf([Tenants, Rival], [ROOT, { module: First }, { module: Second }])).toEqual([
      'Tenants and Rival both work on the topic tenants in the group billing: a partition has one handler, so give one of them another group, or join them',
      'Feeds is provided twice: provide it in one module, and export it from there',
    ]);
  });

  it('classes that are made for a request, or for each that injects them', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Session {}
    @PartitionWorker('a')
    class Depends {
      constructor(readonly session: Session) {}
      @OnPartition()
      work(): void {}
    }
    @PartitionWorker('b')
    @Injectable({ scope: Scope.REQUEST })
    class Scoped extends Tenants {}
    @Injectable({ scope: Scope.TRANSIENT })
    @PartitionWorker('c')
    class Transient extends Tenants {}
    expect(await problemsOf([Session, Depends, Scoped, Transient])).toEqual([
      expect.stringMatching(/^Depends, or what it depends on, is request-scoped; .*ModuleRef/),
      expect.stringMatching(/^Scoped, or what it depends on, is request-scoped/),
      expect.stringMatching(/^Transient is transient/),
    ]);
  });

  it('a parameter that would be undefined', async () => {
    @PartitionWorker('a')
    class Half {
      @OnPartition()
      work(_first: unknown, @Lease() _lease: Lease): void {}
    }
    expect(await problemsOf([Half])).toEqual([
      'parameter 1 of Half.work would be undefined, since another one has a decorator: @Lease() gives the lease',
    ]);
  });

  it('options that createWorker does not take, are given twice, or are for no group', async () => {
    const root = WorkerModule.forRoot({ brokers: [], group: 'billing' });
    expect(
      await problemsOf(
        [Tenants],
        [
          root,
          WorkerModule.forFeature('billing', { concurrency: 2 }),
          WorkerModule.forFeature('billing', { concurrency: 3, stores: [new MemoryStore()] }),
          WorkerModule.forFeature('biling', {}),
        ],
      ),
    ).toEqual([
      "WorkerModule.forFeature('biling') is of no use: no @PartitionWorker has this group; there is billing",
      'concurrency of the group billing is given by two WorkerModule.forFeature: give it once',
      'group billing: brokers is empty: give at least one, e.g. 127.0.0.1:9092',
    ]);
  });

  it('forRoot twice', async () => {
    const other = WorkerModule.forRoot({ brokers: BROKERS, autoStart: false });
    expect(await problemsOf([Tenants], [ROOT, other])).toEqual([
      expect.stringMatching(/^WorkerModule.forRoot is imported twice/),
    ]);
  });
});
