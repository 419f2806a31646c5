import { beforeEach, describe, expect, it } from '@jest/globals';
import { ByteWriter, nextSlot, replicaId, shardId } from '../../../src/kernel/index.js';
import { type Entry, writeMessage } from '../../../src/paxos/index.js';
import { encodeFrame, PaxosBundle } from '../../../src/replica/frames.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const [ONE, TWO] = [replicaId(1), replicaId(2)];
const SHARD = shardId(0);
/** A command of a format that this version does not know, as a newer leader would propose it. */
const UNREADABLE: Entry = { kind: 'command', payload: Buffer.from([99, 1, 2, 3]) };

let cluster: SimulatedCluster;
beforeEach(async () => {
  cluster = new SimulatedCluster();
  await cluster.startAll();
});

const standing = () => cluster.replicas.get(TWO)!.status().shards[SHARD]!;

/** The frame with which the leader, replica 1, asks replica 2 to accept an entry that it calls chosen. */
function acceptOf(entry: Entry): Buffer {
  const { promised, lastSlot } = standing();
  const firstSlot = nextSlot(lastSlot);
  const bundle = new PaxosBundle();
  const message = {
    kind: 'accept',
    configuration: 1,
    ballot: promised,
    firstSlot,
    entries: [entry],
    chosenThrough: firstSlot,
  } as const;
  const encoded = new ByteWriter();
  writeMessage(encoded, message);
  bundle.add(SHARD, encoded, false);
  return bundle.take();
}

describe('a step of a replica', () => {
  it('stops the replica when a chosen command cannot be read, and says nothing of that step', async () => {
    const frame = acceptOf(UNREADABLE);
    const before = cluster.replicas
      .get(ONE)!
      .status()
      .shards[SHARD]!.peers.find(({ id }) => id === TWO)!;
    cluster.network.inject(ONE, TWO, frame);
    expect(cluster.fatal).toEqual([expect.stringMatching(/^2: shard 0: .*format 99/)]);
    await cluster.time.advance(100);
    const after = cluster.replicas
      .get(ONE)!
      .status()
      .shards[SHARD]!.peers.find(({ id }) => id === TWO)!;
    expect(after.matched).toBe(before.matched);
  });

  it('takes nothing of a frame that it cannot read to its end, and goes on', () => {
    const { lastSlot } = standing();
    const whole = acceptOf({ kind: 'noop' });
    cluster.network.inject(ONE, TWO, Buffer.concat([whole, Buffer.from([0, 3, 1, 2, 250])]));
    cluster.network.inject(ONE, TWO, Buffer.from([200, 1, 2]));
    expect(standing().lastSlot).toBe(lastSlot);
    expect(cluster.logs.filter((line) => line.includes('cannot be read'))).toHaveLength(2);
    cluster.network.inject(ONE, TWO, whole);
    expect(standing().lastSlot).toBe(lastSlot + 1);
    expect(cluster.fatal).toEqual([]);
  });

  it('stops the replica when a callback of its storage throws, and never throws into the storage', async () => {
    const leader = cluster.replicas.get(ONE)!;
    leader.submit(SHARD, { kind: 'notice.acknowledge', shard: 1, through: 0 }, () => {
      throw new Error('planted');
    });
    await cluster.time.advance(100);
    expect(cluster.fatal).toEqual([expect.stringMatching(/^1: shard 0: Error: planted/)]);
    expect(leader.serves(SHARD)).toBe(false);
  });

  it('refuses a forwarded command that it cannot read, and goes on', async () => {
    const payload = Buffer.from([99, 0]);
    cluster.network.inject(TWO, ONE, encodeFrame({ kind: 'forward', request: 1, shard: SHARD, payload }));
    await cluster.time.advance(100);
    expect(cluster.fatal).toEqual([]);
  });
});
