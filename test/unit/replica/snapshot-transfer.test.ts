import { afterEach, describe, expect, it } from '@jest/globals';
import { replicaId, shardId, slot } from '../../../src/kernel/index.js';
import { blankDisk } from '../../../src/storage/index.js';
import { commit } from '../../harness/commits.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const LAGGARD = replicaId(3);
const SHARD = shardId(0);
const MIB = 1024 * 1024;

let cluster: SimulatedCluster;
afterEach(() => expect(cluster.fatal).toEqual([]));

/** Commits until the state has `bytes`, ten at a time. Returns how many partitions have one. */
async function fill(bytes: number, metadata = 'm'.repeat(8_000)): Promise<number> {
  const partitions = Math.ceil(bytes / metadata.length);
  for (let at = 0; at < partitions; at++) {
    put(at, metadata);
    if (at % 10 === 9) await cluster.time.advance(3);
  }
  return partitions;
}

function put(partition: number, metadata: string): void {
  const leader = [...cluster.replicas.values()].find((replica) => replica.serves(SHARD));
  leader?.submit(SHARD, commit(1, { partition, metadata }), () => undefined);
}

const applied = (id: number): number =>
  cluster.replicas.get(replicaId(id))?.status().shards[0]?.appliedThrough ?? 0;

/** Of the replicas that run, in entries. Between two rounds of shortening one holds about 130. */
const longestLog = (): number =>
  Math.max(
    ...[...cluster.replicas.values()].map((replica) => {
      const { appliedThrough, firstSlot } = replica.status().shards[0]!;
      return appliedThrough - firstSlot;
    }),
  );

/** The state goes on changing, and its log is shortened again and again. Returns after how many ms it had caught up. */
async function caughtUpAfterMs(partitions: number, withinMs: number): Promise<number> {
  const from = cluster.time.now;
  for (let i = 0; cluster.time.now - from < withinMs; i++) {
    put(i % partitions, 'n'.repeat(8_000));
    await cluster.time.advance(40);
    if (applied(3) > 0 && applied(3) >= applied(1) - 20) return cluster.time.now - from;
  }
  return Infinity;
}

async function withLaggard(replicas: number, bytes: number): Promise<number> {
  cluster = new SimulatedCluster({ replicas, shards: 1, compactionBytes: MIB / 2 });
  await cluster.startAll();
  cluster.kill(LAGGARD);
  const partitions = await fill(bytes);
  await cluster.time.advance(2_000);
  return partitions;
}

describe('a replica that needs a snapshot', () => {
  it.each([3, 5])(
    'of %d gets it about once over a slow link, though the others shorten their logs meanwhile',
    async (replicas) => {
      const partitions = await withLaggard(replicas, 4 * MIB);
      const rate = 1024;
      cluster.network.bytesPerMs.set(LAGGARD, rate);
      cluster.network.bytesTo.set(LAGGARD, 0);
      await cluster.start(LAGGARD);
      const transferMs = (4 * MIB) / rate;
      expect(await caughtUpAfterMs(partitions, 3 * transferMs)).toBeLessThan(2 * transferMs);
      expect(cluster.network.bytesTo.get(LAGGARD)).toBeLessThan(8 * MIB);
    },
    60_000,
  );

  it('goes on where the transfer broke off when its link was cut', async () => {
    await withLaggard(3, 4 * MIB);
    const rate = 1024;
    for (const id of cluster.ids) cluster.network.bytesPerMs.set(id, rate);
    await cluster.start(LAGGARD);
    await cluster.time.advance(3_000);
    expect(applied(3)).toBeLessThan(applied(1) / 2);
    cluster.network.cut(replicaId(1), LAGGARD);
    cluster.network.cut(replicaId(2), LAGGARD);
    await cluster.time.advance(100);
    cluster.network.heal();
    await cluster.time.advance(2_500);
    expect(applied(3)).toBe(applied(1));
    expect(cluster.network.bulkBytesTo.get(LAGGARD)).toBeLessThan(5 * MIB);
  }, 60_000);

  it('asks another when its source dies', async () => {
    await withLaggard(5, 2 * MIB);
    cluster.network.bytesPerMs.set(LAGGARD, 1024);
    await cluster.start(LAGGARD);
    await cluster.time.advance(1_000);
    const leader = [...cluster.replicas.values()].find((replica) => replica.serves(SHARD))!;
    cluster.kill(leader.self);
    await cluster.time.advance(10_000);
    const alive = [...cluster.replicas.values()].map((replica) => replica.status().shards[0]!.appliedThrough);
    expect(new Set(alive).size).toBe(1);
    expect(alive[0]).toBeGreaterThan(slot(0));
  }, 60_000);

  it('needs the log of its source no more once it was removed', async () => {
    cluster = new SimulatedCluster({ replicas: 4, shards: 1, compactionBytes: MIB / 2 });
    await cluster.startAll();
    cluster.kill(LAGGARD);
    const partitions = await fill(2 * MIB);
    await cluster.time.advance(2_000);
    await cluster.start(LAGGARD);
    while (applied(3) === 0) await cluster.time.advance(1);
    cluster.network.cut(replicaId(1), LAGGARD);
    cluster.network.cut(replicaId(2), LAGGARD);
    cluster.network.cut(replicaId(4), LAGGARD);
    const planned = cluster.any.planReplicas({ remove: [LAGGARD] });
    if ('problem' in planned) throw new Error(planned.problem);
    cluster.any.submitAnywhere(SHARD, planned.command, () => undefined);
    await cluster.time.advance(10_000);
    expect(cluster.any.replicas().view).toMatchObject({ number: 1, plan: null });
    for (let i = 0; i < 400; i++) {
      put(i % partitions, 'o'.repeat(8_000));
      await cluster.time.advance(10);
    }
    expect(longestLog()).toBeLessThan(250);
  }, 60_000);

  it('needs no log of its source once it has caught up, also while it only learns', async () => {
    cluster = new SimulatedCluster({ shards: 1, compactionBytes: MIB / 2 });
    await cluster.startAll();
    const partitions = await fill(2 * MIB);
    await cluster.time.advance(1_000);
    cluster.kill(LAGGARD);
    cluster.disks.set(LAGGARD, blankDisk());
    await cluster.start(LAGGARD);
    expect(await caughtUpAfterMs(partitions, 5_000)).toBeLessThan(5_000);
    expect(cluster.replicas.get(LAGGARD)!.status().standing).toBe('learner');
    for (let i = 0; i < 500; i++) {
      if (i === 100) cluster.kill(LAGGARD);
      put(i % partitions, 'o'.repeat(8_000));
      await cluster.time.advance(10);
    }
    expect(longestLog()).toBeLessThan(250);
  }, 60_000);

  it('does not keep the log of the others for ever when it dies in between', async () => {
    const partitions = await withLaggard(3, 2 * MIB);
    cluster.network.bytesPerMs.set(LAGGARD, 1024);
    await cluster.start(LAGGARD);
    await cluster.time.advance(1_000);
    const begins = (): number => cluster.any.status().shards[0]!.firstSlot;
    cluster.kill(LAGGARD);
    const before = begins();
    await cluster.time.advance(61_000);
    for (let i = 0; i < 200; i++) {
      put(i % partitions, 'o'.repeat(8_000));
      await cluster.time.advance(10);
    }
    await cluster.time.advance(2_000);
    expect(begins()).toBeGreaterThan(before);
  }, 60_000);
});
