import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type ReplicaId, replicaId } from '../../../src/kernel/index.js';
import type { Replica } from '../../../src/replica/index.js';
import { commit, GROUP, offsetAt } from '../../harness/commits.js';
import { copyOf, SimulatedCluster } from '../../harness/simulated-world.js';

jest.setTimeout(60_000);
const [one, two, three] = [1, 2, 3].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId];
let cluster: SimulatedCluster;
afterEach(() => expect(cluster.fatal).toEqual([]));
const leaders = (): Replica[] =>
  [...cluster.replicas.values()].filter((replica) => replica.serves(replica.shardOf(GROUP)));
async function committed(offset: number): Promise<void> {
  let kind: string | undefined;
  const [leader] = leaders();
  leader!.submit(leader!.shardOf(GROUP), commit(offset), (outcome) => (kind = outcome.kind));
  for (let i = 0; i < 100 && kind === undefined; i++) await cluster.time.advance(5);
  expect(kind).toBe('ok');
}

async function formed(): Promise<void> {
  cluster = new SimulatedCluster();
  await cluster.startAll();
  await committed(1);
  await cluster.time.advance(500);
}

describe('an older copy of a data directory', () => {
  it('does not vote: its peers remember how far it had come, and it learns from them', async () => {
    await formed();
    const copy = copyOf(cluster.disks.get(three)!);
    await committed(2);
    await cluster.time.advance(100);
    cluster.kill(three);
    cluster.disks.set(three, copy);
    const back = await cluster.start(three);
    await cluster.time.advance(3_000);
    expect(back.status().standing).toBe('learner');
    expect(cluster.logs.join('\n')).toMatch(
      /3: this data directory is an older copy: it stands at record \d+, and replica \d remembers that it stood at \d+\. This replica will follow/,
    );
    expect(offsetAt(back)).toBe(2);
    await committed(3);
  });

  it('does not vote after all were stopped either, though the others have forgotten what was only in memory', async () => {
    await formed();
    const copy = copyOf(cluster.disks.get(three)!);
    await committed(2);
    await cluster.time.advance(1_500);
    for (const id of cluster.ids) cluster.kill(id);
    cluster.disks.set(three, copy);
    await cluster.start(two);
    await cluster.start(three);
    await cluster.time.advance(3_000);
    expect(leaders()).toEqual([]);
    await cluster.start(one);
    await cluster.time.advance(3_000);
    expect(offsetAt(leaders()[0]!)).toBe(2);
    expect(cluster.replicas.get(three)!.status().standing).toBe('learner');
    // It stays so: the disk has another name from now on.
    cluster.kill(three);
    await cluster.start(three);
    await cluster.time.advance(1_000);
    expect(cluster.replicas.get(three)!.status().standing).toBe('learner');
  });

  it('is known to a replica that heard of it from another only', async () => {
    await formed();
    cluster.network.cut(two, three);
    const copy = copyOf(cluster.disks.get(three)!);
    cluster.network.cut(one, two);
    await cluster.time.advance(1_500);
    await committed(2);
    cluster.network.heal();
    cluster.network.cut(two, three);
    await cluster.time.advance(2_000);
    for (const id of cluster.ids) cluster.kill(id);
    cluster.network.heal();
    cluster.disks.set(three, copy);
    await cluster.start(two);
    await cluster.start(three);
    await cluster.time.advance(2_000);
    expect(cluster.replicas.get(three)!.status().standing).toBe('learner');
  });

  it('is not what a disk is that lost only what it had not promised', async () => {
    await formed();
    for (let i = 2; i < 30; i++) {
      await committed(i);
      const victim = cluster.ids[i % 3]!;
      cluster.kill(victim);
      await cluster.start(victim);
      await cluster.time.advance(1_000);
      expect(cluster.replicas.get(victim)!.status().standing).toBe('voter');
    }
  });

  it('stops at once when it has voted before it met the one that remembers', async () => {
    await formed();
    const copy = copyOf(cluster.disks.get(three)!);
    cluster.network.cut(two, three);
    cluster.network.cut(two, one);
    await cluster.time.advance(1_500);
    if (leaders().length > 0) await committed(2);
    await cluster.time.advance(1_500);
    for (const id of cluster.ids) cluster.kill(id);
    cluster.disks.set(three, copy);
    cluster.network.heal();
    await cluster.start(two);
    await cluster.start(three);
    await cluster.time.advance(1_000);
    await cluster.start(one);
    await cluster.time.advance(1_000);
    expect(cluster.fatal).toEqual([expect.stringMatching(/^3: this data directory is an older copy/)]);
    cluster.fatal.length = 0;
    cluster.kill(three);
    await cluster.start(three);
    await cluster.time.advance(1_000);
    expect(cluster.replicas.get(three)!.status().standing).toBe('learner');
  });
});
