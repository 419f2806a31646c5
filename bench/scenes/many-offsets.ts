import type { Cluster } from '../../test/harness/cluster.js';
import { KafkaConnection } from '../../test/harness/connection.js';
import { eventually } from '../../test/harness/waiting.js';

/** Each topic has so many partitions. */
export const OFFSETS_PER_TOPIC = 1_000;
const TOPICS_PER_COMMIT = 2;
const COMMITS_IN_FLIGHT = 8;
/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR. */
const RETRIABLE: ReadonlySet<number> = new Set([14, 15, 16]);

export interface ManyOffsets {
  readonly groups: number;
  /** Topics of 1,000 partitions each, in which every group has an offset of every partition. */
  readonly topics: number;
  /** Added to each offset. */
  readonly from: number;
}

export async function connectionTo(cluster: Cluster, group: string): Promise<KafkaConnection> {
  const leader = await cluster.settled(group);
  return KafkaConnection.open(cluster.replica(leader).kafka);
}

/** The groups that `commitMany` commits for. */
export const groupOf = (i: number): string => `bench-offsets-${i}`;

const topicNames = (topics: number): string[] => Array.from({ length: topics }, (_, i) => `topic-${i}`);

/** Makes the topics that `commitMany` commits for. */
export async function createTopics(connection: KafkaConnection, count: number): Promise<void> {
  const names = topicNames(count);
  const { topics } = await connection.request(19, 4, {
    topics: names.map((name) => ({
      name,
      numPartitions: OFFSETS_PER_TOPIC,
      replicationFactor: -1,
      assignments: [],
      configs: [],
    })),
    timeoutMs: 30_000,
  });
  const refused = topics.find(({ errorCode }) => errorCode !== 0);
  if (refused !== undefined) throw new Error(`topic ${refused.name} was refused with ${refused.errorCode}`);
  await eventually('this replica knows all topics', 20_000, async () => {
    const known = await connection.request(3, 4, { topics: null, allowAutoTopicCreation: false });
    return known.topics.length >= names.length;
  });
}

/** Commits groups x topics x 1,000 offsets, one group after the other, each at its coordinator. */
export async function commitMany(cluster: Cluster, { groups, topics, from }: ManyOffsets): Promise<void> {
  const names = topicNames(topics);
  for (let i = 0; i < groups; i++) {
    const group = groupOf(i);
    // Leadership may be on its way to another replica.
    await eventually(`the offsets of ${group} are committed`, 60_000, async () => {
      const connection = await connectionTo(cluster, group);
      const codes = await committed(connection, group, names, from);
      connection.close();
      const refused = [...codes].find((code) => code !== 0 && !RETRIABLE.has(code));
      if (refused !== undefined) throw new Error(`a commit was refused with ${refused}`);
      return codes.size === 1;
    });
  }
}

/** Which error codes the commits of a group got. */
async function committed(
  connection: KafkaConnection,
  groupId: string,
  names: readonly string[],
  from: number,
): Promise<ReadonlySet<number>> {
  const codes = new Set<number>([0]);
  const partitions = Array.from({ length: OFFSETS_PER_TOPIC }, (_, partitionIndex) => ({
    partitionIndex,
    committedOffset: from + partitionIndex,
    committedMetadata: '',
  }));
  const waiting = new Set<Promise<void>>();
  for (let at = 0; at < names.length; at += TOPICS_PER_COMMIT) {
    const topics = names.slice(at, at + TOPICS_PER_COMMIT).map((name) => ({ name, partitions }));
    const request = { groupId, generationIdOrMemberEpoch: -1, memberId: '', topics };
    const commit = connection.request(8, 7, request).then((answer) => {
      codes.add(answer.topics[0]!.partitions[0]!.errorCode);
      waiting.delete(commit);
    });
    waiting.add(commit);
    if (waiting.size >= COMMITS_IN_FLIGHT) await Promise.race(waiting);
  }
  await Promise.all(waiting);
  return codes;
}
