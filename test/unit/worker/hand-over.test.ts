import { describe, expect, it } from '@jest/globals';
import { Fleet, HEARTBEAT_MS, type ModelWorker, RTT_MS } from './fleet.js';

const SEEDS = Number(process.env['WORKER_SEEDS'] ?? 40);
const PARTITIONS = 8;
/** There and back: the leave, the heartbeat that tells of it, JoinGroup, SyncGroup. And a timer that waits for the next millisecond. */
const REQUESTS_MS = 4 * 2 * RTT_MS + 1;
/** As docs/worker.md states it for a clean leave, with requests that take their time. */
const BOUND_MS = HEARTBEAT_MS + REQUESTS_MS;

/** One of the workers leaves; how long after its last handler has settled each of its partitions was worked on again. */
function leave(seed: number): readonly number[] {
  const fleet = new Fleet(seed, 2 + (seed % 4), PARTITIONS, true, { settlesIn: () => 0 });
  for (const worker of fleet.workers) worker.step({ kind: 'start' });
  const workedBy = (partition: number): ModelWorker | undefined =>
    fleet.workers.find((worker) => worker.writer(partition) !== undefined);
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  const isShared = (): boolean => fleet.isStable && partitions.every((each) => workedBy(each) !== undefined);
  // At a moment that has nothing to do with the heartbeats.
  fleet.runUntil(10_000 + fleet.random.below(3 * HEARTBEAT_MS), () => undefined);
  expect(isShared()).toBe(true);
  const leaver = fleet.random.pick(
    fleet.workers.filter((worker) => partitions.some((p) => workedBy(p) === worker)),
  );
  const moving = partitions.filter((partition) => workedBy(partition) === leaver);
  const kept = partitions.filter((partition) => !moving.includes(partition));
  const handlers = new Map(kept.map((partition) => [partition, workedBy(partition)!.writer(partition)!.id]));
  const since = fleet.now;
  const taken = new Map<number, number>();
  leaver.step({ kind: 'leave', reason: 'it was told to', silently: false });
  fleet.runUntil(since + 5_000, () => {
    for (const partition of moving)
      if (!taken.has(partition) && workedBy(partition) !== undefined) taken.set(partition, fleet.now - since);
  });
  // What the others have goes on, but for what a balance needs to move among them.
  const interrupted = kept.filter(
    (partition) => workedBy(partition)?.writer(partition)?.id !== handlers.get(partition),
  );
  expect(interrupted.length).toBeLessThanOrEqual(1);
  return moving.map((partition) => taken.get(partition) ?? Number.POSITIVE_INFINITY);
}

describe('a worker that leaves in order', () => {
  it('stands in for itself until the next heartbeats of the others, and no longer', () => {
    const gaps = Array.from({ length: SEEDS }, (_, seed) => leave(seed + 1)).flat();
    expect(gaps.length).toBeGreaterThan(SEEDS);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(BOUND_MS);
    // And the heartbeat is most of it: half an interval for one other, more where several are waited for.
    expect(Math.max(...gaps)).toBeGreaterThan(HEARTBEAT_MS / 2);
  });
});
