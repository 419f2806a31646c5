import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { replicaId } from '../../../src/kernel/index.js';
import { majority } from '../../../src/paxos/index.js';
// Behind the door on purpose: counting is the replica's own.
import { failuresTolerated, neededVoters } from '../../../src/replica/votes.js';
import { blankDisk } from '../../../src/storage/index.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

jest.setTimeout(60_000);

it.each([
  [[1], 0, -1],
  [[1, 2], 0, -1],
  [[1, 2, 3], 1, 0],
  [[1, 2, 3, 4, 5], 2, 1],
])('of %j so many may fail with all of them up, and with one down', (numbers, all, oneDown) => {
  const ids = numbers.map(replicaId);
  expect(failuresTolerated(new Set(ids), majority(ids), { led: true })).toBe(all);
  expect(failuresTolerated(new Set(ids.slice(1)), majority(ids), { led: true })).toBe(oneDown);
});

it.each([
  [[1], [1]],
  [[1, 2, 3], []],
  [
    [1, 3],
    [1, 3],
  ],
])('of three, while %j vote, none of %j may fail', (voting, needed) => {
  const quorums = majority(voting.length === 1 ? voting.map(replicaId) : [1, 2, 3].map(replicaId));
  expect(neededVoters(new Set(voting.map(replicaId)), quorums)).toEqual(needed);
});

describe('a lost vote', () => {
  let cluster: SimulatedCluster;
  afterEach(() => expect(cluster.fatal).toEqual([]));
  const [ONE, , THREE] = [1, 2, 3].map(replicaId);

  it('of a disk that was wiped shows at every replica, and in the log of the leaders', async () => {
    cluster = new SimulatedCluster();
    await cluster.startAll();
    expect(cluster.replicas.get(ONE!)!.status()).toMatchObject({
      failuresTolerated: 1,
      failuresToleratedMax: 1,
    });
    cluster.kill(THREE!);
    await cluster.time.advance(2_000);
    expect(cluster.replicas.get(ONE!)!.status()).toMatchObject({
      peers: [
        { id: 2, up: true, votes: true },
        { id: 3, up: false, votes: false },
      ],
      failuresTolerated: 0,
    });
    cluster.disks.set(THREE!, blankDisk());
    await cluster.start(THREE!);
    await cluster.time.advance(3_000);
    expect(cluster.replicas.get(ONE!)!.status().peers[1]).toMatchObject({ id: 3, up: true, votes: false });
    expect(cluster.replicas.get(ONE!)!.brokers()[2]).toMatchObject({ id: 3, up: true, votes: false });
    for (const replica of cluster.replicas.values()) expect(replica.status().failuresTolerated).toBe(0);
    const warned = cluster.logs.filter((line) => line.includes('one more failure stops the cluster'));
    expect(warned.some((line) => line.includes('replica 3 is down'))).toBe(true);
    expect(warned.at(-1)).toContain('replica 3 follows without a vote');
  });

  it('is none of a replica that waits for its peers after a restart: it has formed its cluster', async () => {
    cluster = new SimulatedCluster();
    await cluster.start(ONE!);
    expect(cluster.replicas.get(ONE!)!.status()).toMatchObject({ standing: 'forming', formed: false });
    cluster.kill(ONE!);
    await cluster.startAll();
    for (const id of cluster.ids) cluster.kill(id);
    await cluster.start(ONE!);
    await cluster.time.advance(1_000);
    expect(cluster.replicas.get(ONE!)!.status()).toMatchObject({
      standing: 'forming',
      formed: true,
      failuresTolerated: -1,
    });
  });
});
