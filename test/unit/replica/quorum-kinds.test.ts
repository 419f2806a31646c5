import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { monotonicMs, replicaId, type ReplicaId, slot, wallMs } from '../../../src/kernel/index.js';
import { majority, type QuorumDescription, quorumSystem } from '../../../src/paxos/index.js';
import type { Clock } from '../../../src/replica/index.js';
// Behind the door on purpose: each of them counts on its own.
import { ClusterClock } from '../../../src/replica/cluster-clock.js';
import { standing } from '../../../src/replica/formation.js';
import { HashAudit } from '../../../src/replica/hash-audit.js';
import { failuresTolerated } from '../../../src/replica/votes.js';
import { unreadyReasons } from '../../../src/app/readiness.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

/**
 * 1 2
 * 3 4   A row promises, a column accepts. Two rows do not meet, nor do two columns: neither can say alone what all must believe.
 */
const SQUARE: QuorumDescription = { kind: 'grid', rows: [[1, 2].map(replicaId), [3, 4].map(replicaId)] };
const all = [1, 2, 3, 4].map(replicaId);
const [one, two, three, four] = all as [ReplicaId, ReplicaId, ReplicaId, ReplicaId];
const square = quorumSystem(SQUARE, all);

describe('in a grid of four', () => {
  it('a replica votes after a restart when it has met a quorum of each kind', () => {
    const formedWith = { 1: 'a', 2: 'b', 3: 'c', 4: 'd' };
    const identity = { clusterId: 'c', replicaId: one, shards: 1, incarnation: 'a', formedWith };
    const kindWith = (...met: readonly ReplicaId[]): string =>
      standing(
        one,
        identity,
        all,
        square,
        new Map(met.map((id) => [id, { incarnation: formedWith[id as 1], formedWith }])),
      ).kind;
    expect(kindWith()).toBe('forming');
    expect(kindWith(two)).toBe('forming');
    expect(kindWith(three)).toBe('forming');
    expect(kindWith(four)).toBe('forming');
    expect(kindWith(two, three)).toBe('voter');
  });

  it('a column that agrees on another state stops nobody: the other column could say the same of it', () => {
    const audit = new HashAudit(one, square, slot(0), 0);
    for (let at = 1; at <= 512; at++) audit.applied(slot(at), at);
    expect(audit.heard(two, slot(512), 7)).toBeUndefined();
    expect(audit.heard(four, slot(512), 7)).toBeUndefined();
    expect(audit.difference()).toContain('on replica 2');
    expect(audit.heard(three, slot(512), 7)).toContain('slot 512');
  });

  it('a column of clocks that are ahead does not move the time, and lets nothing be deleted', () => {
    const clock: Clock = {
      monotonic: () => monotonicMs(1_000),
      wall: () => wallMs(1_700_000_000_000),
      after: () => () => undefined,
      endOfTurn: () => undefined,
    };
    const ahead = wallMs(clock.wall() + 86_400_000);
    const time = new ClusterClock(two, square, clock);
    time.heard(four, clock.wall(), clock.monotonic());
    expect(time.now()).toBeUndefined();
    const moved = new ClusterClock(two, square, clock);
    moved.heard(one, ahead, clock.monotonic());
    moved.heard(three, ahead, clock.monotonic());
    expect(moved.now()).toBe(clock.wall());
    expect(moved.confirms(ahead)).toBe(false);
    expect(moved.confirms(clock.wall())).toBe(true);
  });
});

describe('how many may fail', () => {
  const upTo = (count: number): readonly ReplicaId[] =>
    Array.from({ length: count }, (_, i) => replicaId(i + 1));
  const nine = quorumSystem(
    { kind: 'grid', rows: [upTo(9).slice(0, 3), upTo(9).slice(3, 6), upTo(9).slice(6)] },
    upTo(9),
  );
  const flexible = quorumSystem({ kind: 'flexible', prepare: 4, accept: 2 }, upTo(5));
  const weights = { 1: 3, 2: 1, 3: 1, 4: 1 };
  const weighted = quorumSystem({ kind: 'weighted', weights, prepare: 4, accept: 3 }, upTo(4));
  const left = { led: true };
  const none = { led: false };
  it.each([
    ['a majority of five', majority(upTo(5)), [1, 2, 3, 4, 5], left, 2],
    ['a grid of nine', nine, [1, 2, 3, 4, 5, 6, 7, 8, 9], left, 2],
    ['a grid of nine less a diagonal', nine, [2, 3, 4, 6, 7, 8], left, -1],
    ['a grid of nine less two rows: a leader is elected, and nothing accepted', nine, [1, 2, 3], left, -1],
    ['a grid of nine less two columns goes on with its leader', nine, [1, 4, 7], left, 0],
    ['a grid of nine less two columns elects nobody', nine, [1, 4, 7], none, -1],
    ['flexible quorums', flexible, [1, 2, 3, 4, 5], left, 1],
    ['flexible quorums less two, with a leader', flexible, [1, 2, 3], left, 0],
    ['flexible quorums less two, without a leader', flexible, [1, 2, 3], none, -1],
    ['weights, of which one decides', weighted, [1, 2, 3, 4], left, 0],
  ])('%s', (_name, quorums, voters, led, tolerated) => {
    expect(failuresTolerated(new Set(voters.map(replicaId)), quorums, led)).toBe(tolerated);
  });
});

describe('a cluster of four with a grid', () => {
  jest.setTimeout(60_000);
  let cluster: SimulatedCluster;
  afterEach(() => expect(cluster.fatal).toEqual([]));
  const status = (id: ReplicaId) => cluster.replicas.get(id)!.status();

  it('says which quorums it has, keeps to them, and is ready only with a row and a column', async () => {
    cluster = new SimulatedCluster({ replicas: 4, quorums: SQUARE });
    await cluster.startAll();
    const name = 'grid: a row of 1 2 / 3 4 promises, a column accepts';
    expect(status(one)).toMatchObject({ quorums: name, failuresTolerated: 1, failuresToleratedMax: 1 });
    for (const id of all) cluster.kill(id);
    await expect(cluster.start(one, { quorums: { kind: 'majority' } })).rejects.toThrow(
      `a cluster with quorums: ${name}, and the configuration says majority of 4 (it is fixed when a cluster is first started)`,
    );
    for (const id of [one, three]) await cluster.start(id);
    await cluster.time.advance(3_000);
    expect([status(one).standing, status(one).failuresTolerated]).toEqual(['forming', -1]);
    expect(unreadyReasons(cluster.replicas.get(one)!)[0]).toContain('waits for a quorum of its peers');
    await cluster.start(two);
    await cluster.time.advance(3_000);
    expect(status(one)).toMatchObject({ standing: 'voter', failuresTolerated: 0 });
    expect(unreadyReasons(cluster.replicas.get(one)!)).toEqual([]);
  });
});
