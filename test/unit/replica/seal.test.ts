import { expect, it } from '@jest/globals';
import { ByteWriter, nextSlot, replicaId, shardId } from '../../../src/kernel/index.js';
import { type Configuration, writeMessage } from '../../../src/paxos/index.js';
import { PaxosBundle } from '../../../src/replica/frames.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const [ONE, TWO, THREE] = [replicaId(1), replicaId(2), replicaId(3)];
const SHARD = shardId(0);

/** Nobody proposes seals yet: replica 2 is told of one that its leader has chosen. */
function seal(cluster: SimulatedCluster, next: Configuration): void {
  const { promised, lastSlot } = cluster.replicas.get(TWO)!.status().shards[SHARD]!;
  const firstSlot = nextSlot(lastSlot);
  const encoded = new ByteWriter();
  writeMessage(encoded, {
    kind: 'accept',
    configuration: 1,
    ballot: promised,
    firstSlot,
    entries: [{ kind: 'seal', next }],
    chosenThrough: firstSlot,
  });
  const bundle = new PaxosBundle();
  bundle.add(SHARD, encoded, false);
  cluster.network.inject(ONE, TWO, bundle.take());
}

const standings = (cluster: SimulatedCluster) =>
  [...cluster.replicas].map(([id, replica]) => {
    const { configuration, votes, hash } = replica.status().shards[SHARD]!;
    return { id, number: configuration.number, replicas: configuration.replicas, votes, hash };
  });

it('real replicas pass a seal, remember it, and bring it to one that was away by a snapshot', async () => {
  const cluster = new SimulatedCluster({ compactionBytes: 8 * 1024 });
  await cluster.startAll();
  const members = [ONE, TWO, THREE].map((id) => ({
    id,
    incarnation: cluster.disks.get(id)!.identity!.incarnation,
  }));
  cluster.kill(THREE);
  seal(cluster, { number: 2, members, quorums: { kind: 'majority' } });
  await cluster.time.advance(2_000);
  let taken = 0;
  for (let round = 0; round < 40; round++) {
    const leader = [...cluster.replicas.values()].find((replica) => replica.serves(SHARD));
    for (let i = 0; i < 20; i++)
      leader?.submit(SHARD, { kind: 'notice.acknowledge', shard: 1, through: 0 }, ({ kind }) => {
        if (kind === 'ok') taken++;
      });
    await cluster.time.advance(200);
  }
  expect(taken).toBeGreaterThan(500);
  cluster.kill(ONE);
  await cluster.start(ONE);
  await cluster.start(THREE);
  await cluster.time.advance(3_000);
  const [first] = standings(cluster);
  expect(standings(cluster)).toHaveLength(3);
  for (const standing of standings(cluster))
    expect(standing).toMatchObject({ number: 2, replicas: [1, 2, 3], votes: true, hash: first!.hash });
  expect(cluster.fatal).toEqual([]);
});
