import type { Cluster } from '../../test/harness/cluster.js';
import { type Address, KafkaConnection } from '../../test/harness/connection.js';
import { Crowd } from '../../test/harness/crowd.js';
import { GroupClient } from '../../test/harness/group-client.js';
import { GroupMember } from '../../test/harness/group-member.js';
import { eventually, sleep } from '../../test/harness/waiting.js';

const WITHIN_MS = 180_000;
const PROBE_EVERY_MS = 20;
const PARTITIONS = 8;

/** How long the heartbeats took, and how many answers were an error. */
interface Probed {
  readonly p99Ms: number;
  readonly refused: number;
}

/** A member of another group at one replica: how long its heartbeats take. */
export class Probe {
  readonly #member: GroupMember;
  readonly #latencies: number[] = [];
  #refused = 0;
  #running = true;
  readonly #loop: Promise<void>;

  private constructor(member: GroupMember, connection: KafkaConnection, group: string) {
    this.#member = member;
    // A connection that ends is an answer that never came.
    this.#loop = this.#run(connection, group).catch(() => void this.#refused++);
  }
  static async start(bootstrap: readonly Address[], topic: string, group: string): Promise<Probe> {
    const member = new GroupMember({ bootstrap, group, topic, partitions: PARTITIONS });
    await member.start();
    const { address } = await member.client.find();
    return new Probe(member, await KafkaConnection.open(address), group);
  }
  async #run(connection: KafkaConnection, group: string): Promise<void> {
    while (this.#running) {
      const { generation: generationId, memberId } = this.#member;
      const asked = performance.now();
      const { errorCode } = await connection.request(12, 3, { groupId: group, generationId, memberId });
      this.#latencies.push(performance.now() - asked);
      if (errorCode !== 0) this.#refused++;
      await sleep(PROBE_EVERY_MS);
    }
    connection.close();
  }
  async stop(): Promise<Probed> {
    this.#running = false;
    await this.#loop;
    await this.#member.abandon();
    const sorted = this.#latencies.sort((a, b) => a - b);
    return { p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN, refused: this.#refused };
  }
}

const textOf = ({ host, port }: Address): string => `${host}:${port}`;

/** One at each replica. */
async function probesAt(bootstrap: readonly Address[], topic: string): Promise<readonly Probe[]> {
  const groups = new Map<string, string>();
  for (let i = 0; groups.size < bootstrap.length; i++) {
    const group = `probe-${i}-${Date.now()}`;
    const client = new GroupClient({ bootstrap, group });
    const { address } = await eventually(`${group} has a coordinator`, WITHIN_MS, () =>
      client.find().catch(() => undefined),
    );
    const isAsked = bootstrap.some((each) => textOf(each) === textOf(address));
    if (isAsked && !groups.has(textOf(address))) groups.set(textOf(address), group);
  }
  return Promise.all([...groups.values()].map((group) => Probe.start(bootstrap, topic, group)));
}

interface Joined {
  readonly tookMs: number;
  /** Of the slowest replica. */
  readonly heartbeatsP99Ms: number;
  /** Heartbeats of the others that were answered with an error. */
  readonly refused: number;
}

/** Groups whose members all join at once, each on a connection of its own. Infinity when they are not done in three minutes. */
export async function joinAtOnce(
  bootstrap: readonly Address[],
  topic: string,
  groups: number,
  membersEach: number,
): Promise<Joined> {
  const probes = await probesAt(bootstrap, topic);
  const run = Date.now();
  const crowds = Array.from(
    { length: groups },
    (_, i) => new Crowd({ bootstrap, group: `crowd-${run}-${i}`, topic, members: membersEach }),
  );
  const began = performance.now();
  for (const crowd of crowds) crowd.begin();
  const done = await eventually(
    'all members are stable',
    WITHIN_MS,
    () => crowds.every(({ stable }) => stable === membersEach),
    50,
  ).catch(() => false);
  const tookMs = done ? performance.now() - began : Infinity;
  const probed = await Promise.all(probes.map((probe) => probe.stop()));
  await Promise.all(crowds.map((crowd) => crowd.close()));
  return {
    tookMs,
    heartbeatsP99Ms: Math.max(...probed.map(({ p99Ms }) => p99Ms)),
    refused: probed.reduce((sum, { refused }) => sum + refused, 0),
  };
}

/** A name whose coordinator is `replica`, or the first one that is tried. */
export async function groupOn(cluster: Cluster, name: string, replica?: number): Promise<string> {
  for (let i = 0; ; i++) {
    const group = `${name}-${i}`;
    const coordinator = await cluster.settled(group);
    if (replica === undefined || coordinator === replica) return group;
  }
}

/**
 * Members of one group whose coordinator is killed: until all are stable at another one, and the heartbeats of other groups there
 * meanwhile. Infinity when the group is not formed, or not stable again, within three minutes.
 */
export async function afterDeadCoordinator(
  cluster: Cluster,
  topic: string,
  members: number,
): Promise<{ readonly tookMs: number; readonly heartbeatsP99Ms: number }> {
  const group = await groupOn(cluster, 'crowd');
  const coordinator = await cluster.settled(group);
  const bootstrap = cluster.replicas.filter(({ id }) => id !== coordinator).map(({ kafka }) => kafka);
  const crowd = new Crowd({ bootstrap, group, topic, members });
  const formed = await crowd.form(WITHIN_MS).catch(() => undefined);
  if (formed === undefined) {
    await crowd.close();
    return { tookMs: Infinity, heartbeatsP99Ms: Number.NaN };
  }
  const probes = await probesAt(bootstrap, topic);
  await cluster.kill(coordinator);
  const killed = performance.now();
  crowd.rejoin();
  const tookMs = await crowd.settled(killed, WITHIN_MS).catch(() => Infinity);
  const probed = await Promise.all(probes.map((probe) => probe.stop()));
  await crowd.close();
  return { tookMs, heartbeatsP99Ms: Math.max(...probed.map(({ p99Ms }) => p99Ms)) };
}
