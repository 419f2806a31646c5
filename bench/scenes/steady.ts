import { Child } from '../../test/harness/child.js';
import type { Cluster } from '../../test/harness/cluster.js';
import { GroupMember } from '../../test/harness/group-member.js';
import type { LoadTarget } from '../load.js';
import { loadOn, metersOf, type SceneContext, startCluster } from './load.js';

const TOPIC = 'work';
const PARTITIONS = 256;
const GROUPS = 24;
const CONNECTIONS = 256;
const SESSION_MS = 30_000;
const HEARTBEAT_MS = 3_000;
const JOINING_AT_ONCE = 50;
const BURNERS = 2;
const MEBIBYTE = 1_024 * 1_024;
/** Of the curve of memory. Milliseconds. */
const SAMPLE_MS = 10_000;
const POINTS = 10;

/**
 * Commits at full speed while two other processes keep the cores busy and a thousand groups rest: nobody loses what they
 * lead, no member loses its session, and the memory of the replicas does not grow.
 */
export async function benchSteady({ report, steady: { minutes, idleGroups } }: SceneContext): Promise<void> {
  report.title(
    `${CONNECTIONS} connections commit for ${minutes} min beside ${BURNERS} busy processes and ${idleGroups} idle groups`,
  );
  const cluster = await startCluster();
  const burners: Child[] = [];
  try {
    await cluster.createTopic(TOPIC, PARTITIONS);
    const targets = await Promise.all(
      Array.from({ length: GROUPS }, (_, i) => targetOf(cluster, `busy-${i}`)),
    );
    const members = await idleMembers(cluster, idleGroups);
    const epochs = members.map(({ generation, memberId }) => `${memberId} in ${generation}`);
    const before = changesOfLeader(cluster);
    for (let i = 0; i < BURNERS; i++)
      burners.push(new Child(`burner ${i}`, process.execPath, ['-e', 'for (;;);']));
    const curve: number[] = [];
    const sampling = setInterval(() => curve.push(largest(cluster)), SAMPLE_MS);
    const { perSecond, p999Ms, maxMs, errors } = await loadOn(
      metersOf(cluster),
      {
        ...{
          kind: 'commit',
          targets,
          topic: TOPIC,
          partitions: PARTITIONS,
          connections: CONNECTIONS,
          depth: 1,
        },
        measureMs: minutes * 60_000,
      },
      false,
    );
    clearInterval(sampling);
    curve.push(largest(cluster));
    const changes = changesOfLeader(cluster) - before;
    const moved = members.filter(
      ({ generation, memberId, failure }, i) =>
        failure !== null || epochs[i] !== `${memberId} in ${generation}`,
    ).length;
    report.add({ name: 'commits', value: perSecond, unit: '/s' });
    report.add({ name: 'p999', value: p999Ms, unit: 'ms' });
    report.add({ name: 'longest', value: maxMs, unit: 'ms' });
    const none = { kind: 'at most', value: 0 } as const;
    report.add({ name: 'lines about a change of leader', value: changes, unit: '', target: none });
    report.add({ name: 'refused commits (NOT_COORDINATOR ...)', value: errors, unit: '', target: none });
    report.add({ name: 'idle members that lost their session', value: moved, unit: '', target: none });
    for (const [minute, mebibytes] of points(curve, minutes))
      report.add({
        name: `memory of the largest replica after ${minute.toFixed(1)} min`,
        value: mebibytes,
        unit: 'MiB',
      });
    report.add({
      name: 'memory of the largest replica, the most',
      value: Math.max(...curve),
      unit: 'MiB',
      target: { kind: 'at most', value: 220 },
    });
    await Promise.all(members.map((member) => member.abandon()));
  } finally {
    for (const burner of burners) burner.signal('SIGKILL');
    await cluster.close();
  }
}

async function targetOf(cluster: Cluster, group: string): Promise<LoadTarget> {
  const { kafka } = cluster.replica(await cluster.settled(group));
  return { ...kafka, group, generation: -1, memberId: '' };
}

/** A member each. */
async function idleMembers(cluster: Cluster, groups: number): Promise<readonly GroupMember[]> {
  const members = Array.from(
    { length: groups },
    (_, i) =>
      new GroupMember({
        bootstrap: cluster.bootstrap,
        group: `idle-${i}`,
        topic: TOPIC,
        partitions: PARTITIONS,
        sessionTimeoutMs: SESSION_MS,
        heartbeatMs: HEARTBEAT_MS,
        requestTimeoutMs: SESSION_MS,
      }),
  );
  for (let at = 0; at < groups; at += JOINING_AT_ONCE)
    await Promise.all(members.slice(at, at + JOINING_AT_ONCE).map((member) => member.start()));
  return members;
}

const largest = (cluster: Cluster): number =>
  Math.max(...cluster.replicas.map(({ child }) => child.rssBytes())) / MEBIBYTE;

const changesOfLeader = ({ replicas }: Cluster): number =>
  replicas.flatMap(({ child }) => child.lines.filter((line) => /leads (no )?shard/.test(line))).length;

/** Some of the curve, evenly spread, with the minute of each. */
function points(curve: readonly number[], minutes: number): readonly (readonly [number, number])[] {
  const step = Math.max(1, Math.ceil(curve.length / POINTS));
  return curve.flatMap((value, i) =>
    i % step === 0 || i === curve.length - 1 ? [[((i + 1) / curve.length) * minutes, value] as const] : [],
  );
}
