import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PROTOCOLS_MAX, REQUEST_ITEMS_MAX } from '../../src/broker/request-limits.js';
import type { ApiKey, ApiName } from '../../src/wire/index.js';
import { apiNamed } from '../../src/wire/index.js';
import { Cluster } from '../harness/cluster.js';
import { KafkaConnection } from '../harness/connection.js';

const TOPIC = 'tenants';
const PARTITIONS = 10_000;
/** Of the replica's thread. docs/performance.md has what a warm replica needs; other load makes it slower. */
const CPU_MS_MAX = 200;

interface Frame {
  readonly api: ApiName;
  readonly what: string;
  readonly version: number;
  readonly body: object;
}

/** Arrays as long as a request of this API may have. */
const names = (api: ApiName, each = 1): string[] =>
  Array.from({ length: Math.floor(REQUEST_ITEMS_MAX[api] / each) }, (_, i) => `x${i}`);
const places = (api: ApiName): number[] => [...names(api).slice(1).keys()];
const committed = (partitionIndex: number): object => ({
  partitionIndex,
  committedOffset: 7,
  committedMetadata: null,
});

const FRAMES: readonly Frame[] = [
  {
    api: 'OffsetCommit',
    what: 'of one topic',
    version: 7,
    body: commit([{ name: TOPIC, partitions: places('OffsetCommit').map(committed) }]),
  },
  {
    api: 'OffsetCommit',
    what: 'of many topics',
    version: 7,
    body: commit(names('OffsetCommit', 2).map((name) => ({ name, partitions: [committed(0)] }))),
  },
  { api: 'OffsetFetch', what: 'of a whole group', version: 7, body: { groupId: 'g', topics: null } },
  {
    api: 'OffsetFetch',
    what: 'of partitions',
    version: 7,
    body: { groupId: 'g', topics: [{ name: TOPIC, partitionIndexes: places('OffsetFetch') }] },
  },
  {
    api: 'OffsetFetch',
    what: 'of groups',
    version: 8,
    body: { groups: names('OffsetFetch').map((groupId) => ({ groupId, topics: [] })) },
  },
  {
    api: 'OffsetDelete',
    what: 'of one topic',
    version: 0,
    body: {
      groupId: 'g',
      topics: [
        { name: TOPIC, partitions: places('OffsetDelete').map((partitionIndex) => ({ partitionIndex })) },
      ],
    },
  },
  {
    api: 'Fetch',
    what: 'of one topic',
    version: 11,
    body: {
      maxWaitMs: 0,
      minBytes: 0,
      topics: [
        {
          topic: TOPIC,
          partitions: places('Fetch').map((partition) => ({
            partition,
            fetchOffset: 0,
            partitionMaxBytes: 1,
          })),
        },
      ],
    },
  },
  {
    api: 'ListOffsets',
    what: 'of one topic',
    version: 5,
    body: {
      replicaId: -1,
      topics: [
        {
          name: TOPIC,
          partitions: places('ListOffsets').map((partitionIndex) => ({ partitionIndex, timestamp: -1 })),
        },
      ],
    },
  },
  { api: 'Metadata', what: 'of all topics', version: 9, body: { topics: null } },
  {
    api: 'Metadata',
    what: 'of names',
    version: 9,
    body: { topics: names('Metadata').map((name) => ({ name })), allowAutoTopicCreation: false },
  },
  {
    api: 'FindCoordinator',
    what: 'of names',
    version: 4,
    body: { keyType: 0, coordinatorKeys: names('FindCoordinator') },
  },
  { api: 'DescribeGroups', what: 'of names', version: 4, body: { groups: names('DescribeGroups') } },
  { api: 'ListGroups', what: 'of 5,000 groups', version: 4, body: { statesFilter: [] } },
  {
    api: 'LeaveGroup',
    what: 'of names',
    version: 3,
    body: {
      groupId: 'g',
      members: names('LeaveGroup').map((memberId) => ({ memberId, groupInstanceId: null })),
    },
  },
  {
    api: 'SyncGroup',
    what: 'of names',
    version: 3,
    body: {
      groupId: 'g',
      generationId: 1,
      memberId: 'a',
      groupInstanceId: null,
      assignments: names('SyncGroup').map((memberId) => ({ memberId, assignment: Buffer.alloc(1) })),
    },
  },
  {
    api: 'JoinGroup',
    what: 'of protocols',
    version: 3,
    body: {
      groupId: 'h',
      sessionTimeoutMs: 6_000,
      rebalanceTimeoutMs: 6_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: names('JoinGroup')
        .slice(0, PROTOCOLS_MAX)
        .map((name) => ({ name, metadata: Buffer.alloc(1) })),
    },
  },
  {
    api: 'DescribeConfigs',
    what: 'of topics',
    version: 1,
    body: {
      resources: names('DescribeConfigs').map((resourceName) => ({
        resourceType: 2,
        resourceName,
        configurationKeys: null,
      })),
    },
  },
  {
    api: 'CreateTopics',
    what: 'only validated',
    version: 4,
    body: {
      topics: names('CreateTopics').map((name) => ({
        name,
        numPartitions: 1,
        replicationFactor: 1,
        assignments: [],
        configs: [],
      })),
      timeoutMs: 1_000,
      validateOnly: true,
    },
  },
  {
    api: 'CreatePartitions',
    what: 'only validated',
    version: 1,
    body: {
      topics: names('CreatePartitions').map((name) => ({ name, count: 2, assignments: null })),
      timeoutMs: 1_000,
      validateOnly: true,
    },
  },
  {
    api: 'DeleteTopics',
    what: 'of names',
    version: 3,
    body: { topicNames: names('DeleteTopics'), timeoutMs: 1_000 },
  },
  {
    api: 'DeleteGroups',
    what: 'of names',
    version: 1,
    body: { groupsNames: names('DeleteGroups') },
  },
  {
    api: 'Produce',
    what: 'of one topic',
    version: 8,
    body: {
      acks: 1,
      timeoutMs: 1_000,
      topicData: [
        { name: TOPIC, partitionData: places('Produce').map((index) => ({ index, records: null })) },
      ],
    },
  },
  {
    api: 'IncrementalAlterConfigs',
    what: 'of topics',
    version: 0,
    body: {
      resources: names('IncrementalAlterConfigs', 2).map((resourceName) => ({
        resourceType: 2,
        resourceName,
        configs: [{ name: 'retention.ms', configOperation: 0, value: '1' }],
      })),
      validateOnly: true,
    },
  },
];

/** Their requests have no arrays: all are alike. */
const WITHOUT_ARRAYS: readonly ApiName[] = ['Heartbeat', 'ApiVersions', 'DescribeCluster'];

function commit(topics: readonly object[]): object {
  return { groupId: 'g', generationIdOrMemberEpoch: -1, memberId: '', topics };
}

describe('the longest request that a client may send', () => {
  let cluster: Cluster;
  let kafka: KafkaConnection;

  beforeAll(async () => {
    cluster = await Cluster.start({ replicas: 1 });
    await cluster.createTopic(TOPIC, PARTITIONS);
    kafka = await KafkaConnection.open(cluster.replica(1).kafka);
    const simple = commit([{ name: TOPIC, partitions: [committed(0)] }]);
    for (let i = 0; i < 5_000; i += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, j) => ask(8, 7, { ...simple, groupId: `group-${i + j}` })),
      );
  }, 120_000);
  afterAll(() => cluster.close(), 30_000);

  const ask = (key: ApiKey, version: number, body: object): Promise<unknown> =>
    kafka.request(key, version, body);
  /** Of the thread that runs the loop, so that what else the machine does counts little. Milliseconds. */
  const cpuMs = (): number => {
    const { pid } = cluster.replica(1).child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000_000;
  };

  it.each(FRAMES.map((frame) => [`${frame.api} ${frame.what}`, frame] as const))(
    '%s costs a bounded time',
    async (title, { api, version, body }) => {
      const spent: number[] = [];
      for (let times = 0; times < 3; times++) {
        const before = cpuMs();
        await ask(apiNamed(api).key, version, body);
        spent.push(cpuMs() - before);
      }
      console.info(`${title}: ${spent.map((ms) => ms.toFixed(0)).join(', ')} ms of CPU`);
      expect(Math.min(...spent)).toBeLessThan(CPU_MS_MAX);
    },
    180_000,
  );

  it('is tried of every API', () => {
    const tried = new Set([...FRAMES.map(({ api }) => api), ...WITHOUT_ARRAYS]);
    expect(Object.keys(REQUEST_ITEMS_MAX).filter((api) => !tried.has(api as ApiName))).toEqual([]);
  });

  it('one item more is refused before anything is done', async () => {
    const groupsNames = [...names('DeleteGroups'), 'one-more'];
    await expect(ask(42, 1, { groupsNames })).rejects.toThrow('closed the connection');
  });
});
