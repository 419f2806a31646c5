import { describe, expect, it } from '@jest/globals';
import { monotonicMs, type Work, type WorkKind } from '../../../src/kernel/index.js';
import { bench } from './broker-bench.js';
import { until } from './client.js';
import { commitOf, fetchOf } from './requests.js';

describe('the watch of the loop is told', () => {
  const kinds: WorkKind[] = [];
  const work: Work = <T, A>(kind: WorkKind, run: (about?: A) => T, about?: A): T => {
    kinds.push(kind);
    return run(about);
  };
  const grown = (kind: WorkKind, before: readonly WorkKind[]): number =>
    kinds.slice(before.length).filter((each) => each === kind).length;

  it('of a list, and of each slice of it', async () => {
    const { coordinator, clock, client } = await bench({}, work);
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    for (let i = 0; i < 200; i++) await kafka.call(8, 5, commitOf(`group-${i}`, 'tenants', 1));
    const before = [...kinds];
    // Each look at the clock finds that a slice is over.
    let now = clock.monotonic() as number;
    clock.monotonic = () => monotonicMs((now += 5));
    expect((await kafka.call(16, 4, { statesFilter: [] })).groups).toHaveLength(200);
    // Asked for, two slices more at least, and written.
    expect(grown('lists', before)).toBeGreaterThanOrEqual(4);
  });

  it('of all offsets of a group, and of each slice of them', async () => {
    const { coordinator, clock, client } = await bench({}, work);
    coordinator.addTopic('tenants', 200);
    const kafka = await client();
    const partitions = Array.from({ length: 200 }, (_, partitionIndex) => ({
      ...{ partitionIndex, committedOffset: partitionIndex },
      committedMetadata: '',
    }));
    await kafka.call(8, 5, commitOf('large', 'tenants', 1, { topics: [{ name: 'tenants', partitions }] }));
    const before = [...kinds];
    // Each look at the clock finds that a slice is over.
    let now = clock.monotonic() as number;
    clock.monotonic = () => monotonicMs((now += 5));
    const { topics } = await kafka.call(9, 7, { groupId: 'large', topics: null });
    expect(topics[0]!.partitions.map(({ committedOffset }) => Number(committedOffset))).toEqual(
      partitions.map(({ committedOffset }) => committedOffset),
    );
    expect(grown('lists', before)).toBeGreaterThanOrEqual(3);
  });

  it('of a large request', async () => {
    const { coordinator, client } = await bench({}, work);
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    const before = [...kinds];
    await kafka.call(8, 5, commitOf('small', 'tenants', 1));
    expect(grown('decode', before)).toBe(0);
    const partition = (partitionIndex: number) => ({
      ...{ partitionIndex, committedOffset: 1 },
      committedMetadata: 'x'.repeat(40),
    });
    const partitions = Array.from({ length: 2_000 }, (_, i) => partition(i));
    await kafka.call(8, 5, commitOf('large', 'tenants', 1, { topics: [{ name: 'tenants', partitions }] }));
    expect(grown('decode', before)).toBe(1);
  });

  it('of answers that a deadline releases', async () => {
    const { broker, coordinator, clock, client } = await bench({}, work);
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    const answered = kafka.call(1, 11, fetchOf('tenants'));
    await until(() => broker.snapshot().parked.fetch === 1);
    const before = [...kinds];
    clock.advance(5_000);
    expect(grown('requests', before)).toBeGreaterThan(0);
    await answered;
  });
});
