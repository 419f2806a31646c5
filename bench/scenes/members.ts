import type { Cluster } from '../../test/harness/cluster.js';
import { GroupMember } from '../../test/harness/group-member.js';
import { eventually, median, sleep } from '../../test/harness/waiting.js';
import { type SceneContext, startCluster } from './load.js';

const TOPIC = 'work';
const MEMBERS = 100;
const HEARTBEAT_MS = 100;
const LEAVES = 9;

/** A group of 100 members of the classic protocol, each on a connection of its own. */
export async function benchMembers({ report }: SceneContext): Promise<void> {
  report.title(`A classic group of ${MEMBERS} members, heartbeats every ${HEARTBEAT_MS} ms`);
  const cluster = await startCluster();
  try {
    await cluster.createTopic(TOPIC, MEMBERS * 2);
    const group = 'bench-members';
    await cluster.settled(group);
    const members = Array.from(
      { length: MEMBERS },
      () =>
        new GroupMember({
          bootstrap: cluster.bootstrap,
          group,
          topic: TOPIC,
          partitions: MEMBERS * 2,
          heartbeatMs: HEARTBEAT_MS,
          sessionTimeoutMs: 30_000,
        }),
    );
    const joined = performance.now();
    await Promise.all(members.map((member) => member.start()));
    await allStable(members, 2);
    report.add({
      name: 'first join to stable',
      value: Math.max(...members.map(({ stableAt }) => stableAt)) - joined,
      unit: 'ms',
      target: { kind: 'at most', value: 1_000 },
    });
    const took: number[] = [];
    for (let round = 0; round < LEAVES; round++) {
      // At a moment that has nothing to do with the heartbeats, which all began together.
      await sleep(300 + Math.random() * HEARTBEAT_MS);
      took.push(await leave(members));
    }
    report.add({
      name: `leave to stable, median of ${LEAVES}`,
      value: median(took),
      unit: 'ms',
      target: { kind: 'at most', value: 120 },
    });
    report.add({ name: `leave to stable, worst of ${LEAVES}`, value: Math.max(...took), unit: 'ms' });
    const { stopMs, alignMs } = await lastRebalance(cluster, group);
    report.add({ name: 'the last one: until the last member had stopped', value: stopMs, unit: 'ms' });
    report.add({ name: 'the last one: until the assignment was there', value: alignMs, unit: 'ms' });
    await Promise.all(members.map((member) => member.abandon()));
  } finally {
    await cluster.close();
  }
}

/** One leaves. Milliseconds until each of the others has its share of the next epoch. */
async function leave(members: GroupMember[]): Promise<number> {
  const leaver = members.pop()!;
  const { generation } = leaver;
  const left = performance.now();
  await leaver.leave();
  await eventually(
    'everybody has the next epoch',
    20_000,
    () => members.every((member) => member.isStable && member.generation > generation),
    5,
  );
  return Math.max(...members.map(({ stableAt }) => stableAt)) - left;
}

async function lastRebalance(cluster: Cluster, group: string): Promise<{ stopMs: number; alignMs: number }> {
  const leader = cluster.replica(await cluster.leaderOf(group));
  const { rebalances } = (await (await fetch(`${leader.http}/groups/${group}/rebalances`)).json()) as {
    rebalances: readonly { stopMs: number; alignMs: number }[];
  };
  return rebalances.at(-1)!;
}

/** All in the same epoch, with their share. */
async function allStable(members: readonly GroupMember[], share: number): Promise<void> {
  await eventually('all are stable', 30_000, () =>
    members.every(
      (member) =>
        member.isStable && member.partitions.length === share && member.generation === members[0]!.generation,
    ),
  );
}
