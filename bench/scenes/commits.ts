import { GroupMember } from '../../test/harness/group-member.js';
import { load, type SceneContext, startCluster } from './load.js';

const TOPIC = 'work';
const PARTITIONS = 256;
/** Standalone commits, as of a client that assigns its partitions itself. */
const NO_MEMBER = { generation: -1, memberId: '' };

/** Commits of one group, so of one shard: its leader and its followers write each commit to disk before it is answered. */
export async function benchCommits({ report, machine }: SceneContext): Promise<void> {
  report.title('Durable commits: 3 replicas, fsync on all of them');
  const cluster = await startCluster();
  try {
    await cluster.createTopic(TOPIC, PARTITIONS);
    const group = 'bench-commits';
    const { kafka } = cluster.replica(await cluster.settled(group));
    const job = {
      targets: [{ ...kafka, group, ...NO_MEMBER }],
      kind: 'commit',
      topic: TOPIC,
      partitions: PARTITIONS,
    } as const;
    for (const connections of [1, 64, 256]) {
      const { perSecond, p50Ms, p99Ms, serverMicros } = await load(cluster, {
        ...job,
        connections,
        depth: 1,
      });
      const name = `${connections} connection${connections === 1 ? '' : 's'}, one in flight`;
      report.add({
        name: `${name}: rate`,
        value: perSecond,
        unit: '/s',
        ...(connections === 64 && {
          target: { kind: 'at least', value: 2.5 * machine.fdatasyncsPerSecond } as const,
        }),
      });
      report.add({
        name: `${name}: p50`,
        value: p50Ms,
        unit: 'ms',
        ...(connections === 1 && {
          target: { kind: 'at most', value: 4 * (machine.fdatasyncMs + 2 * machine.loopbackMs) } as const,
        }),
      });
      report.add({ name: `${name}: p99`, value: p99Ms, unit: 'ms' });
      report.add({
        name: `${name}: CPU of all replicas`,
        value: serverMicros,
        unit: 'us/commit',
        ...(connections === 64 && { target: { kind: 'at most', value: 100 } as const }),
      });
    }
    const { perSecond, p50Ms, p99Ms, serverMicros } = await load(cluster, {
      ...job,
      connections: 4,
      depth: 16,
    });
    report.add({
      name: '4 connections x 16 in flight: rate',
      value: perSecond,
      unit: '/s',
      target: { kind: 'at least', value: 6 * machine.fdatasyncsPerSecond },
    });
    report.add({ name: '4 connections x 16 in flight: p50', value: p50Ms, unit: 'ms' });
    report.add({ name: '4 connections x 16 in flight: p99', value: p99Ms, unit: 'ms' });
    report.add({ name: '4 connections x 16 in flight: CPU', value: serverMicros, unit: 'us/commit' });
  } finally {
    await cluster.close();
  }
}

export async function benchHeartbeats({ report }: SceneContext): Promise<void> {
  report.title('Heartbeats: one leader');
  const cluster = await startCluster();
  try {
    await cluster.createTopic(TOPIC, PARTITIONS);
    const group = 'bench-heartbeats';
    const { bootstrap } = cluster;
    const member = new GroupMember({
      bootstrap,
      group,
      topic: TOPIC,
      partitions: PARTITIONS,
      sessionTimeoutMs: 60_000,
    });
    await member.start();
    const { kafka } = cluster.replica(await cluster.settled(group));
    const { generation, memberId } = member;
    const job = {
      targets: [{ ...kafka, group, generation, memberId }],
      kind: 'heartbeat',
      topic: TOPIC,
      partitions: 1,
    } as const;
    for (const { name, connections, depth } of [
      { name: '64 connections', connections: 64, depth: 1 },
      { name: '4 connections x 64 in flight', connections: 4, depth: 64 },
    ]) {
      const { perSecond, p50Ms, serverMicros, diskBytes } = await load(cluster, {
        ...job,
        connections,
        depth,
      });
      report.add({
        name: `${name}: rate`,
        value: perSecond,
        unit: '/s',
        ...(depth > 1 && { target: { kind: 'at least', value: 100_000 } as const }),
      });
      report.add({ name: `${name}: p50`, value: p50Ms, unit: 'ms' });
      report.add({
        name: `${name}: CPU of all replicas`,
        value: serverMicros,
        unit: 'us/beat',
        ...(depth === 1 && { target: { kind: 'at most', value: 25 } as const }),
      });
      report.add({
        name: `${name}: written to disk`,
        value: diskBytes,
        unit: 'bytes',
        target: { kind: 'at most', value: 0 },
      });
    }
    await member.leave();
  } finally {
    await cluster.close();
  }
}
