import type { Cluster } from '../../test/harness/cluster.js';
import { type Address, KafkaConnection } from '../../test/harness/connection.js';
import { encodeSubscription } from '../../test/harness/consumer-protocol.js';
import { eventually, sleep } from '../../test/harness/waiting.js';
import { reportHeld } from './held.js';
import { type SceneContext, startCluster } from './load.js';
import { commitMany, connectionTo, createTopics, groupOf, OFFSETS_PER_TOPIC } from './many-offsets.js';

const MEMBERS = 10_000;
const MEMBERS_PER_GROUP = 100;
const OFFSETS = 1_000_000;
const FETCHES = 10_000;
const MEBIBYTE = 1_024 * 1_024;
const TOPIC = 'work';

/** Resident memory of replicas that hold much; each figure on a cluster of its own. */
export async function benchMemory(context: SceneContext): Promise<void> {
  context.report.title('Memory of a replica, resident');
  await memoryOfMembers(context);
  await memoryOfOffsets(context);
  await memoryOfParkedFetches(context);
}

async function withCluster(scene: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await startCluster();
  try {
    await scene(cluster);
  } catch (error) {
    cluster.printLogs();
    throw error;
  } finally {
    await cluster.close();
  }
}

const largest = (cluster: Cluster): number =>
  Math.max(...cluster.replicas.map(({ child }) => child.rssBytes())) / MEBIBYTE;

async function memoryOfMembers({ report }: SceneContext): Promise<void> {
  await withCluster(async (cluster) => {
    report.add({ name: 'empty', value: largest(cluster), unit: 'MiB' });
    const groups = Array.from({ length: MEMBERS / MEMBERS_PER_GROUP }, (_, i) => `bench-${i}`);
    for (const group of groups) await joinMany(cluster, group);
    await sleep(1_000);
    report.add({ name: `${MEMBERS} members`, value: largest(cluster), unit: 'MiB' });
    await reportHeld(cluster, report, `${MEMBERS} members`);
  });
}

/** A group's members on one connection each: a parked JoinGroup holds up what comes after it. */
async function joinMany(cluster: Cluster, groupId: string): Promise<void> {
  const { kafka } = cluster.replica(await cluster.settled(groupId));
  const joined = await Promise.all(
    Array.from({ length: MEMBERS_PER_GROUP }, async () => {
      const connection = await KafkaConnection.open(kafka);
      const answer = await connection.request(11, 3, {
        groupId,
        sessionTimeoutMs: 300_000,
        rebalanceTimeoutMs: 60_000,
        memberId: '',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: encodeSubscription([TOPIC]) }],
      });
      connection.close();
      return answer.errorCode;
    }),
  );
  const refused = joined.filter((code) => code !== 0);
  if (refused.length > 0)
    throw new Error(`${refused.length} joins of ${groupId} were refused with ${refused[0]}`);
}

async function memoryOfOffsets({ report }: SceneContext): Promise<void> {
  await withCluster(async (cluster) => {
    const topics = OFFSETS / OFFSETS_PER_TOPIC;
    const connection = await connectionTo(cluster, groupOf(0));
    await createTopics(connection, topics);
    connection.close();
    await commitMany(cluster, { groups: 1, topics, from: 0 });
    await sleep(2_000);
    report.add({ name: `${OFFSETS.toLocaleString('en-US')} offsets`, value: largest(cluster), unit: 'MiB' });
    await reportHeld(cluster, report, `${OFFSETS.toLocaleString('en-US')} offsets`);
  });
}

async function memoryOfParkedFetches({ report }: SceneContext): Promise<void> {
  await withCluster(async (cluster) => {
    await cluster.createTopic(TOPIC, 8);
    const { kafka, child, http } = cluster.replica(1);
    const before = child.rssBytes() / MEBIBYTE;
    const connections: KafkaConnection[] = [];
    for (let i = 0; i < FETCHES; i += 500) {
      connections.push(...(await Promise.all(Array.from({ length: 500 }, () => fetchWith(kafka)))));
    }
    await eventually('all fetches are parked', 20_000, async () => {
      const { broker } = (await (await fetch(`${http}/status`)).json()) as { broker: Record<string, number> };
      return broker['parked_fetch'] === FETCHES;
    });
    report.add({
      name: `${FETCHES} parked Fetches, each on its connection`,
      value: child.rssBytes() / MEBIBYTE,
      unit: 'MiB',
      target: { kind: 'at most', value: 200 },
    });
    report.add({ name: 'the same replica before', value: before, unit: 'MiB' });
    for (const connection of connections) connection.close();
  });
}

async function fetchWith(address: Address): Promise<KafkaConnection> {
  const connection = await KafkaConnection.open(address, 'bench', 30_000);
  connection
    .request(1, 11, {
      replicaId: -1,
      maxWaitMs: 120_000,
      minBytes: 1,
      maxBytes: MEBIBYTE,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [{ topic: TOPIC, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: MEBIBYTE }] }],
      forgottenTopicsData: [],
      rackId: '',
    })
    .catch(() => undefined);
  return connection;
}
