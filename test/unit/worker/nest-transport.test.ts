import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { of, throwError } from 'rxjs';
import { startTestCluster, type TestCluster } from '../../../src/app/testing/index.js';
import type { Worker } from '../../../src/worker/index.js';
import { type Lease, PartitionTransport } from '../../../src/worker/nest/index.js';
import { eventually } from '../../harness/waiting.js';

const WITHIN_MS = 30_000;

let cluster: TestCluster;
beforeAll(async () => {
  Logger.overrideLogger(false);
  cluster = await startTestCluster();
});
afterAll(() => cluster.stop());

let transport: PartitionTransport;
afterEach(() => transport.close());

function make(group: string): PartitionTransport {
  transport = new PartitionTransport({
    brokers: cluster.brokers,
    group,
    createTopics: { partitions: 1 },
    restartMs: 1,
  });
  return transport;
}
/** As a microservice does it. */
const listen = (): Promise<void> =>
  new Promise((resolve, reject) =>
    transport.listen((error) => (error instanceof Error ? reject(error) : resolve())),
  );

describe('the transport for message patterns', () => {
  it('gives the lease to the method of the topic, and again when it has failed in the way of microservices', async () => {
    const calls: string[] = [];
    const errors: Error[] = [];
    make('patterns').addHandler('jobs', (lease: Lease) => {
      calls.push(lease.scope);
      if (calls.length === 1)
        return Promise.resolve(throwError(() => ({ status: 'error', message: 'later' })));
      return Promise.resolve(of(undefined));
    });
    expect(() => transport.unwrap()).toThrow('once the microservice listens');
    transport.on('error', ({ error }) => errors.push(error));
    await listen();
    await eventually('the method was called twice', WITHIN_MS, () => calls.length === 2);
    expect(calls).toEqual(['patterns/jobs/0', 'patterns/jobs/0']);
    expect(errors.map(({ message }) => message)).toEqual([
      'the handler failed: {"status":"error","message":"later"}',
    ]);
    expect(transport.unwrap<Worker>().state).toBe('working');
    await transport.close();
    expect(transport.unwrap<Worker>().state).toBe('stopped');
    expect(cluster.ownersOf('patterns')).toEqual([]);
  });

  it('says what is wrong with patterns before it joins', async () => {
    const handler = (): void => undefined;
    make('wrong').addHandler({ cmd: 'sum' }, handler);
    transport.addHandler('jobs', handler);
    transport.addHandler('jobs', handler);
    await expect(listen()).rejects.toMatchObject({
      problems: [
        'the pattern {"cmd":"sum"} is no topic: give a text',
        'two methods have the pattern jobs: a partition has one handler',
      ],
    });
    make('none');
    await expect(listen()).rejects.toThrow('no method has @EventPattern or @MessagePattern of a topic');
  });
});
