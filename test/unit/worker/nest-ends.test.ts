import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Catch, type ExceptionFilter, type ModuleMetadata, UseFilters } from '@nestjs/common';
import { startTestCluster, type TestCluster } from '../../../src/app/testing/index.js';
import {
  Lease,
  OnLost,
  OnPartition,
  OnRevoked,
  PartitionWorker,
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

describe('a class with @PartitionWorker whose lease ends', () => {
  it('is waited for when a lease is revoked in the pause after an error of its handler', async () => {
    const log: string[] = [];
    let release = (): void => undefined;
    const flushed = new Promise<void>((resolve) => (release = resolve));
    @PartitionWorker('pausing', { group: 'pausing' })
    class First {
      @OnPartition()
      work(lease: Lease): void {
        log.push(`first has ${lease.partition}`);
        throw new Error('not today');
      }
      @OnRevoked()
      async flush(lease: Lease): Promise<void> {
        log.push(`${lease.partition} is ${lease.end}`);
        await flushed;
        log.push(`${lease.partition} is flushed`);
      }
    }
    @PartitionWorker('pausing', { group: 'pausing' })
    class Second {
      @OnPartition()
      work(lease: Lease): void {
        log.push(`second has ${lease.partition}`);
      }
    }
    // The pause does not end before the test does.
    const first = await start({ providers: [First] }, { restartMs: 600_000 });
    await eventually('the first has both', WITHIN_MS, () => log.length === 2);
    const second = await start({ providers: [Second] });
    await eventually('one is revoked', WITHIN_MS, () => log.length === 3);
    const moving = log[2]!.slice(0, 1);
    expect(log[2]).toBe(`${moving} is revoked`);
    // Had the first given it up, its request to join again would have arrived before these commits.
    for (const position of [1, 2, 3]) await first.workers.owned()[0]!.commit(position);
    await cluster.waitForStable('pausing', { members: 2 });
    expect(second.workers.owned()).toEqual([]);
    release();
    await eventually('the second has it', WITHIN_MS, () => log.length === 5);
    expect(log.slice(3)).toEqual([`${moving} is flushed`, `second has ${moving}`]);
  });

  it('hears that a lease was revoked, and the next owner begins when it has settled', async () => {
    const log: string[] = [];
    let release = (): void => undefined;
    const flushed = new Promise<void>((resolve) => (release = resolve));
    class Base {
      name = 'first';
      /** Goes on by itself: what it has begun ends in `flush`. */
      @OnPartition()
      work(lease: Lease): void {
        log.push(`${this.name} has ${lease.partition}`);
      }
    }
    @PartitionWorker('drained', { group: 'drained' })
    class First extends Base {
      @OnRevoked()
      async flush(@Lease() lease: Lease): Promise<void> {
        log.push(`${lease.partition} is ${lease.end}`);
        await flushed;
        await lease.commit(5);
        log.push(`${lease.partition} is flushed`);
      }
    }
    @PartitionWorker('drained', { group: 'drained' })
    class Second extends Base {
      override name = 'second';
    }
    const first = await start({ providers: [First] });
    await eventually('the first has both', WITHIN_MS, () => log.length === 2);
    const kept = first.workers.owned();
    const second = await start({ providers: [Second] });
    await eventually('one is revoked', WITHIN_MS, () => log.length === 3);
    const moved = first.workers.owned()[0]!.partition === 0 ? 1 : 0;
    // Had the first given it up, its request to join again would have arrived before this commit.
    await first.workers.owned()[0]!.commit(1);
    await cluster.waitForStable('drained', { members: 2 });
    expect(second.workers.owned()).toEqual([]);
    release();
    await eventually('the second has it', WITHIN_MS, () => log.length === 5);
    expect(log.slice(2)).toEqual([`${moved} is revoked`, `${moved} is flushed`, `second has ${moved}`]);
    expect(second.workers.owned()[0]!.position).toBe(5n);
    expect(kept).toContain(first.workers.owned()[0]);
  });

  it('hears of the end of what it has begun, and of nothing else', async () => {
    const log: string[] = [];
    @PartitionWorker('begun', { group: 'begun' })
    class OneAtATime {
      @OnPartition()
      async work(lease: Lease): Promise<void> {
        log.push(`works on ${lease.partition}`);
        await ended(lease);
      }
      @OnRevoked()
      revoked(lease: Lease): void {
        log.push(`${lease.partition} is ${lease.end}`);
      }
    }
    const { app, workers } = await start({ providers: [OneAtATime] }, { concurrency: 1 });
    await eventually('it works on one of two', WITHIN_MS, () => log.length === 1);
    expect(workers.owned()).toHaveLength(2);
    await app.close();
    const [first] = log;
    expect(log).toEqual([first, first!.replace('works on ', '') + ' is revoked']);
  });

  it('hears that a lease was lost, and that its end is no failure', async () => {
    const log: string[] = [];
    let failures = 0;
    @Catch()
    class Failures implements ExceptionFilter {
      catch(error: unknown): void {
        failures++;
        throw error;
      }
    }
    @PartitionWorker('lost', { group: 'lost' })
    @UseFilters(Failures)
    class Loser {
      @OnPartition()
      async work(lease: Lease): Promise<void> {
        log.push('works');
        await ended(lease);
        lease.signal.throwIfAborted();
      }
      @OnLost()
      lost(@Lease() lease: Lease): void {
        log.push(
          `${lease.end}: ${(() => {
            try {
              lease.assertOwned();
              return 'owned';
            } catch (error) {
              return (error as Error).name;
            }
          })()}`,
        );
      }
    }
    await start(
      { providers: [Loser] },
      { clientId: 'loser', createTopics: { partitions: 1 }, sessionTimeoutMs: 1_500 },
    );
    await eventually('it works', WITHIN_MS, () => log.length === 1);
    cluster.pauseWorker('loser');
    await eventually('it is lost', WITHIN_MS, () => log.length === 2);
    cluster.resumeWorker('loser');
    await eventually('it works again', WITHIN_MS, () => log.length === 3);
    expect(log).toEqual(['works', 'lost: NotOwnedError', 'works']);
    expect(failures).toBe(0);
  });
});
