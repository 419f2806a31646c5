import { describe, expect, it } from '@jest/globals';
import { replicaId, shardId } from '../../../src/kernel/index.js';
import type { Replica } from '../../../src/replica/index.js';
import type { ReplicaChange } from '../../../src/replica/replica-plans.js';
import { blankDisk } from '../../../src/storage/index.js';
import { commit, offsetAt } from '../../harness/commits.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const [ONE, TWO, THREE] = [replicaId(1), replicaId(2), replicaId(3)];
const [FOUR, FIVE] = [replicaId(4), replicaId(5)];
const FACTS = shardId(0);

/** Asks a replica for a change of the replicas. */
async function change(cluster: SimulatedCluster, asked: ReplicaChange, at?: Replica): Promise<string> {
  const replica = at ?? cluster.any;
  const planned = replica.planReplicas(asked);
  if ('problem' in planned) return planned.problem;
  let outcome = 'nothing';
  replica.submitAnywhere(FACTS, planned.command, (answer) => {
    outcome = answer.kind !== 'ok' ? answer.kind : answer.reply.error;
  });
  await cluster.time.advance(500);
  return outcome;
}

/** Commits through whichever replica leads, and says how many were refused. */
async function commits(cluster: SimulatedCluster, count: number): Promise<number> {
  let taken = 0;
  for (let offset = 1; offset <= count; offset++) {
    for (const replica of cluster.replicas.values()) {
      const shard = replica.shardOf(commit(0).group);
      if (replica.serves(shard))
        replica.submit(shard, commit(offset), ({ kind }) => (taken += kind === 'ok' ? 1 : 0));
    }
    await cluster.time.advance(50);
  }
  return taken;
}

const standings = (cluster: SimulatedCluster) =>
  [...cluster.replicas].map(([id, replica]) => {
    const { standing, shards } = replica.status();
    return { id, standing, replicas: shards.map(({ configuration }) => configuration.replicas.join()) };
  });

it('a replica that lost its disk gets its vote back by a plan, and keeps it over restarts', async () => {
  const cluster = new SimulatedCluster({ compactionBytes: 8 * 1024 });
  await cluster.startAll();
  await commits(cluster, 40);
  cluster.kill(THREE);
  cluster.disks.set(THREE, blankDisk());
  await cluster.start(THREE);
  await cluster.time.advance(2_000);
  expect(cluster.replicas.get(THREE)!.status().standing).toBe('learner');
  expect(await change(cluster, { replace: [THREE] })).toBe('NONE');
  expect(await commits(cluster, 100)).toBeGreaterThan(90);
  const three = { standing: 'voter', replicas: ['1,2,3', '1,2,3'] };
  expect(standings(cluster)).toEqual([ONE, TWO, THREE].map((id) => ({ id, ...three })));
  expect(cluster.any.replicas().view).toMatchObject({ number: 1, plan: null, removed: [{ id: 3 }] });
  // Its vote counts: it and one other are a quorum.
  cluster.kill(ONE);
  await cluster.time.advance(3_000);
  expect(await commits(cluster, 20)).toBeGreaterThan(15);
  for (const id of [TWO, THREE]) cluster.kill(id);
  for (const id of [THREE, TWO, ONE]) await cluster.start(id);
  await cluster.time.advance(5_000);
  expect(standings(cluster).map(({ standing }) => standing)).toEqual(['voter', 'voter', 'voter']);
  expect(cluster.fatal).toEqual([]);
});

it('the disk that was replaced is refused for ever', async () => {
  const cluster = new SimulatedCluster();
  await cluster.startAll();
  cluster.kill(THREE);
  const old = cluster.disks.get(THREE)!;
  cluster.disks.set(THREE, blankDisk());
  await cluster.start(THREE);
  await cluster.time.advance(2_000);
  expect(await change(cluster, { replace: [THREE] })).toBe('NONE');
  await cluster.time.advance(5_000);
  cluster.kill(THREE);
  cluster.disks.set(THREE, old);
  await cluster.start(THREE);
  await cluster.time.advance(5_000);
  expect(cluster.network.refusals.join('\n')).toContain('replica 3 was removed from the cluster');
  for (const id of [ONE, TWO])
    expect(
      cluster.replicas
        .get(id)!
        .status()
        .peers.find((peer) => peer.id === THREE),
    ).toMatchObject({ up: false });
});

it('a replica that was removed has no links any more, and says so once', async () => {
  const cluster = new SimulatedCluster();
  await cluster.startAll();
  expect(await change(cluster, { remove: [THREE] })).toBe('NONE');
  const three = cluster.replicas.get(THREE)!;
  const isOut = (): boolean => three.peek(FACTS).replicas.removed.some(({ id }) => id === THREE);
  for (let ms = 0; ms < 5_000 && !isOut(); ms += 50) await cluster.time.advance(50);
  await cluster.time.advance(100);
  expect(three.status().peers.map(({ id, up }) => ({ id, up }))).toEqual(
    [ONE, TWO].map((id) => ({ id, up: false })),
  );
  await cluster.time.advance(10_000);
  const said = cluster.logs.filter((line) => line.startsWith('3: '));
  expect(said.filter((line) => line.includes('has no vote in the cluster any more'))).toHaveLength(1);
  for (const id of [ONE, TWO])
    expect(said.filter((line) => line.startsWith(`3: lost replica ${id}`))).toHaveLength(1);
});

it('one replica becomes three, then five, then three others, and nothing is lost', async () => {
  const cluster = new SimulatedCluster({ replicas: 1, compactionBytes: 8 * 1024 });
  await cluster.startAll();
  await commits(cluster, 60);
  const added = (ids: readonly (typeof ONE)[]): ReplicaChange => ({ add: ids.map(place) });
  expect(await change(cluster, added([TWO, THREE]))).toBe('NONE');
  for (const id of [TWO, THREE]) {
    cluster.disks.set(id, blankDisk());
    await cluster.start(id, { ids: [ONE, TWO, THREE] });
  }
  await cluster.time.advance(6_000);
  expect(standings(cluster)).toEqual(
    [ONE, TWO, THREE].map((id) => ({ id, standing: 'voter', replicas: ['1,2,3', '1,2,3'] })),
  );
  cluster.kill(ONE);
  await cluster.time.advance(3_000);
  expect(await commits(cluster, 20)).toBeGreaterThan(15);
  await cluster.start(ONE, { ids: [ONE] });
  await cluster.time.advance(3_000);

  for (const id of [FOUR, FIVE]) {
    cluster.disks.set(id, blankDisk());
    await cluster.start(id, { ids: [ONE, TWO, THREE, FOUR, FIVE] });
  }
  expect(await change(cluster, added([FOUR, FIVE]))).toBe('NONE');
  await cluster.time.advance(8_000);
  expect(standings(cluster).map(({ replicas }) => replicas[0])).toEqual(Array(5).fill('1,2,3,4,5'));
  expect(await change(cluster, { remove: [ONE, TWO] })).toBe('NONE');
  await cluster.time.advance(10_000);
  expect(standings(cluster)).toEqual(
    expect.arrayContaining(
      [THREE, FOUR, FIVE].map((id) => ({ id, standing: 'voter', replicas: ['3,4,5', '3,4,5'] })),
    ),
  );
  for (const id of [ONE, TWO]) expect(cluster.replicas.get(id)!.status().standing).toBe('learner');
  expect(
    cluster.replicas
      .get(FIVE)!
      .brokers()
      .map(({ id }) => id),
  ).toEqual([3, 4, 5]);
  for (const id of [ONE, TWO]) cluster.kill(id);
  expect(await commits(cluster, 20)).toBeGreaterThan(15);
  await cluster.time.advance(1_000);
  for (const id of [THREE, FOUR, FIVE]) expect(offsetAt(cluster.replicas.get(id)!)).toBe(20);
  expect(cluster.fatal).toEqual([]);
});

const place = (id: ReturnType<typeof replicaId>) => ({
  id,
  peer: { host: 'simulated', port: 7000 + id },
  kafka: { host: 'simulated', port: 9000 + id },
  http: null,
});

it('one is removed and another added at once; before it was met the plan can be called off, and says what it waits for', async () => {
  const cluster = new SimulatedCluster();
  await cluster.startAll();
  cluster.kill(THREE);
  const asked = { add: [place(FOUR)], remove: [THREE] };
  expect(await change(cluster, asked)).toBe('NONE');
  expect(await change(cluster, { remove: [THREE] })).toContain('plan 1 (add 4, remove 3) is under way');
  await cluster.time.advance(3_000);
  const waits = [...cluster.replicas.values()].flatMap((replica) => [...replica.replicas().waits.values()]);
  expect(waits).toEqual(Array(2).fill('replica 4 has not been reached'));
  const cancelled: string[] = [];
  cluster.any.submitAnywhere(FACTS, { kind: 'replicas.cancel', number: 1 }, ({ kind }) =>
    cancelled.push(kind),
  );
  await cluster.time.advance(500);
  expect(cancelled).toEqual(['ok']);
  expect(cluster.any.replicas().view).toMatchObject({ plan: null, number: 0, lastNumber: 1 });

  expect(await change(cluster, asked)).toBe('NONE');
  cluster.disks.set(FOUR, blankDisk());
  await cluster.start(FOUR, { ids: [ONE, TWO, THREE, FOUR] });
  await cluster.time.advance(6_000);
  expect(cluster.any.replicas().view).toMatchObject({ number: 2, removed: [{ id: 3 }] });
  // Who was away learns that it was removed, and gets no link.
  await cluster.start(THREE);
  await cluster.time.advance(3_000);
  expect(cluster.network.refusals.join('\n')).toContain('replica 3 was removed from the cluster');
  cluster.kill(ONE);
  await cluster.time.advance(3_000);
  expect(await commits(cluster, 20)).toBeGreaterThan(15);
  expect(cluster.fatal).toEqual([]);
});

/** Starts replicas on empty disks: the settings of each name the first three, and itself. */
async function startNew(cluster: SimulatedCluster, ids: readonly (typeof ONE)[]): Promise<void> {
  for (const id of ids) {
    cluster.disks.set(id, blankDisk());
    await cluster.start(id, { ids: [ONE, TWO, THREE, id] });
  }
  await cluster.time.advance(1_000);
}

it('a new replica whose settings name only replicas that are gone is called by those that a plan adds it to', async () => {
  const cluster = new SimulatedCluster();
  await cluster.startAll();
  const [SIX, SEVEN] = [replicaId(6), replicaId(7)];
  await startNew(cluster, [FOUR, FIVE, SIX]);
  expect(await change(cluster, { add: [FOUR, FIVE, SIX].map(place), remove: [ONE, TWO, THREE] })).toBe(
    'NONE',
  );
  await cluster.time.advance(8_000);
  for (const id of [ONE, TWO, THREE]) cluster.kill(id);
  await startNew(cluster, [SEVEN]);
  expect(await change(cluster, { add: [place(SEVEN)] }, cluster.replicas.get(FOUR))).toBe('NONE');
  await cluster.time.advance(8_000);
  const ended = { view: { number: 2, plan: null } };
  for (const id of [FOUR, SEVEN]) expect(cluster.replicas.get(id)!.replicas()).toMatchObject(ended);
  expect(cluster.replicas.get(SEVEN)!.status().standing).toBe('voter');
});

it('a replica that was down while all whom it knew were removed comes back and votes', async () => {
  const cluster = new SimulatedCluster();
  await cluster.startAll();
  cluster.kill(THREE);
  await startNew(cluster, [FOUR, FIVE]);
  expect(await change(cluster, { add: [FOUR, FIVE].map(place) })).toBe('NONE');
  await cluster.time.advance(6_000);
  expect(await change(cluster, { remove: [ONE, TWO] })).toBe('NONE');
  await cluster.time.advance(10_000);
  for (const id of [ONE, TWO]) cluster.kill(id);
  await cluster.start(THREE);
  await cluster.time.advance(6_000);
  expect(cluster.replicas.get(THREE)!.status().standing).toBe('voter');
  cluster.kill(FOUR);
  await cluster.time.advance(3_000);
  expect(await commits(cluster, 20)).toBeGreaterThan(15);
  expect(cluster.fatal).toEqual([]);
});

it('a new replica whose links break while it learns how others decided, who are gone, goes on where it was', async () => {
  const cluster = new SimulatedCluster();
  await cluster.startAll();
  const [SIX, SEVEN, EIGHT, NINE, TEN] = [6, 7, 8, 9, 10].map(replicaId) as [typeof ONE, ...(typeof ONE)[]];
  const sets = [
    [ONE, TWO, THREE],
    [FOUR, FIVE, SIX],
    [SEVEN!, EIGHT!, NINE!],
  ];
  for (const [index, next] of sets.slice(1).entries()) {
    const before = sets[index]!;
    await startNew(cluster, next);
    await commits(cluster, 5);
    const moved = { add: next.map(place), remove: before };
    expect(await change(cluster, moved, cluster.replicas.get(before[0]!))).toBe('NONE');
    await cluster.time.advance(8_000);
    for (const id of before) cluster.kill(id);
  }
  const now = sets[2]!;
  expect(await change(cluster, { add: [place(TEN!)] }, cluster.replicas.get(now[0]!))).toBe('NONE');
  await startNew(cluster, []);
  cluster.disks.set(TEN!, blankDisk());
  const ten = await cluster.start(TEN!, { ids: [ONE, TWO, THREE, TEN!] });
  const isMidway = (): boolean =>
    ten.status().shards.some(({ configuration: { number } }) => number > 1 && number < 3);
  for (let steps = 0; steps < 200_000 && !isMidway(); steps++) await cluster.time.advance(0.05);
  expect(isMidway()).toBe(true);
  for (const id of now) cluster.network.cut(id, TEN!);
  await cluster.time.advance(1_000);
  expect(isMidway()).toBe(true);
  cluster.network.heal();
  await cluster.time.advance(12_000);
  expect(cluster.replicas.get(now[0]!)!.replicas()).toMatchObject({ view: { number: 3, plan: null } });
  expect(ten.status().standing).toBe('voter');
}, 60_000);

describe('a plan that has begun to seal', () => {
  /**
   * Replica 2, which leads shard 1, is to go, and does not reach 4 and 5, which are to come. They die once shard 0 has changed; that
   * goes on with an accept quorum, and shard 1 waits for a full one.
   */
  async function stuck(): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster();
    await cluster.startAll();
    await commits(cluster, 5);
    await startNew(cluster, [FOUR, FIVE]);
    for (const id of [FOUR, FIVE]) cluster.network.cut(TWO, id);
    const quorums = { kind: 'flexible', prepare: 3, accept: 2 } as const;
    expect(await change(cluster, { add: [FOUR, FIVE].map(place), remove: [TWO], quorums })).toBe('NONE');
    // As a leader before it would have.
    cluster.any.submitAnywhere(FACTS, { kind: 'replicas.ready', number: 1, shard: 1 }, () => undefined);
    for (let ms = 0; ms < 20_000 && planOf(cluster)?.sealed.length !== 1; ms += 10)
      await cluster.time.advance(10);
    expect(planOf(cluster)).toMatchObject({ phase: 'sealing', sealed: [0] });
    for (const id of [FOUR, FIVE]) cluster.kill(id);
    await cluster.time.advance(5_000);
    expect(planOf(cluster)).toMatchObject({ number: 1, sealed: [0] });
    const waits = [...cluster.replicas.values()].flatMap((each) => [...each.replicas().waits.values()]);
    expect(waits).toContain('no quorum of the new replicas has caught up: not replica 4, 5');
    return cluster;
  }
  const planOf = (cluster: SimulatedCluster) => cluster.any.replicas().view.plan;
  const asked = async (cluster: SimulatedCluster, wanted: ReplicaChange): Promise<void> => {
    expect(await change(cluster, wanted)).toBe('NONE');
    for (let ms = 0; ms < 30_000 && planOf(cluster) !== null; ms += 100) await cluster.time.advance(100);
    expect(planOf(cluster)).toBeNull();
    expect(cluster.fatal).toEqual([]);
  };

  it('is led back to the replicas that there were, and nothing is lost', async () => {
    const cluster = await stuck();
    await asked(cluster, { back: true });
    expect(cluster.any.replicas().view).toMatchObject({
      number: 2,
      current: { replicas: [{ id: 1 }, { id: 2 }, { id: 3 }] },
      removed: [{ id: 4 }, { id: 5 }],
    });
    await cluster.time.advance(2_000);
    expect(standings(cluster)).toEqual(
      [ONE, TWO, THREE].map((id) => ({ id, standing: 'voter', replicas: ['1,2,3', '1,2,3'] })),
    );
    expect(await commits(cluster, 20)).toBeGreaterThan(15);
    expect(offsetAt(cluster.any)).toBeGreaterThanOrEqual(20n);
  });

  it('is followed by one that leads on, and who was in either and is not in that is removed', async () => {
    const cluster = await stuck();
    await asked(cluster, { instead: true, remove: [FOUR, FIVE], quorums: { kind: 'majority' } });
    const { number, current, removed } = cluster.any.replicas().view;
    expect([number, current!.replicas.map(({ id }) => id)]).toEqual([2, [1, 3]]);
    expect(removed.map(({ id }) => id).sort()).toEqual([2, 4, 5]);
    expect(await commits(cluster, 20)).toBeGreaterThan(15);
  });

  it('has its place back when the one that was to take it is called off, and ends', async () => {
    const cluster = await stuck();
    const SIX = replicaId(6);
    expect(await change(cluster, { instead: true, add: [place(SIX)], quorums: { kind: 'majority' } })).toBe(
      'NONE',
    );
    await cluster.time.advance(3_000);
    expect(planOf(cluster)).toMatchObject({
      number: 2,
      phase: 'preparing',
      over: { number: 1, sealed: [0] },
    });
    cluster.any.submitAnywhere(FACTS, { kind: 'replicas.cancel', number: 2 }, () => undefined);
    for (const id of [FOUR, FIVE]) await cluster.start(id, { ids: [ONE, TWO, THREE, id] });
    cluster.network.heal();
    for (let ms = 0; ms < 30_000 && planOf(cluster) !== null; ms += 100) await cluster.time.advance(100);
    expect(cluster.any.replicas().view).toMatchObject({ number: 1, lastNumber: 2, plan: null });
    expect(cluster.any.replicas().view.current!.replicas.map(({ id }) => id)).toEqual([1, 3, 4, 5]);
  });

  it('is not followed by another where that cannot be, and the reason is said', async () => {
    const cluster = await stuck();
    expect(await change(cluster, { remove: [FOUR] })).toContain('in its place (--instead)');
    expect(await change(cluster, { instead: true, add: [place(replicaId(6))] })).toContain(
      'the quorums (flexible) do not fit',
    );
    cluster.kill(TWO);
    await cluster.time.advance(2_000);
    expect(await change(cluster, { back: true })).toContain(
      'replica 2 is not up with the data directory that it had before',
    );
    cluster.kill(THREE);
    await cluster.time.advance(3_000);
    expect(
      await change(cluster, { instead: true, remove: [FOUR, FIVE], quorums: { kind: 'majority' } }),
    ).toContain('no leader');
  });
});
