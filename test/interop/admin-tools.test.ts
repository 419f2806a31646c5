import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import type { OffsetsJson } from '../../src/admin/index.js';
import { Child } from '../harness/child.js';
import { Cluster, ROOT } from '../harness/cluster.js';
import { addressText, KafkaConnection } from '../harness/connection.js';
import { GroupMember } from '../harness/group-member.js';
import { eventually } from '../harness/waiting.js';
import { confluentKafka, describeWith, KCAT, kcat, PYTHON } from './clients.js';

jest.setTimeout(300_000);

const JARS = process.env['QUORATE_TEST_KAFKA_TOOLS'] ?? '';
const hasTools = existsSync(JARS) && spawnSync('java', ['-version']).status === 0;
const kafkaTools = {
  title: "Kafka's tools",
  missing: hasTools
    ? undefined
    : 'apt-get install default-jre-headless maven; QUORATE_TEST_KAFKA_TOOLS=$(bash scripts/fetch-kafka-tools.sh)',
};

describe('admin tools', () => {
  let cluster: Cluster;
  let brokers: string;
  beforeAll(async () => {
    cluster = await Cluster.start();
    brokers = cluster.bootstrap.map(addressText).join(',');
  });
  afterAll(() => cluster.close());

  /** Another replica with each request; one that does not know at the moment is not the last one asked. */
  let asked = 0;
  const post = (path: string, body: unknown): Promise<unknown> =>
    eventually('a replica does it', 30_000, async () => {
      const response = await fetch(`${cluster.replica(1 + (asked++ % 3)).http}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      });
      if (response.status === 503) return undefined;
      expect(response.status).toBeLessThan(300);
      return response.json();
    });
  /** A topic, and a group without members whose offsets are `done`; the source has `said`. */
  const scene = async (
    topic: string,
    group: string,
    done: readonly number[],
    said: readonly number[],
  ): Promise<void> => {
    await cluster.createTopic(topic, 4);
    const offsets = done.map((offset, partition) => ({ topic, partition, offset: String(offset) }));
    await post(`/group/offsets?id=${group}`, { offsets, execute: true });
    await post(`/topics/${topic}/ends`, { ends: Object.fromEntries(said.map(String).entries()) });
  };
  const run = async (command: string, args: readonly string[]): Promise<string> => {
    const child = new Child(command, command, args);
    const code = await child.exited;
    await child.printed;
    const text = child.lines.filter((line) => !/log4j|slf4j/i.test(line)).join('\n');
    if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${code}\n${text}`);
    return text;
  };

  describeWith([kafkaTools], "Kafka's own", () => {
    const tool = (name: string, ...args: readonly string[]): Promise<string> => {
      const classPath = ['-XX:TieredStopAtLevel=1', '-cp', join(JARS, '*'), `org.apache.kafka.tools.${name}`];
      return run('java', [...classPath, '--bootstrap-server', brokers, ...args]);
    };
    const groups = (...args: readonly string[]) => tool('consumer.group.ConsumerGroupCommand', ...args);
    /** The columns of the line about a partition. */
    const row = (text: string, topic: string, partition: number): string[] | undefined =>
      text
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .find((cells) => cells.includes(topic) && cells.includes(String(partition)));

    it('kafka-topics.sh makes, grows, describes and deletes topics', async () => {
      await tool('TopicCommand', '--create', '--topic', 'made', '--partitions', '2');
      await tool('TopicCommand', '--alter', '--topic', 'made', '--partitions', '3');
      const described = await tool('TopicCommand', '--describe', '--topic', 'made');
      expect(described).toMatch(/Topic: made\t.*PartitionCount: 3\tReplicationFactor: 3/);
      for (const partition of [0, 1, 2])
        expect(described).toMatch(new RegExp(`Partition: ${partition}\\tLeader: [123]\\tReplicas: `));
      expect((await tool('TopicCommand', '--list')).split('\n')).toContain('made');
      await tool('TopicCommand', '--delete', '--topic', 'made');
      expect((await tool('TopicCommand', '--list')).split('\n')).not.toContain('made');
    });

    it('kafka-get-offsets.sh and kafka-consumer-groups.sh print ends and lag, and change offsets and groups', async () => {
      await scene('ledger', 'java', [100, 40], [500]);
      expect(await tool('GetOffsetShell', '--topic', 'ledger')).toBe(
        ['ledger:0:500', 'ledger:1:40', 'ledger:2:0', 'ledger:3:0'].join('\n'),
      );
      expect((await groups('--list')).split('\n')).toContain('java');
      const described = await groups('--describe', '--group', 'java');
      expect(row(described, 'ledger', 0)?.slice(0, 6)).toEqual(['java', 'ledger', '0', '100', '500', '400']);
      expect(row(described, 'ledger', 1)?.slice(0, 6)).toEqual(['java', 'ledger', '1', '40', '40', '0']);
      expect(await groups('--describe', '--group', 'java', '--state')).toMatch(/java .*Empty +0/);
      const shift = ['--group', 'java', '--topic', 'ledger:0', '--reset-offsets', '--shift-by', '-10'];
      expect(row(await groups(...shift, '--dry-run'), 'ledger', 0)?.[3]).toBe('90');
      expect(row(await groups('--describe', '--group', 'java'), 'ledger', 0)?.[3]).toBe('100');
      expect(row(await groups(...shift, '--execute'), 'ledger', 0)?.[3]).toBe('90');
      expect(row(await groups('--describe', '--group', 'java'), 'ledger', 0)?.slice(3, 6)).toEqual([
        '90',
        '500',
        '410',
      ]);
      const deleted = await groups('--group', 'java', '--delete-offsets', '--topic', 'ledger:1');
      expect(deleted).toMatch(/ledger +1 +Successful/);
      expect(await groups('--delete', '--group', 'java')).toMatch(/successful/);
      expect((await groups('--list')).split('\n')).not.toContain('java');
    });
  });

  describeWith([kcat], 'kcat', () => {
    it('asks for ends, and reads to the end where a group has committed', async () => {
      await scene('stream', 'reader', [70], [90]);
      expect(await run(KCAT, ['-b', brokers, '-Q', '-t', 'stream:0:-1'])).toMatch(/stream \[0\] offset 90/);
      const toTheEnd = ['-C', '-t', 'stream', '-p', '0', '-o', 'beginning', '-e'];
      expect(await run(KCAT, ['-b', brokers, ...toTheEnd])).toMatch(/Reached end of topic stream \[0\]/);
    });
  });

  describeWith([confluentKafka], "confluent-kafka's AdminClient", () => {
    it('sees groups, offsets and ends, and changes them', async () => {
      await scene('feed', 'python', [30, 20], [50]);
      const script = join(ROOT, 'test/interop/confluent_admin.py');
      const text = await run(PYTHON, [script, brokers, 'python', 'feed']);
      const found = JSON.parse(text.split('\n').at(-1)!) as Record<string, unknown>;
      expect(found).toMatchObject({
        groups: expect.arrayContaining(['python']) as unknown,
        errors: [],
        state: 'EMPTY',
        members: 0,
        offsets: { 0: 30, 1: 20 },
        ends: { 0: 50, 1: 20 },
        altered: { 0: 25, 1: 20 },
        endsAfter: { 0: 50, 1: 20 },
        partitions: 5,
        topicConfigs: { 'cleanup.policy': 'delete' },
        groupsAfter: expect.not.arrayContaining(['python']) as unknown,
      });
    });
  });

  describe('kafkajs admin', () => {
    it('sees groups, offsets and ends, and changes them', async () => {
      await scene('queue', 'node', [30, 20], [50]);
      const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      try {
        const listed = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
        expect(listed).toContain('node');
        expect((await admin.describeGroups(['node'])).groups).toMatchObject([
          { groupId: 'node', state: 'Empty' },
        ]);
        const offsets = async (): Promise<Record<number, string>> => {
          const [topic] = await admin.fetchOffsets({ groupId: 'node', topics: ['queue'] });
          return Object.fromEntries(topic!.partitions.map(({ partition, offset }) => [partition, offset]));
        };
        expect(await offsets()).toEqual({ 0: '30', 1: '20', 2: '-1', 3: '-1' });
        const ends = await admin.fetchTopicOffsets('queue');
        expect(Object.fromEntries(ends.map(({ partition, high }) => [partition, high]))).toEqual({
          0: '50',
          1: '20',
          2: '0',
          3: '0',
        });
        await admin.setOffsets({
          groupId: 'node',
          topic: 'queue',
          partitions: [{ partition: 0, offset: '12' }],
        });
        expect((await offsets())[0]).toBe('12');
        await admin.createPartitions({ topicPartitions: [{ topic: 'queue', count: 6 }] });
        await eventually('its metadata has six', 20_000, async () => {
          const { topics } = await admin.fetchTopicMetadata({ topics: ['queue'] });
          return topics[0]!.partitions.length === 6;
        });
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ type: 2, name: 'queue' }],
        });
        expect(resources[0]!.configEntries).toContainEqual(
          expect.objectContaining({ configName: 'cleanup.policy', configValue: 'delete' }),
        );
        await admin.deleteGroups(['node']);
        expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain('node');
      } finally {
        await admin.disconnect();
      }
    });
  });

  describe('an exporter as kminion', () => {
    it('finds the lag of every group at all brokers, and it is never negative', async () => {
      await cluster.createTopic('work', 4);
      const member = new GroupMember({
        bootstrap: cluster.bootstrap,
        group: 'busy',
        topic: 'work',
        partitions: 4,
      });
      await member.start();
      const connections = await Promise.all(
        cluster.bootstrap.map((address) => KafkaConnection.open(address)),
      );
      try {
        for (let round = 1; round <= 20; round++) {
          for (const partition of [0, 1, 2, 3]) expect(await member.commit(partition, 100 * round)).toBe(0);
          for (const [partition, lag] of await scrape(connections)) {
            expect([partition, lag]).toEqual([partition, 0]);
          }
        }
        const { body } = await eventually('a replica knows', 30_000, async () => {
          const response = await fetch(`${cluster.replica(2).http}/groups/busy/offsets`);
          return response.status === 200 && { body: (await response.json()) as OffsetsJson };
        });
        expect(body.offsets.map(({ lag }) => lag)).toEqual(['0', '0', '0', '0']);
      } finally {
        for (const connection of connections) connection.close();
        await member.leave();
      }
    });

    /**
     * What kminion sends with each scrape: Metadata, ListGroups to every broker, OffsetFetch to the coordinator (all find
     * each other by asking all), ListOffsets to the leader of each partition. By partition of `work`.
     */
    async function scrape(connections: readonly KafkaConnection[]): Promise<ReadonlyMap<number, number>> {
      return eventually('every broker answers', 60_000, async () => {
        const metadata = await connections[0]!.request(3, 5, {
          topics: [{ name: 'work' }],
          allowAutoTopicCreation: false,
        });
        const at = (id: number): KafkaConnection => {
          const { port } = metadata.brokers.find(({ nodeId }) => nodeId === id)!;
          return connections.find(({ address }) => address.port === port)!;
        };
        const lists = await Promise.all(connections.map((each) => each.request(16, 4, { statesFilter: [] })));
        if (lists.some(({ errorCode }) => errorCode !== 0)) return undefined;
        const owner = lists.findIndex(({ groups }) => groups.some(({ groupId }) => groupId === 'busy'));
        if (owner < 0) return undefined;
        const fetched = await connections[owner]!.request(9, 7, { groupId: 'busy', topics: null });
        if (fetched.errorCode !== 0) return undefined;
        const lags = new Map<number, number>();
        for (const { partitionIndex, committedOffset } of fetched.topics[0]!.partitions) {
          const { leaderId } = metadata.topics[0]!.partitions.find(
            (each) => each.partitionIndex === partitionIndex,
          )!;
          const { topics } = await at(leaderId).request(2, 4, {
            replicaId: -1,
            topics: [{ name: 'work', partitions: [{ partitionIndex, timestamp: -1 }] }],
          });
          const [end] = topics[0]!.partitions;
          if (end!.errorCode !== 0) return undefined;
          lags.set(partitionIndex, Number(end!.offset) - Number(committedOffset));
        }
        return lags.size === 4 && lags;
      });
    }
  });
});
