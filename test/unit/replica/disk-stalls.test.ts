import { afterEach, describe, expect, it } from '@jest/globals';
import { type ReplicaId, replicaId } from '../../../src/kernel/index.js';
import type { Replica } from '../../../src/replica/index.js';
import { openMemoryStorage } from '../../../src/storage/index.js';
import { commit, GROUP, offsetAt } from '../../harness/commits.js';
import { SimulatedCluster, type SimulatedClusterOptions } from '../../harness/simulated-world.js';

/** The longest that a disk may finish nothing before its replica gives up what it leads, and the time of an election. Milliseconds. */
const GIVEN_UP_MS = 2_000 + 600;

let cluster: SimulatedCluster;
const hung = new Map<ReplicaId, (() => void)[]>();
/** Bytes that were given to the disk of each replica. */
const appended = new Map<ReplicaId, number>();
afterEach(() => {
  expect(cluster.fatal).toEqual([]);
  hung.clear();
  appended.clear();
});

async function start(id: ReplicaId): Promise<void> {
  const opened = await openMemoryStorage({
    disk: cluster.disks.get(id)!,
    later: (sync) => {
      const waiting = hung.get(id);
      if (waiting === undefined) cluster.time.after(0.1, sync);
      else waiting.push(sync);
    },
  });
  const { storage } = opened;
  const append = storage.append.bind(storage);
  storage.append = (records, sync, done) => {
    const bytes = records.reduce((sum, { payload }) => sum + payload.length, 0);
    appended.set(id, (appended.get(id) ?? 0) + bytes);
    append(records, sync, done);
  };
  await cluster.start(id, { storage: opened });
}
async function formed(options: SimulatedClusterOptions = {}): Promise<void> {
  cluster = new SimulatedCluster(options);
  for (const id of cluster.ids) await start(id);
  await cluster.time.advance(2_000);
}
function release(id: ReplicaId): void {
  const waiting = hung.get(id)!;
  hung.delete(id);
  for (const sync of waiting) cluster.time.after(0.1, sync);
}
const leader = (): Replica | undefined =>
  [...cluster.replicas.values()].find((replica) => replica.serves(replica.shardOf(GROUP)));

/** Commits for so long, one after another where somebody leads. Returns how many were taken. */
async function commitFor(ms: number, from: number): Promise<number> {
  let taken = 0;
  for (const end = cluster.time.now + ms; cluster.time.now < end;) {
    const asked = leader();
    asked?.submit(asked.shardOf(GROUP), commit(from + taken), ({ kind }) => {
      if (kind === 'ok') taken++;
    });
    await cluster.time.advance(20);
  }
  return taken;
}

describe('a disk that hangs', () => {
  it('leaves its replica without what it leads, and without a vote, until it goes on', async () => {
    await formed();
    const first = leader()!;
    hung.set(first.self, []);
    await commitFor(GIVEN_UP_MS, 1);
    const next = leader();
    expect(next?.self).not.toBe(first.self);
    expect(await commitFor(2_000, 1_000)).toBeGreaterThan(50);
    expect(first.status().diskStalls).toBe(true);
    expect(first.status().shards.filter(({ leadership }) => leadership.role === 'leader')).toEqual([]);
    expect(next!.status().peers).toContainEqual(
      expect.objectContaining({ id: first.self, up: true, votes: false }),
    );
    expect(next!.status().failuresTolerated).toBe(0);
    expect(cluster.logs.join('\n')).toMatch(/the disk stalls: no write has ended for \d+ ms/);
    release(first.self);
    await cluster.time.advance(2_000);
    expect(first.status().diskStalls).toBe(false);
    expect(next!.status().failuresTolerated).toBe(1);
    expect(offsetAt(first)).toBe(offsetAt(next!));
  });

  it('gets nothing more to write while it hangs, however long that is and however much the others commit', async () => {
    await formed();
    const [follower] = cluster.ids.filter((id) => id !== leader()!.self);
    hung.set(follower!, []);
    await commitFor(GIVEN_UP_MS, 1);
    const before = appended.get(follower!)!;
    expect(await commitFor(10_000, 1_000)).toBeGreaterThan(300);
    expect(appended.get(follower!)! - before).toBeLessThan(1_000);
    release(follower!);
    await cluster.time.advance(1_000);
    expect(offsetAt(cluster.replicas.get(follower!)!)).toBe(offsetAt(leader()!));
  });

  it('that hung for so long that the others have dropped their log, takes a snapshot when it goes on', async () => {
    await formed({ compactionBytes: 4_096 });
    const [follower] = cluster.ids.filter((id) => id !== leader()!.self);
    hung.set(follower!, []);
    await commitFor(GIVEN_UP_MS + 8_000, 1);
    const applied = cluster.replicas.get(follower!)!.peek(leader()!.shardOf(GROUP)).appliedThrough;
    const { firstSlot } = leader()!.status().shards[leader()!.shardOf(GROUP)]!;
    expect(firstSlot).toBeGreaterThan(applied + 1);
    release(follower!);
    await cluster.time.advance(4_000);
    expect(offsetAt(cluster.replicas.get(follower!)!)).toBe(offsetAt(leader()!));
  });

  it('is not what a process sees that was stopped itself', async () => {
    await formed();
    const first = leader()!;
    const { logs } = cluster;
    logs.length = 0;
    first.submit(first.shardOf(GROUP), commit(1), () => undefined);
    // Nothing runs for long, then all at once.
    cluster.time.now += 60_000;
    await cluster.time.advance(500);
    expect(logs.join('\n')).not.toMatch(/stalls/);
    expect(first.status().diskStalls).toBe(false);
  });

  it('of two replicas, stops the cluster, and nothing is lost when they go on', async () => {
    await formed();
    await commitFor(100, 1);
    const stalled = [leader()!.self, cluster.ids.find((id) => id !== leader()!.self)!];
    for (const id of stalled) hung.set(id, []);
    await commitFor(GIVEN_UP_MS, 100);
    expect(await commitFor(3_000, 200)).toBe(0);
    expect(leader()).toBeUndefined();
    for (const id of stalled) release(id);
    await cluster.time.advance(3_000);
    expect(await commitFor(500, 300)).toBeGreaterThan(10);
    await cluster.time.advance(500);
    const offsets = cluster.ids.map((id) => offsetAt(cluster.replicas.get(replicaId(id))!));
    expect(new Set(offsets).size).toBe(1);
  });
});
