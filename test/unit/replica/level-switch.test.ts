import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type ReplicaId, replicaId, shardId } from '../../../src/kernel/index.js';
import { FEATURE_LEVEL, FIRST_FEATURE_LEVEL, snapshotHead } from '../../../src/machine/index.js';
import type { Replica } from '../../../src/replica/index.js';
import { commit, GROUP } from '../../harness/commits.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const OLD = FEATURE_LEVEL - 1;
const FACTS = shardId(0);
const [ONE, TWO, THREE] = [replicaId(1), replicaId(2), replicaId(3)];
jest.setTimeout(60_000);

let cluster: SimulatedCluster;
beforeEach(async () => {
  cluster = new SimulatedCluster();
  for (const id of cluster.ids) await start(id, OLD);
  await cluster.time.advance(3_000);
});
afterEach(() => expect(cluster.fatal).toEqual([]));

const start = (id: ReplicaId, featureLevel: number): Promise<Replica> =>
  cluster.start(id, { featureLevel, levelRaisesItself: false });
async function becomes(id: ReplicaId, featureLevel: number): Promise<void> {
  cluster.kill(id);
  await start(id, featureLevel);
  await cluster.time.advance(3_000);
}
const replica = (id: ReplicaId): Replica => cluster.replicas.get(id)!;
const used = (): number[] => cluster.ids.map((id) => replica(id).status().featureLevelUsed);
async function raise(level = FEATURE_LEVEL): Promise<string> {
  let outcome = 'none';
  replica(ONE).submitAnywhere(FACTS, { kind: 'level.raise', level }, ({ kind }) => (outcome = kind));
  await cluster.time.advance(6_000);
  return outcome;
}
async function commits(offset: number): Promise<void> {
  let outcome = 'none';
  const shard = replica(ONE).shardOf(GROUP);
  replica(ONE).submitAnywhere(shard, commit(offset), ({ kind }) => (outcome = kind));
  await cluster.time.advance(1_000);
  expect(outcome).toBe('ok');
}

describe('the feature level of a cluster', () => {
  it('stays when the last replica is upgraded, and rises by a command alone', async () => {
    expect(used()).toEqual([OLD, OLD, OLD]);
    for (const id of cluster.ids) await becomes(id, FEATURE_LEVEL);
    await cluster.time.advance(5_000);
    expect(used()).toEqual([OLD, OLD, OLD]);
    expect(replica(ONE).status().featureLevelOfAll).toBe(FEATURE_LEVEL);
    expect(await raise()).toBe('ok');
    expect(used()).toEqual([FEATURE_LEVEL, FEATURE_LEVEL, FEATURE_LEVEL]);
    for (const id of cluster.ids) {
      expect(replica(id).peek(FACTS).level).toBe(FEATURE_LEVEL);
      expect(cluster.disks.get(id)!.identity!.level).toBe(FEATURE_LEVEL);
    }
    expect(cluster.logs.join('\n')).toContain(`the cluster uses feature level ${FEATURE_LEVEL}`);
  });

  it('lets each go back until then', async () => {
    for (const id of cluster.ids) await becomes(id, FEATURE_LEVEL);
    await commits(1);
    for (const id of cluster.ids) await becomes(id, OLD);
    await commits(2);
    expect(used()).toEqual([OLD, OLD, OLD]);
    expect(cluster.network.refusals).toEqual([]);
  });

  it('does not rise while a replica is of the older version, is down, or came back as the older one', async () => {
    for (const id of [ONE, TWO]) await becomes(id, FEATURE_LEVEL);
    expect(await raise()).toBe('overloaded');
    await becomes(THREE, FEATURE_LEVEL);
    cluster.kill(THREE);
    await cluster.time.advance(3_000);
    // All were new at one moment. One that is down may be on its way back.
    expect(replica(ONE).status().featureLevelOfAll).toBe(FEATURE_LEVEL);
    expect(await raise()).toBe('overloaded');
    await start(THREE, OLD);
    await cluster.time.advance(3_000);
    expect(await raise()).toBe('overloaded');
    expect(used()).toEqual([OLD, OLD, OLD]);
    await becomes(THREE, FEATURE_LEVEL);
    expect(await raise()).toBe('ok');
  });

  it('refuses an older version at its start from then on, with the reason, and takes the newer one back', async () => {
    for (const id of cluster.ids) await becomes(id, FEATURE_LEVEL);
    expect(await raise()).toBe('ok');
    cluster.kill(THREE);
    const before = structuredClone(cluster.disks.get(THREE)!.identity);
    await expect(start(THREE, OLD)).rejects.toThrow(
      `uses feature level ${FEATURE_LEVEL}, and this version knows level ${OLD}: upgrade this replica. A rollback was possible until`,
    );
    expect(cluster.disks.get(THREE)!.identity).toEqual(before);
    await becomes(THREE, FEATURE_LEVEL);
    await commits(3);
    expect(used()).toEqual([FEATURE_LEVEL, FEATURE_LEVEL, FEATURE_LEVEL]);
  });

  it('keeps out an older version whose disk does not know of the switch', async () => {
    for (const id of cluster.ids) await becomes(id, FEATURE_LEVEL);
    const { identity } = cluster.disks.get(THREE)!;
    expect(await raise()).toBe('ok');
    cluster.kill(THREE);
    cluster.disks.get(THREE)!.identity = { ...identity!, level: OLD };
    cluster.network.refusals.length = 0;
    await start(THREE, OLD);
    await cluster.time.advance(3_000);
    expect(cluster.network.refusals[0]).toMatch(
      new RegExp(`uses feature level ${FEATURE_LEVEL}, and replica 3 knows level ${OLD}: upgrade replica 3`),
    );
    expect(
      replica(THREE)
        .status()
        .peers.map(({ up }) => up),
    ).toEqual([false, false]);
    // What its log has of it, it ends at; it never serves.
    cluster.fatal.length = 0;
    cluster.kill(THREE);
    await becomes(THREE, FEATURE_LEVEL);
    expect(used()).toEqual([FEATURE_LEVEL, FEATURE_LEVEL, FEATURE_LEVEL]);
  });

  it('is what its replicas know when it is new, and of 0.1.0 in a directory that does not say', async () => {
    cluster = new SimulatedCluster();
    for (const id of cluster.ids) await start(id, FEATURE_LEVEL);
    await cluster.time.advance(3_000);
    expect(used()).toEqual([FEATURE_LEVEL, FEATURE_LEVEL, FEATURE_LEVEL]);
    cluster = new SimulatedCluster();
    for (const id of cluster.ids) await start(id, FEATURE_LEVEL);
    await cluster.time.advance(3_000);
    for (const id of cluster.ids) {
      cluster.kill(id);
      const disk = cluster.disks.get(id)!;
      const { level: _, levels: __, ...first } = disk.identity!;
      disk.identity = first;
    }
    for (const id of cluster.ids) await start(id, FEATURE_LEVEL);
    await cluster.time.advance(3_000);
    expect(used()).toEqual([FIRST_FEATURE_LEVEL, FIRST_FEATURE_LEVEL, FIRST_FEATURE_LEVEL]);
  });

  it('is in snapshots once it was raised, which an older version refuses', async () => {
    const formatOf = (id: ReplicaId): number => {
      let format = 0;
      replica(id).snapshotAnywhere(FACTS, (outcome) => {
        if (outcome.kind === 'ok') for (const chunk of outcome.chunks) format ||= snapshotHead(chunk).format;
      });
      return format;
    };
    for (const id of cluster.ids) await becomes(id, FEATURE_LEVEL);
    const leader = cluster.ids.find((id) => replica(id).serves(FACTS))!;
    const before = formatOf(leader);
    expect(before).toBeGreaterThan(0);
    expect(await raise()).toBe('ok');
    expect(formatOf(leader)).toBeGreaterThan(before);
  });
});
