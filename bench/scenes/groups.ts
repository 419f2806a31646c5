import type { Cluster } from '../../test/harness/cluster.js';
import { type Address, KafkaConnection } from '../../test/harness/connection.js';
import { Crowd } from '../../test/harness/crowd.js';
import { GroupMember } from '../../test/harness/group-member.js';
import { sleep } from '../../test/harness/waiting.js';
import { type SceneContext, startCluster } from './load.js';
import { createTopicAt } from './peers.js';

const TOPIC = 'work';
const SIZES = [5_000, 10_000] as const;
const REJOINING = 1_000;
const WITHIN_MS = 180_000;
const PROBE_EVERY_MS = 20;

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
      const probe = await Probe.start(cluster, other);
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
    const group = await groupOn(cluster, 'crowd');
    const coordinator = await cluster.settled(group);
    const bootstrap = cluster.replicas.filter(({ id }) => id !== coordinator).map(({ kafka }) => kafka);
    const crowd = new Crowd({ bootstrap, group, topic: TOPIC, members: REJOINING });
    await crowd.form(WITHIN_MS);
    await cluster.kill(coordinator);
    const killed = performance.now();
    crowd.rejoin();
    const tookMs = await crowd.settled(killed, WITHIN_MS).catch(never);
    await crowd.close();
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

/** A name whose coordinator is `replica`, or the first one that is tried. */
async function groupOn(cluster: Cluster, name: string, replica?: number): Promise<string> {
  for (let i = 0; ; i++) {
    const group = `${name}-${i}`;
    const coordinator = await cluster.settled(group);
    if (replica === undefined || coordinator === replica) return group;
  }
}

const leads = (cluster: Cluster): number =>
  cluster.replicas.flatMap(({ child }) => child.lines.filter((line) => /leads (no )?shard/.test(line)))
    .length;

/** A member of another group: how long its heartbeats take. */
class Probe {
  readonly #member: GroupMember;
  readonly #latencies: number[] = [];
  #running = true;
  readonly #loop: Promise<void>;

  private constructor(member: GroupMember, connection: KafkaConnection, group: string) {
    this.#member = member;
    this.#loop = this.#run(connection, group);
  }
  static async start(cluster: Cluster, group: string): Promise<Probe> {
    const member = new GroupMember({ bootstrap: cluster.bootstrap, group, topic: TOPIC, partitions: 8 });
    await member.start();
    const { address } = await member.client.find();
    return new Probe(member, await KafkaConnection.open(address), group);
  }
  async #run(connection: KafkaConnection, group: string): Promise<void> {
    while (this.#running) {
      const { generation: generationId, memberId } = this.#member;
      const asked = performance.now();
      await connection.request(12, 3, { groupId: group, generationId, memberId });
      this.#latencies.push(performance.now() - asked);
      await sleep(PROBE_EVERY_MS);
    }
    connection.close();
  }
  async stop(): Promise<{ readonly p99Ms: number }> {
    this.#running = false;
    await this.#loop;
    await this.#member.abandon();
    const sorted = this.#latencies.sort((a, b) => a - b);
    return { p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN };
  }
}
