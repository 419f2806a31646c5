import { afterEach, describe, expect, it } from '@jest/globals';
import { replicaId, shardId, topicId, topicName } from '../../../src/kernel/index.js';
import type { Command, ReplyTo } from '../../../src/machine/index.js';
import type { Outcome, Replica } from '../../../src/replica/index.js';
import { commit, GROUP, offsetAt } from '../../harness/commits.js';
import { SimulatedCluster, type SimulatedClusterOptions } from '../../harness/simulated-world.js';

let cluster: SimulatedCluster;
const make = async (options?: SimulatedClusterOptions): Promise<SimulatedCluster> => {
  cluster = new SimulatedCluster(options);
  await cluster.startAll();
  return cluster;
};
afterEach(() => expect(cluster.fatal).toEqual([]));

const leaderOf = (group = GROUP): Replica => {
  const found = [...cluster.replicas.values()].filter((replica) => replica.serves(replica.shardOf(group)));
  expect(found).toHaveLength(1);
  return found[0]!;
};

async function submit<C extends Command>(
  replica: Replica,
  command: C,
  group = GROUP,
): Promise<Outcome<ReplyTo<C>>> {
  let outcome: Outcome<ReplyTo<C>> | undefined;
  replica.submit(replica.shardOf(group), command, (result) => (outcome = result));
  for (let i = 0; i < 200 && outcome === undefined; i++) await cluster.time.advance(5);
  expect(outcome).toBeDefined();
  return outcome!;
}

describe('a cluster of replicas over simulated clock, chance, disk and network', () => {
  it('forms, elects the preferred leader of every shard, and applies the same on all', async () => {
    await make({ shards: 6 });
    const leaders = Array.from({ length: 6 }, (_, shard) => cluster.any.leaderOf(shardId(shard)));
    expect(leaders).toEqual([1, 2, 3, 1, 2, 3]);
    expect(await submit(leaderOf(), commit(7))).toMatchObject({
      kind: 'ok',
      reply: { kind: 'commit', errors: ['NONE'] },
    });
    await cluster.time.advance(200);
    expect([...cluster.replicas.values()].map(offsetAt)).toEqual([7, 7, 7]);
    const hashes = [...cluster.replicas.values()].map((replica) =>
      replica.status().shards.map(({ hash }) => hash),
    );
    expect(hashes[1]).toEqual(hashes[0]);
    expect(hashes[2]).toEqual(hashes[0]);
  });

  it('promises nothing before all replicas have met', async () => {
    cluster = new SimulatedCluster();
    await cluster.start(replicaId(1));
    await cluster.start(replicaId(2));
    await cluster.time.advance(3_000);
    expect(cluster.any.status()).toMatchObject({ standing: 'forming', missing: [3] });
    expect(cluster.disks.get(replicaId(1))!.synced).toEqual([]);
    await cluster.start(replicaId(3));
    await cluster.time.advance(2_000);
    expect(leaderOf().status().standing).toBe('voter');
  });

  it('goes on with what was acknowledged when the leader dies, and takes the old leader back', async () => {
    await make();
    const old = leaderOf();
    expect(await submit(old, commit(41))).toMatchObject({ kind: 'ok' });
    cluster.kill(old.self);
    await cluster.time.advance(600);
    const next = leaderOf();
    expect(next.self).not.toBe(old.self);
    expect(offsetAt(next)).toBe(41);
    expect(await submit(next, commit(42))).toMatchObject({ kind: 'ok' });
    await cluster.start(old.self);
    await cluster.time.advance(10_000);
    // The preferred leaders lead again, with everything that happened meanwhile.
    expect(leaderOf().self).toBe(old.self);
    expect(offsetAt(leaderOf())).toBe(42);
  });

  it('finds everything acknowledged after all died at once', async () => {
    await make();
    expect(await submit(leaderOf(), commit(9))).toMatchObject({ kind: 'ok' });
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await cluster.start(id);
    await cluster.time.advance(2_000);
    expect(offsetAt(leaderOf())).toBe(9);
  });

  it('refuses at a follower and at a leader that was cut off, and never serves stale reads there', async () => {
    await make();
    const old = leaderOf();
    const follower = [...cluster.replicas.values()].find(({ self }) => self !== old.self)!;
    expect(await submit(follower, commit(1))).toEqual({ kind: 'not-leader', leader: old.self });
    for (const id of cluster.ids) if (id !== old.self) cluster.network.cut(old.self, id);
    await cluster.time.advance(1_000);
    expect(old.serves(old.shardOf(GROUP))).toBe(false);
    expect(old.leaseHolds(old.shardOf(GROUP))).toBe(false);
    let read: string | undefined;
    old.read(old.shardOf(GROUP), ({ kind }) => (read = kind));
    await cluster.time.advance(1_000);
    expect(read).toBe('not-leader');
    cluster.network.heal();
    await cluster.time.advance(10_000);
    expect(leaderOf().self).toBe(old.self);
  });

  it('never lets a wiped disk vote under its old name, and still teaches it everything', async () => {
    await make({ compactionBytes: 2_000 });
    for (let i = 0; i < 200; i++) await submit(leaderOf(), commit(i));
    await cluster.time.advance(5_000);
    const victim = cluster.ids.find((id) => id !== leaderOf().self)!;
    cluster.kill(victim);
    const { blankDisk } = await import('../../../src/storage/index.js');
    cluster.disks.set(victim, blankDisk());
    const back = await cluster.start(victim);
    await cluster.time.advance(3_000);
    expect(back.status().standing).toBe('learner');
    expect(offsetAt(back)).toBe(199);
    // Without its vote two of three are needed, and both are there.
    expect(await submit(leaderOf(), commit(500))).toMatchObject({ kind: 'ok' });
  });

  it('shortens its log by snapshots and starts from them', async () => {
    await make({ compactionBytes: 4_000 });
    for (let i = 0; i < 300; i++) await submit(leaderOf(), commit(i));
    await cluster.time.advance(3_000);
    const leader = leaderOf();
    expect(leader.status().logBytes).toBeLessThan(60_000);
    expect(cluster.disks.get(leader.self)!.snapshots.size).toBeGreaterThan(0);
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await cluster.start(id);
    await cluster.time.advance(2_000);
    expect(offsetAt(leaderOf())).toBe(299);
  });

  it('writes nothing while nothing happens', async () => {
    await make();
    await submit(leaderOf(), commit(1));
    await cluster.time.advance(3_000);
    const before = cluster.ids.map((id) => cluster.disks.get(id)!.synced.length);
    await cluster.time.advance(10_000);
    expect(cluster.ids.map((id) => cluster.disks.get(id)!.synced.length)).toEqual(before);
  });

  it('takes commands for the facts of the cluster at any replica, and tells every shard of deleted topics', async () => {
    await make({ shards: 4 });
    const leader = leaderOf();
    await submit(leader, commit(5));
    const outcomes: string[] = [];
    const stranger = [...cluster.replicas.values()].find((replica) => !replica.serves(shardId(0)))!;
    const name = topicName('t');
    const create: Command = {
      kind: 'topic.create',
      name,
      newId: topicId('id-1'),
      partitions: 4,
      partitionsMax: 10,
    };
    stranger.submitAnywhere(shardId(0), create, (outcome) => outcomes.push(outcome.kind));
    await cluster.time.advance(500);
    stranger.submitAnywhere(shardId(0), { kind: 'topic.delete', name, id: topicId('') }, (outcome) =>
      outcomes.push(outcome.kind),
    );
    await cluster.time.advance(3_000);
    expect(outcomes).toEqual(['ok', 'ok']);
    expect([...cluster.replicas.values()].map(offsetAt)).toEqual([undefined, undefined, undefined]);
    const facts = [...cluster.replicas.values()].find((replica) => replica.serves(shardId(0)))!;
    for (let shard = 1; shard < 4; shard++) expect(facts.peek(shardId(0)).pendingNotices(shard)).toEqual([]);
  });

  it('stops the replica that applied something else, and only that one', async () => {
    await make({ shards: 1 });
    const victim = cluster.replicas.get(replicaId(2))!;
    await submit(leaderOf(), commit(1));
    await cluster.time.advance(500);
    // A defect that changes state beside the log.
    const groups = victim.peek(shardId(0)).groups as unknown as {
      state: { groups: Map<string, { offsets: { removeTopic(t: string): void } }> };
    };
    groups.state.groups.get(GROUP)!.offsets.removeTopic('t');
    await submit(leaderOf(), commit(2));
    await cluster.time.advance(500);
    groups.state.groups.get(GROUP)!.offsets.removeTopic('t');
    for (let i = 0; i < 5; i++) await submit(leaderOf(), { ...commit(3 + i), offsets: [] });
    await cluster.time.advance(8_000);
    expect(cluster.fatal).toHaveLength(1);
    expect(cluster.fatal[0]).toMatch(/^2: shard 0: the state after slot \d+ has hash/);
    cluster.fatal.length = 0;
  });

  it('hands leadership over before it stops, so that nothing has to time out', async () => {
    await make();
    const old = leaderOf();
    const stopped = old.stop();
    await cluster.time.advance(60);
    await stopped;
    cluster.kill(old.self);
    await cluster.time.advance(40);
    expect(leaderOf().self).not.toBe(old.self);
  });

  it('tells a stop in order from a loss', async () => {
    await make();
    const follower = [...cluster.replicas.values()].find(({ self }) => self !== leaderOf().self)!;
    const before = cluster.logs.length;
    const stopped = follower.stop();
    await cluster.time.advance(100);
    await stopped;
    cluster.kill(follower.self);
    await cluster.time.advance(1_000);
    const told = cluster.logs.slice(before);
    expect(told.filter((line) => /lost replica|has ended/.test(line))).toEqual([]);
    expect(told.filter((line) => line.endsWith(`replica ${follower.self} has stopped`))).toHaveLength(2);
  });

  it('is told of no lost replica while all of them stop', async () => {
    await make();
    const before = cluster.logs.length;
    const stopped = [...cluster.replicas.values()].map((replica) => replica.stop(100));
    await cluster.time.advance(1_000);
    await Promise.all(stopped);
    expect(cluster.logs.slice(before).filter((line) => /lost replica|has ended/.test(line))).toEqual([]);
  });
});
