import { expect, it } from '@jest/globals';
import { bench } from './broker-bench.js';
import { until } from './client.js';
import { commitOf, fetchOf, heartbeatOf } from './requests.js';

it('answers with an error are counted by API and error, a commit by the first of its partitions', async () => {
  const { broker, coordinator, client } = await bench();
  coordinator.addTopic('tenants', 2);
  const kafka = await client();
  await kafka.call(12, 4, heartbeatOf('billing'));
  expect(broker.snapshot().errors).toEqual({});
  await kafka.call(12, 4, heartbeatOf(''));
  const partition = (partitionIndex: number) => ({
    partitionIndex,
    committedOffset: 1,
    committedMetadata: '',
  });
  const topics = [{ name: 'tenants', partitions: [0, 7, 8].map(partition) }];
  await kafka.call(8, 5, commitOf('billing', 'tenants', 1, { topics }));
  await kafka.call(8, 5, commitOf('billing', 'tenants', 1));
  coordinator.leader = () => 2;
  await kafka.call(12, 4, heartbeatOf('billing'));
  await kafka.call(12, 4, heartbeatOf('billing'));
  expect(broker.snapshot().errors).toEqual({
    Heartbeat: { INVALID_GROUP_ID: 1, NOT_COORDINATOR: 2 },
    OffsetCommit: { UNKNOWN_TOPIC_OR_PARTITION: 1 },
  });
});

it('a request that waits holds its bytes until it is answered', async () => {
  const { broker, coordinator, clock, client } = await bench();
  coordinator.addTopic('tenants', 1);
  const kafka = await client();
  const answered = kafka.call(1, 11, fetchOf('tenants'));
  await until(() => broker.snapshot().parked.fetch === 1);
  expect(broker.snapshot().requestBytes).toBeGreaterThan(50);
  clock.advance(5_000);
  await answered;
  expect(broker.snapshot()).toMatchObject({ requestBytes: 0, answerBytes: 0, starved: 0 });
});
