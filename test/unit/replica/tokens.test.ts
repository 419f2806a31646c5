import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type ReplicaId, replicaId, shardId } from '../../../src/kernel/index.js';
import { tokensFromNow } from '../../../src/machine/index.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

jest.setTimeout(60_000);
let cluster: SimulatedCluster;
afterEach(() => expect(cluster.fatal).toEqual([]));
const starts = (id: ReplicaId): number[] =>
  [0, 1].map((shard) => cluster.replicas.get(id)!.peek(shardId(shard)).groups.tokensFrom);

describe('tokens of a cluster', () => {
  it('start with the time it was formed at, alike on every replica and for good', async () => {
    cluster = new SimulatedCluster();
    await cluster.startAll();
    const first = starts(replicaId(1));
    const now = tokensFromNow(cluster.wall());
    for (const from of first) {
      expect(from).toBeLessThanOrEqual(now);
      expect(from).toBeGreaterThan(now - 10 * 2 ** 21);
    }
    await cluster.time.advance(5_000);
    for (const id of cluster.ids) expect(starts(id)).toEqual(first);
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await cluster.start(id);
    await cluster.time.advance(5_000);
    for (const id of cluster.ids) expect(starts(id)).toEqual(first);
  });

  it('start when the last replica knows the command: one of version 0.1.0 could not apply it', async () => {
    cluster = new SimulatedCluster();
    cluster.network.hello = (hello) => {
      if (hello.replicaId !== 3) return hello;
      const { featureLevel: _, level: __, ...older } = hello;
      return older;
    };
    await cluster.startAll();
    await cluster.time.advance(3_000);
    for (const id of cluster.ids) expect(starts(id)).toEqual([0, 0]);
    cluster.network.hello = (hello) => hello;
    cluster.kill(replicaId(3));
    await cluster.start(replicaId(3));
    await cluster.time.advance(5_000);
    for (const id of cluster.ids) for (const from of starts(id)) expect(from).toBeGreaterThan(2 ** 50);
  });
});
