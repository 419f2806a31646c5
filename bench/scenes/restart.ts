import { readdirSync } from 'node:fs';
import type { Cluster } from '../../test/harness/cluster.js';
import { median } from '../../test/harness/waiting.js';
import type { Report } from '../report.js';
import { type SceneContext, startCluster } from './load.js';
import { commitMany, connectionTo, createTopics, groupOf } from './many-offsets.js';

const ROUNDS = 5;
/** 1,000,000 offsets. */
const GROUPS = 100;
const TOPICS = 10;
const TARGET_MS = 2_000;

interface Restart {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** How long a replica takes from its start to the moment at which clients are let in, with an empty state and with a large one. */
export async function benchRestart({ report }: SceneContext): Promise<void> {
  report.title(
    `Restart of a replica: start of the process to ready, and its CPU time until then, medians of ${ROUNDS}`,
  );
  const cluster = await startCluster();
  try {
    await measured(cluster, report, 'empty');
    const connection = await connectionTo(cluster, groupOf(0));
    await createTopics(connection, TOPICS);
    connection.close();
    for (let from = 0; snapshots(cluster) === 0; from++)
      await commitMany(cluster, { groups: GROUPS, topics: TOPICS, from });
    await measured(cluster, report, '1,000,000 offsets', TARGET_MS);
  } catch (error) {
    cluster.printLogs();
    throw error;
  } finally {
    await cluster.close();
  }
}

const snapshots = (cluster: Cluster): number =>
  readdirSync(cluster.replica(1).dataDir).filter((name) => /^snapshot-\d+-\d+$/.test(name)).length;

async function measured(cluster: Cluster, report: Report, what: string, targetMs?: number): Promise<void> {
  const all: Restart[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    await cluster.kill(1);
    all.push(await restarted(cluster));
  }
  report.add({
    name: `${what}: ready`,
    ...{ value: median(all.map(({ wallMs }) => wallMs)), unit: 'ms' },
    ...(targetMs !== undefined && { target: { kind: 'at most', value: targetMs } }),
  });
  report.add({ name: `${what}: CPU`, value: median(all.map(({ cpuMs }) => cpuMs)), unit: 'ms' });
}

async function restarted(cluster: Cluster): Promise<Restart> {
  const from = performance.now();
  cluster.restart(1);
  await cluster.ready(1);
  return { wallMs: performance.now() - from, cpuMs: cluster.replica(1).child.cpuMicros() / 1_000 };
}
