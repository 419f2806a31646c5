import { readFileSync } from 'node:fs';
import { cpuMicrosOf } from '../../test/harness/child.js';
import { type Address, KafkaConnection } from '../../test/harness/connection.js';
import { GroupClient } from '../../test/harness/group-client.js';
import { GroupMember } from '../../test/harness/group-member.js';
import { eventually, median, sleep } from '../../test/harness/waiting.js';
import type { LoadTarget } from '../load.js';
import type { Figure } from '../report.js';
import { afterDeadCoordinator, joinAtOnce } from './crowds.js';
import { type Job, loadOn, type Meters, type SceneContext, startCluster } from './load.js';

const TOPIC = 'bench-work';
const PARTITIONS = 256;
/** Groups that the connections share, so that all replicas coordinate some. */
const GROUPS = 24;
const MEMBERS = 100;
const HEARTBEAT_MS = 100;
const WITHIN_MS = 60_000;
/** Members of one group that join at once. */
const CROWD = 5_000;
const thousands = (count: number): string => count.toLocaleString('en-US');
const MANY_GROUPS = '10,000 members in 1,000 groups';
const TOPIC_ALREADY_EXISTS = 36;

/** One of the two systems under measurement. */
interface System {
  readonly name: string;
  readonly bootstrap: readonly Address[];
  readonly meters: Meters;
}

/** The figures of one round, by name; the last word is the unit. */
type Sample = Readonly<Record<string, number>>;

interface Comparison {
  readonly name: string;
  run(system: System, round: number): Promise<Sample>;
}

/** What Quorate should reach, as a ratio to the other system's figure. */
const TARGETS: Readonly<Record<string, NonNullable<Figure['target']>>> = {
  'commits, 64 connections: rate /s': { kind: 'at least', value: 2.5 },
  'commits, 64 connections: CPU us': { kind: 'at most', value: 1 / 3 },
  'commits, 256 connections: rate /s': { kind: 'at least', value: 1.7 },
  'commits, 256 connections: CPU us': { kind: 'at most', value: 1 / 2 },
  'commits, 256 connections: p999 ms': { kind: 'at most', value: 1 },
  'commits, one in flight: CPU us': { kind: 'at most', value: 3 / 4 },
  'heartbeats, 64 connections: rate /s': { kind: 'at least', value: 2 },
  'heartbeats, 64 connections: CPU us': { kind: 'at most', value: 1 / 3 },
  '100 members: leave to stable ms': { kind: 'at most', value: 1 },
  '100 members: join to stable ms': { kind: 'at most', value: 1 },
};

/** What Quorate should reach whatever the other system does. */
const OWN_TARGETS: Readonly<Record<string, NonNullable<Figure['target']>>> = {
  'commits, 256 connections: longest ms': { kind: 'at most', value: 100 },
  'commits, 4 connections x 16: rate /s': { kind: 'at least', value: 45_000 },
  '100 members: first join to stable ms': { kind: 'at most', value: 300 },
  [`${MANY_GROUPS}: join s`]: { kind: 'at most', value: 15 },
  [`${MANY_GROUPS}: others' refused heartbeats`]: { kind: 'at most', value: 0 },
};
/** So much longer than the other system's, which does not sync, one commit may take. In fdatasyncs. */
const SYNCS_ALLOWED = 0.7;

/** Quorate and another system side by side: both warm, in turn, medians and spread of all rounds. */
export async function benchPeers(context: SceneContext): Promise<void> {
  const { report, peer } = context;
  if (peer === undefined) throw new Error('no other system is named');
  const cluster = await startCluster();
  try {
    const { replicas } = cluster;
    const systems: readonly System[] = [
      {
        name: 'Quorate',
        bootstrap: cluster.bootstrap,
        meters: processes(replicas.map(({ child }) => child.pid)),
      },
      { name: 'peer', bootstrap: peer.bootstrap, meters: processes(peer.pids) },
    ];
    for (const { bootstrap } of systems) await createTopicAt(bootstrap, TOPIC, PARTITIONS);
    report.title(`Warm-up: ${peer.warmMinutes} minutes of commits and heartbeats on each`);
    for (const system of systems) await warm(system, peer.warmMinutes);
    report.title(
      `Quorate (fsync on all replicas) and ${addressList(peer.bootstrap)}, ${peer.rounds} rounds in turn`,
    );
    for (const comparison of COMPARISONS) await compare(context, comparison, systems, peer.rounds);
    report.title('In one round each');
    for (const comparison of ONCE) await compare(context, comparison, systems, 1);
  } finally {
    await cluster.close();
  }
  await deadCoordinator(context);
}

async function compare(
  context: SceneContext,
  comparison: Comparison,
  systems: readonly System[],
  rounds: number,
): Promise<void> {
  const samples = systems.map((): Sample[] => []);
  for (let round = 0; round < rounds; round++)
    // Each round begins with the other one.
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0])
      samples[i]!.push(await comparison.run(systems[i]!, round));
  tell(context, comparison.name, samples[0]!, samples[1]!);
}

function tell(
  { report, machine: { fdatasyncMs } }: SceneContext,
  name: string,
  ours: readonly Sample[],
  theirs: readonly Sample[],
): void {
  for (const what of Object.keys(ours[0]!)) {
    const of = (samples: readonly Sample[]): number[] => samples.map((sample) => sample[what]!);
    const label = `${name}: ${what}`;
    const short = label.slice(0, label.lastIndexOf(' '));
    const unit = what.split(' ').at(-1)!;
    report.versus({
      name: short,
      unit,
      ours: of(ours),
      theirs: of(theirs),
      target: TARGETS[label],
    });
    const own =
      label === 'commits, one in flight: p50 ms'
        ? ({ kind: 'at most', value: median(of(theirs)) + SYNCS_ALLOWED * fdatasyncMs } as const)
        : OWN_TARGETS[label];
    if (own !== undefined)
      report.add({ name: `${short}, Quorate's`, value: median(of(ours)), unit, target: own });
  }
}

const addressList = (addresses: readonly Address[]): string =>
  addresses.map(({ host, port }) => `${host}:${port}`).join(', ');

/** No ids: no CPU time, and no ratio of it. */
function processes(pids: readonly number[]): Meters {
  return {
    cpuMicros: () => (pids.length === 0 ? Number.NaN : pids.reduce((sum, pid) => sum + cpuMicrosOf(pid), 0)),
    diskBytes: () =>
      pids.reduce(
        (sum, pid) =>
          sum + Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]),
        0,
      ),
  };
}

/** Makes a topic where there is none, at whichever replica takes it. */
export async function createTopicAt(
  bootstrap: readonly Address[],
  name: string,
  numPartitions: number,
): Promise<void> {
  await eventually('the topic is there', WITHIN_MS, async () => {
    for (const address of bootstrap) {
      const connection = await KafkaConnection.open(address);
      const { topics } = await connection.request(19, 4, {
        topics: [{ name, numPartitions, replicationFactor: -1, assignments: [], configs: [] }],
        timeoutMs: 30_000,
      });
      connection.close();
      const code = topics[0]?.errorCode;
      if (code === 0 || code === TOPIC_ALREADY_EXISTS) return true;
    }
    return false;
  });
}

/** Groups without members, for commits; each with its coordinator. */
function plainGroups({ bootstrap }: System): Promise<LoadTarget[]> {
  return Promise.all(
    Array.from({ length: GROUPS }, async (_, index) => {
      const group = `bench-plain-${index}`;
      const client = new GroupClient({ bootstrap, group });
      const { address } = await eventually(`${group} has a coordinator`, WITHIN_MS, () => found(client));
      return { ...address, group, generation: -1, memberId: '' };
    }),
  );
}

const found = (client: GroupClient): ReturnType<GroupClient['find']> | Promise<undefined> =>
  client.find().catch(() => undefined) as ReturnType<GroupClient['find']>;

/** Groups of one member, for heartbeats. `end` has them leave. */
async function groupsOfOne(
  { bootstrap }: System,
  run: string,
): Promise<{ readonly targets: readonly LoadTarget[]; readonly end: () => Promise<void> }> {
  const members = Array.from({ length: GROUPS }, (_, index) => {
    const group = `bench-one-${run}-${index}`;
    return new GroupMember({
      bootstrap,
      group,
      topic: TOPIC,
      partitions: PARTITIONS,
      sessionTimeoutMs: 30_000,
      heartbeatMs: 1_000,
      requestTimeoutMs: 10_000,
    });
  });
  await Promise.all(members.map((member) => member.start()));
  const targets = await Promise.all(
    members.map(async ({ client, generation, memberId }) => {
      const { address } = await client.find();
      return { ...address, group: client.group, generation, memberId };
    }),
  );
  return { targets, end: async () => void (await Promise.all(members.map((member) => member.leave()))) };
}

const job = (kind: Job['kind'], targets: readonly LoadTarget[], connections: number, depth: number): Job => ({
  kind,
  targets,
  topic: TOPIC,
  partitions: PARTITIONS,
  connections,
  depth,
});

async function warm(system: System, minutes: number): Promise<void> {
  if (minutes === 0) return;
  const half = (minutes * 60_000) / 2;
  const load = (kind: Job['kind'], targets: readonly LoadTarget[]): Promise<unknown> =>
    loadOn(system.meters, { ...job(kind, targets, 64, 1), warmUpMs: half / 2, measureMs: half / 2 }, false);
  await load('commit', await plainGroups(system));
  const { targets, end } = await groupsOfOne(system, 'warm');
  await load('heartbeat', targets);
  await end();
}

const commits = (name: string, connections: number, depth: number): Comparison => ({
  name: `commits, ${name}`,
  run: async (system) => {
    const { perSecond, p50Ms, p999Ms, maxMs, serverMicros, errors } = await loadOn(
      system.meters,
      job('commit', await plainGroups(system), connections, depth),
      false,
    );
    return {
      'rate /s': perSecond,
      'CPU us': serverMicros,
      'p50 ms': p50Ms,
      'p999 ms': p999Ms,
      'longest ms': maxMs,
      'refused answers': errors,
    };
  },
});

const heartbeats: Comparison = {
  name: 'heartbeats, 64 connections',
  run: async (system, round) => {
    const { targets, end } = await groupsOfOne(system, String(round));
    const { perSecond, serverMicros, errors } = await loadOn(
      system.meters,
      job('heartbeat', targets, 64, 1),
      false,
    );
    await end();
    return { 'rate /s': perSecond, 'CPU us': serverMicros, 'refused answers': errors };
  },
};

const members: Comparison = {
  name: `${MEMBERS} members`,
  run: async ({ bootstrap }, round) => {
    const join = (): GroupMember =>
      new GroupMember({
        bootstrap,
        group: `bench-members-${round}`,
        topic: TOPIC,
        partitions: PARTITIONS,
        heartbeatMs: HEARTBEAT_MS,
        sessionTimeoutMs: 30_000,
        requestTimeoutMs: 10_000,
      });
    const group = Array.from({ length: MEMBERS }, join);
    const began = performance.now();
    await Promise.all(group.map((member) => member.start()));
    const first = await stableAfter(group, 0);
    // At a moment that has nothing to do with the heartbeats, which all began together.
    await sleep(1_000 + Math.random() * HEARTBEAT_MS);
    const leaver = group.pop()!;
    const { generation } = leaver;
    const left = performance.now();
    await leaver.leave();
    const afterLeave = (await stableAfter(group, generation)) - left;
    await sleep(1_000 + Math.random() * HEARTBEAT_MS);
    const before = group[0]!.generation;
    const comer = join();
    const came = performance.now();
    await comer.start();
    group.push(comer);
    const afterJoin = (await stableAfter(group, before)) - came;
    await Promise.all(group.map((member) => member.leave()));
    return {
      'first join to stable ms': first - began,
      'leave to stable ms': afterLeave,
      'join to stable ms': afterJoin,
    };
  },
};

/** All in one generation that is newer. When the last of them had its share. */
async function stableAfter(group: readonly GroupMember[], generation: number): Promise<number> {
  await eventually(
    'all members have the next generation',
    WITHIN_MS,
    () =>
      group.every(
        (member) =>
          member.isStable && member.generation > generation && member.generation === group[0]!.generation,
      ),
    5,
  );
  return Math.max(...group.map(({ stableAt }) => stableAt));
}

const joins = (name: string, groups: number, membersEach: number): Comparison => ({
  name,
  run: async ({ bootstrap }) => {
    const { tookMs, heartbeatsP99Ms, refused } = await joinAtOnce(bootstrap, TOPIC, groups, membersEach);
    return {
      'join s': tookMs / 1_000,
      "others' heartbeats p99 ms": heartbeatsP99Ms,
      "others' refused heartbeats": refused,
    };
  },
});

/** Of a cluster of its own, as one replica dies. Nobody kills a replica of the other system. */
async function deadCoordinator({ report }: SceneContext): Promise<void> {
  const cluster = await startCluster();
  try {
    await createTopicAt(cluster.bootstrap, TOPIC, PARTITIONS);
    const { tookMs, heartbeatsP99Ms } = await afterDeadCoordinator(cluster, TOPIC, CROWD);
    const name = `${thousands(CROWD)} members of one group, their coordinator dies`;
    report.add({
      name: `${name}: to stable, Quorate's`,
      value: tookMs / 1_000,
      unit: 's',
      target: { kind: 'at most', value: 10 },
    });
    report.add({
      name: `${name}: others' heartbeats p99, Quorate's`,
      value: heartbeatsP99Ms,
      unit: 'ms',
      target: { kind: 'at most', value: 50 },
    });
  } finally {
    await cluster.close();
  }
}

const COMPARISONS: readonly Comparison[] = [
  commits('64 connections', 64, 1),
  commits('256 connections', 256, 1),
  commits('one in flight', 1, 1),
  commits('4 connections x 16', 4, 16),
  heartbeats,
  members,
];
/** In one round: they take minutes. */
const ONCE: readonly Comparison[] = [
  joins(MANY_GROUPS, 1_000, 10),
  joins(`${thousands(CROWD)} members of one group`, 1, CROWD),
];
