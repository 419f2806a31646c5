import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { groupId, type ReplicaId, replicaId } from '../../../src/kernel/index.js';
import type { DiskIdentity } from '../../../src/replica/index.js';
import { blankDisk } from '../../../src/storage/index.js';
import { commit, GROUP } from '../../harness/commits.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const ids = (...numbers: number[]): ReplicaId[] => numbers.map(replicaId);
jest.setTimeout(60_000);
let cluster: SimulatedCluster;
afterEach(() => expect(cluster.fatal).toEqual([]));

async function formed(replicas: number): Promise<void> {
  cluster = new SimulatedCluster({ replicas });
  await cluster.startAll();
}
function stopAll(): void {
  for (const id of cluster.ids) cluster.kill(id);
}
const servingNow = (): ReplicaId[] =>
  [...cluster.replicas.values()]
    .filter((replica) => replica.serves(replica.shardOf(groupId('g'))))
    .map(({ self }) => self);
const reset = (id: ReplicaId, change: (identity: DiskIdentity) => DiskIdentity): void => {
  const disk = cluster.disks.get(id)!;
  disk.identity = change(disk.identity!);
};

describe('what all replicas must have alike', () => {
  it('refuses to start three replicas as five, and says what differs', async () => {
    await formed(3);
    stopAll();
    const five = ids(1, 2, 3, 4, 5);
    for (const id of cluster.ids)
      await expect(cluster.start(id, { ids: five })).rejects.toThrow(
        'this data directory belongs to a cluster with replicas: 1, 2, 3, and the configuration says 1, 2, 3, 4, 5 ' +
          '(it is fixed when a cluster is first started)',
      );
    for (const id of ids(4, 5)) {
      cluster.disks.set(id, blankDisk());
      await cluster.start(id, { ids: five });
    }
    await cluster.time.advance(3_000);
    expect([4, 5].map((id) => cluster.replicas.get(replicaId(id))!.status().standing)).toEqual([
      'forming',
      'forming',
    ]);
  });

  it('refuses to start a replica that lists itself alone, and a cluster that is made smaller', async () => {
    await formed(5);
    cluster.kill(replicaId(1));
    await expect(cluster.start(replicaId(1), { ids: ids(1) })).rejects.toThrow('replicas: 1, 2, 3, 4, 5');
    await expect(cluster.start(replicaId(1), { ids: ids(1, 2, 3) })).rejects.toThrow('configuration says');
    await cluster.start(replicaId(1));
    await cluster.time.advance(1_000);
    expect(servingNow()).toHaveLength(1);
  });

  it('holds before the cluster is formed as well: the peers may have formed it already', async () => {
    cluster = new SimulatedCluster();
    await cluster.start(replicaId(1));
    cluster.kill(replicaId(1));
    await expect(cluster.start(replicaId(1), { ids: ids(1) })).rejects.toThrow('replicas: 1, 2, 3');
  });

  it('reads a disk of version 0.1.0, which says whom it formed the cluster with, and adds the rest', async () => {
    await formed(3);
    const { agreement } = cluster.disks.get(replicaId(1))!.identity!;
    stopAll();
    for (const id of cluster.ids) reset(id, ({ agreement: _, ...older }) => older);
    await expect(cluster.start(replicaId(1), { ids: ids(1) })).rejects.toThrow('replicas: 1, 2, 3');
    for (const id of cluster.ids) await cluster.start(id);
    await cluster.time.advance(2_000);
    expect(servingNow()).toHaveLength(1);
    expect(agreement).toMatchObject({ replicas: '1, 2, 3', quorums: 'majority of 3', leaseMs: '300' });
    expect(cluster.disks.get(replicaId(1))!.identity!.agreement).toEqual(agreement);
  });

  it('remembers what its peers can do: one that is down after a restart does not hold back the others', async () => {
    await formed(3);
    await cluster.time.advance(1_000);
    stopAll();
    for (const id of ids(1, 2)) await cluster.start(id);
    await cluster.time.advance(3_000);
    const leader = [...cluster.replicas.values()].find((replica) => replica.serves(replica.shardOf(GROUP)))!;
    const outcomes: string[] = [];
    // Version 0.1.0 could not read it.
    leader.submit(leader.shardOf(GROUP), commit(2n ** 53n), ({ kind }) => outcomes.push(kind));
    await cluster.time.advance(500);
    expect(outcomes).toEqual(['ok']);
    // An older version that comes back could meet what it does not know: it gets no link.
    cluster.network.hello = (hello) => {
      const { featureLevel: _, level: __, ...older } = hello;
      return hello.replicaId === 3 ? older : hello;
    };
    await cluster.start(replicaId(3));
    await cluster.time.advance(500);
    leader.submit(leader.shardOf(GROUP), commit(2n ** 54n), ({ kind }) => outcomes.push(kind));
    await cluster.time.advance(500);
    expect(outcomes).toEqual(['ok', 'ok']);
    expect(cluster.network.refusals.at(-1)).toMatch(
      /uses feature level \d, and replica 3 knows level 1: upgrade replica 3/,
    );
    expect(leader.status().peers).toContainEqual(expect.objectContaining({ id: 3, up: false, votes: false }));
  });

  it.each(['leaseMs', 'electionTimeoutMs', 'clockDriftRatio'])(
    'keeps a replica out that has another %s, until all have the same',
    async (name) => {
      await formed(3);
      const odd = replicaId(3);
      cluster.kill(odd);
      const other = { electionTimeoutMs: 900, clockDriftRatio: 0.1, leaseMs: 290 };
      const paxos = { [name]: other[name as keyof typeof other] };
      await cluster.start(odd, { paxos });
      await cluster.time.advance(3_000);
      expect(cluster.network.refusals.at(-1)).toMatch(
        new RegExp(`^replica \\d has ${name} [\\d.]+, replica \\d [\\d.]+: start both with the same$`),
      );
      expect(
        cluster.replicas
          .get(odd)!
          .status()
          .peers.map(({ up }) => up),
      ).toEqual([false, false]);
      expect(servingNow()).toHaveLength(1);
      expect(servingNow()).not.toContain(odd);
      stopAll();
      for (const id of cluster.ids) await cluster.start(id, { paxos });
      await cluster.time.advance(3_000);
      expect(servingNow()).toHaveLength(1);
    },
  );

  it('lets no second lease begin when the lease is made shorter on one replica after the other', async () => {
    cluster = new SimulatedCluster();
    const long = { electionTimeoutMs: 4_000, leaseMs: 4_000 };
    for (const id of cluster.ids) await cluster.start(id, { paxos: long });
    await cluster.time.advance(12_000);
    const [leader] = servingNow();
    const held = (): ReplicaId[] =>
      [...cluster.replicas.values()]
        .filter((replica) => replica.leaseHolds(replica.shardOf(groupId('g'))))
        .map(({ self }) => self);
    expect(held()).toEqual([leader]);
    const others = cluster.ids.filter((id) => id !== leader);
    for (const id of others) cluster.kill(id);
    for (const id of others) await cluster.start(id);
    // A second restart at once knows no less.
    for (const id of others) cluster.kill(id);
    for (const id of others) await cluster.start(id);
    for (let waited = 0; waited < 8_000; waited += 100) {
      await cluster.time.advance(100);
      expect(held().length).toBeLessThan(2);
    }
    expect(others).toContain(held()[0]);
    expect(cluster.disks.get(others[0]!)!.identity!.earlierLeaseMs).toBeUndefined();
  });

  it('does not let a wiped replica with another list in, whoever it calls', async () => {
    await formed(3);
    const wiped = replicaId(3);
    cluster.kill(wiped);
    cluster.disks.set(wiped, blankDisk());
    await cluster.start(wiped, { ids: ids(1, 3) });
    await cluster.time.advance(3_000);
    expect(cluster.network.refusals).toContain(
      'replica 3 has replicas 1, 3, replica 1 1, 2, 3; and quorums majority of 2, replica 1 majority of 3: ' +
        'start both with what the cluster was first started with',
    );
    expect(cluster.replicas.get(wiped)!.status().standing).toBe('forming');
  });
});
