import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  generation,
  groupId,
  memberId,
  type MonotonicMs,
  monotonicMs,
  type ReplicaId,
  replicaId,
  topicName,
  type WallMs,
  wallMs,
} from '../../../src/kernel/index.js';
import { majority } from '../../../src/paxos/index.js';
import type { Clock, Replica } from '../../../src/replica/index.js';
// Behind the door on purpose: how time is made is the replica's own.
import { ClusterClock } from '../../../src/replica/cluster-clock.js';
import { ShardTime } from '../../../src/replica/shard-time.js';
import { SimulatedCluster, type SimulatedClusterOptions } from '../../harness/simulated-world.js';

jest.setTimeout(60_000);

const DAY_MS = 86_400_000;
const GROUP = groupId('billing');
const [ONE, TWO, THREE] = [1, 2, 3].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId];

let cluster: SimulatedCluster;
const make = async (options: SimulatedClusterOptions): Promise<void> => {
  cluster = new SimulatedCluster(options);
  await cluster.startAll();
};
afterEach(() => expect(cluster.fatal).toEqual([]));

const shard = () => cluster.any.shardOf(GROUP);
const leader = (): Replica => [...cluster.replicas.values()].find((replica) => replica.serves(shard()))!;

async function commit(): Promise<void> {
  let outcome = '';
  leader().submit(
    shard(),
    {
      kind: 'group.commit',
      group: GROUP,
      generation: generation(-1),
      memberId: memberId(''),
      instanceId: null,
      groupNotFoundKnown: true,
      retentionMs: null,
      offsetMetadataBytesMax: 4096,
      offsets: [
        { topic: topicName('t'), topicId: null, partition: 0, offset: 7, leaderEpoch: -1, metadata: '' },
      ],
    },
    ({ kind }) => (outcome = kind),
  );
  await cluster.time.advance(100);
  expect(outcome).toBe('ok');
}
const committed = () => leader().peek(shard()).groups.committed(GROUP, topicName('t'), 0);
/** The time of the state, as a commit shows it. */
async function stateTime(): Promise<number> {
  await commit();
  return committed()!.committedAt;
}

describe('wrong wall clocks', () => {
  it.each([1, 3])(
    'of the leader, eight days ahead for some sweeps, delete nothing (%i replicas)',
    async (replicas) => {
      await make({ replicas, retentionSweepMs: 2_000 });
      await commit();
      cluster.wallAhead.set(leader().self, 8 * DAY_MS);
      await cluster.time.advance(2_500);
      await commit();
      await cluster.time.advance(2_500);
      cluster.wallAhead.clear();
      await cluster.time.advance(1_000);
      expect(committed()?.offset).toBe(7);
      // Nor did they move the time of the state, which would stand still now.
      const before = await stateTime();
      await cluster.time.advance(2_000);
      expect((await stateTime()) - before).toBeGreaterThan(1_900);
      expect(Math.abs((await stateTime()) - cluster.wall())).toBeLessThan(1_000);
    },
  );

  it('of the leader, a minute behind, do not keep offsets beyond their retention', async () => {
    await make({ retentionSweepMs: 2_000, groupSettings: { offsetsRetentionMs: 10_000 } });
    await commit();
    cluster.wallAhead.set(leader().self, -60_000);
    await cluster.time.advance(8_000);
    expect(committed()?.offset).toBe(7);
    await cluster.time.advance(6_000);
    expect(committed()).toBeUndefined();
  });

  it('of all replicas move the time of the state no faster than their monotonic clocks run', async () => {
    await make({ retentionSweepMs: 2_000 });
    await commit();
    const [before, from] = [await stateTime(), cluster.time.now];
    for (const id of cluster.ids) cluster.wallAhead.set(id, 8 * DAY_MS);
    await cluster.time.advance(10_000);
    const [after, until] = [await stateTime(), cluster.time.now];
    expect(after - before).toBeLessThanOrEqual((until - from) * 1.05 + 1);
    expect(committed()?.offset).toBe(7);
  });

  it('of a quorum, behind the state, delete nothing; the log says so', async () => {
    await make({ retentionSweepMs: 2_000, groupSettings: { offsetsRetentionMs: 5_000 } });
    await commit();
    for (const id of [ONE, TWO]) cluster.wallAhead.set(id, -DAY_MS);
    await cluster.time.advance(12_000);
    expect(committed()?.offset).toBe(7);
    expect(cluster.logs.filter((line) => line.includes('past their retention stay'))).toHaveLength(1);
    cluster.wallAhead.clear();
    await cluster.time.advance(4_000);
    expect(committed()).toBeUndefined();
  });

  it('are named in the log and in the status, and so is their recovery', async () => {
    await make({});
    cluster.wallAhead.set(TWO, -61_000);
    await cluster.time.advance(3_000);
    const lines = () => cluster.logs.filter((line) => line.startsWith('1: ') && line.includes('wall clock'));
    expect(lines()).toEqual([
      expect.stringContaining('the wall clock of replica 2 is 61.0 s behind the time of the cluster'),
    ]);
    const { clocks } = cluster.replicas.get(THREE)!.status();
    expect([...clocks].sort((a, b) => a.id - b.id)).toEqual([
      { id: ONE, aheadMs: 0 },
      { id: TWO, aheadMs: -61_000 },
      { id: THREE, aheadMs: 0 },
    ]);
    cluster.wallAhead.clear();
    await cluster.time.advance(3_000);
    expect(lines()[1]).toContain('the wall clock of replica 2 agrees with the cluster again');
    expect(lines()).toHaveLength(2);
  });

  it('do not count for a replica that restarts: it begins with what a quorum says', async () => {
    await make({});
    const before = await stateTime();
    for (const id of cluster.ids) cluster.kill(id);
    await cluster.time.advance(1_000);
    cluster.wallAhead.set(THREE, 8 * DAY_MS);
    for (const id of cluster.ids) await cluster.start(id);
    await cluster.time.advance(2_000);
    const passed = (await stateTime()) - before;
    expect(passed).toBeGreaterThan(3_000);
    expect(passed).toBeLessThan(4_000);
  });
});

class TestClock implements Clock {
  mono = 1_000;
  ahead = 1_700_000_000_000;
  monotonic = (): MonotonicMs => monotonicMs(this.mono);
  wall = (): WallMs => wallMs(this.mono + this.ahead);
  after = (): (() => void) => () => undefined;
  endOfTurn = (): void => undefined;
}

describe('the time of the cluster', () => {
  const ids = [ONE, TWO, THREE];

  it('is not known before a quorum of clocks was heard, and then is what all of a quorum have reached', () => {
    const clock = new TestClock();
    const time = new ClusterClock(ONE, majority(ids), clock);
    expect(time.now()).toBeUndefined();
    expect(time.confirms(wallMs(0))).toBe(false);
    time.heard(TWO, wallMs(clock.wall() - 500), clock.monotonic());
    expect(time.now()).toBe(clock.wall() - 500);
  });

  it('takes the middle of the time that an answer took, and no answer that took long', () => {
    const clock = new TestClock();
    const time = new ClusterClock(ONE, majority([ONE, TWO]), clock);
    const askedAt = clock.monotonic();
    clock.mono += 100;
    time.heard(TWO, wallMs(clock.wall() - 50), askedAt);
    expect(time.offsets().get(TWO)).toBe(0);
    clock.mono += 5_000;
    time.heard(TWO, wallMs(0), askedAt);
    expect(time.offsets().get(TWO)).toBe(0);
  });

  it('forgets what was heard long ago, and goes on', () => {
    const clock = new TestClock();
    const time = new ClusterClock(ONE, majority(ids), clock);
    time.heard(TWO, clock.wall(), clock.monotonic());
    const before = time.now()!;
    clock.mono += 31_000;
    expect(time.now()).toBe(before + 31_000);
    expect(time.confirms(before)).toBe(false);
  });
});

describe('the time of a shard', () => {
  it('goes on from where it stands while it is ahead of the clocks, a little slower than they', () => {
    const clock = new TestClock();
    const time = new ShardTime(clock, () => clock.wall(), wallMs(clock.wall() + 10_000));
    const first = time.stamp();
    clock.mono += 1_000;
    expect(time.stamp() - first).toBeCloseTo(950);
    clock.mono += 1_000_000;
    expect(time.stamp()).toBe(clock.wall());
  });

  it('without known clocks goes on from where it stands, and begins with the own clock', () => {
    const clock = new TestClock();
    const begun = new ShardTime(clock, () => undefined, wallMs(5_000));
    clock.mono += 1_000;
    expect(begun.stamp()).toBeCloseTo(5_950);
    expect(new ShardTime(clock, () => undefined, wallMs(0)).stamp()).toBe(clock.wall());
  });
});
