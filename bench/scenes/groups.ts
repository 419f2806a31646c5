import type { Cluster } from '../../test/harness/cluster.js';
import type { Address } from '../../test/harness/connection.js';
import { Crowd } from '../../test/harness/crowd.js';
import { type SceneContext, startCluster } from './load.js';
import { afterDeadCoordinator, groupOn, Probe } from './crowds.js';
import { createTopicAt } from './peers.js';

const TOPIC = 'work';
const SIZES = [5_000, 10_000] as const;
const REJOINING = 1_000;
const WITHIN_MS = 180_000;

/** One group of thousands of members, each on a connection of its own: from nothing to stable, and after a dead coordinator. */
export async function benchGroups({ report, peer }: SceneContext): Promise<void> {
  for (const members of SIZES) {
    report.title(`${members} members of one group, from nothing to stable`);
    const theirs = peer === undefined ? undefined : await formAt(peer.bootstrap, members);
    if (theirs !== undefined)
      report.add({ name: 'first join to stable, at the other system', value: theirs, unit: 'ms' });
    await withCluster(async (cluster) => {
      const group = await groupOn(cluster, 'crowd');
      const other = await groupOn(cluster, 'other', await cluster.settled(group));
      const probe = await Probe.start(cluster.bootstrap, TOPIC, other);
      const before = leads(cluster);
      const crowd = new Crowd({ bootstrap: cluster.bootstrap, group, topic: TOPIC, members });
      const tookMs = await crowd.form(WITHIN_MS).catch(never);
      const heartbeats = await probe.stop();
      const elections = leads(cluster) - before;
      await crowd.close();
      report.add({
        name: 'first join to stable',
        value: tookMs,
        unit: 'ms',
        ...(theirs === undefined ? {} : { target: { kind: 'at most', value: theirs } }),
      });
      const refused = [...crowd.errors.values()].reduce((sum, times) => sum + times, 0);
      report.add({ name: 'requests of members that were refused', value: refused, unit: '' });
      report.add({
        name: 'lines of replicas about a change of leader',
        value: elections,
        unit: '',
        target: { kind: 'at most', value: 0 },
      });
      report.add({
        name: 'heartbeats of another group at that replica, p99',
        value: heartbeats.p99Ms,
        unit: 'ms',
        target: { kind: 'at most', value: 50 },
      });
    });
  }
  report.title(`${REJOINING} members that join again after their coordinator died`);
  await withCluster(async (cluster) => {
    const { tookMs } = await afterDeadCoordinator(cluster, TOPIC, REJOINING);
    report.add({
      name: 'kill to all stable again',
      value: tookMs,
      unit: 'ms',
      target: { kind: 'at most', value: 3_000 },
    });
  });
}

/** Not within the time that is waited. */
const never = (): number => Infinity;

/** At another system that speaks Kafka's protocol. Milliseconds. */
async function formAt(bootstrap: readonly Address[], members: number): Promise<number> {
  await createTopicAt(bootstrap, TOPIC, 8);
  const crowd = new Crowd({ bootstrap, group: `crowd-${members}-${Date.now()}`, topic: TOPIC, members });
  try {
    return await crowd.form(WITHIN_MS).catch(never);
  } finally {
    await crowd.close();
  }
}

async function withCluster(run: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await startCluster();
  try {
    await cluster.createTopic(TOPIC, 8);
    await run(cluster);
  } finally {
    await cluster.close();
  }
}

const leads = (cluster: Cluster): number =>
  cluster.replicas.flatMap(({ child }) => child.lines.filter((line) => /leads (no )?shard/.test(line)))
    .length;
