import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { RandomUuid } from 'testcontainers';
import { freePorts } from '../harness/tcp-ports.js';
import { eventually } from '../harness/waiting.js';
import {
  BASE,
  BUILD_MS_MAX,
  buildImage,
  describeWithDocker,
  engine,
  IMAGE,
  ROOT,
  it,
  TEST_MS_MAX,
  showOnFailure,
} from './docker.js';
import { programContainer } from './workers.js';

const WITHIN_MS = 120_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const run = promisify(execFile);

/** `docker compose`, or the program of before. */
async function composeCommand(): Promise<readonly string[] | undefined> {
  for (const [command, ...args] of [['docker', 'compose'], ['docker-compose']] as const) {
    const found = await run(command, [...args, 'version']).then(
      () => true,
      () => false,
    );
    if (found) return [command, ...args];
  }
  return undefined;
}

describeWithDocker('docker/compose.yaml', () => {
  const project = `quorate-${new RandomUuid().nextUuid().slice(0, 8)}`;
  /** QUORATE_TEST_WORKER_IMAGE names one that is built already. */
  const built = process.env['QUORATE_TEST_WORKER_IMAGE'];
  const worker = built ?? `${project}-worker`;
  let ports: readonly number[];
  let command: readonly string[];

  const compose = async (...args: readonly string[]): Promise<string> => {
    const [program, ...first] = command as [string, ...string[]];
    const [kafka1, kafka2, kafka3, http1, http2, http3] = ports.map(String);
    const { stdout } = await run(program, [...first, '-p', project, '-f', 'docker/compose.yaml', ...args], {
      cwd: ROOT,
      maxBuffer: OUTPUT_BYTES_MAX,
      env: {
        // Compose of before takes the classic builder's word, where there is no other.
        DOCKER_BUILDKIT: '0',
        COMPOSE_DOCKER_CLI_BUILD: '0',
        ...process.env,
        BASE,
        QUORATE_IMAGE: IMAGE,
        QUORATE_WORKER_IMAGE: worker,
        QUORATE_NETWORK: project,
        REDIS_IMAGE: process.env['QUORATE_TEST_REDIS_IMAGE'] ?? '',
        POSTGRES_IMAGE: process.env['QUORATE_TEST_POSTGRES_IMAGE'] ?? '',
        ...{ KAFKA_PORT_1: kafka1, KAFKA_PORT_2: kafka2, KAFKA_PORT_3: kafka3 },
        ...{ HTTP_PORT_1: http1, HTTP_PORT_2: http2, HTTP_PORT_3: http3 },
      },
    });
    return stdout;
  };

  beforeAll(async () => {
    await buildImage();
    ports = await freePorts(6);
    const found = await composeCommand();
    if (found === undefined) throw new Error('neither docker compose nor docker-compose is installed');
    command = found;
    if (built === undefined) await compose('build', '--quiet', 'worker-1');
    showOnFailure(async () => (await compose('logs', '--no-color', '--tail', '30')).split('\n'));
    await compose('up', '--detach', '--no-build');
  }, BUILD_MS_MAX);
  afterAll(async () => {
    await compose('down', '--volumes', '--timeout', '0');
    if (built === undefined) await (await engine()).getImage(worker).remove();
  }, TEST_MS_MAX);

  it('starts replicas, stores and workers in order; the workers share the tenants and count in both stores', async () => {
    const http = `http://localhost:${ports[3]}`;
    await eventually('the workers have counted', WITHIN_MS, async () => {
      const response = await fetch(`${http}/groups/counters/offsets`).catch(() => undefined);
      if (response?.ok !== true) return false;
      const { offsets } = (await response.json()) as { offsets: { offset: string }[] };
      return offsets.length === 8 && offsets.every(({ offset }) => Number(offset) >= 2);
    });
    const docker = await engine();
    const all = await docker.listContainers({
      filters: { label: [`com.docker.compose.project=${project}`] },
    });
    await eventually('all seven are healthy', WITHIN_MS, async () => {
      const states = await Promise.all(
        all.map(async ({ Id }) => (await docker.getContainer(Id).inspect()).State),
      );
      return states.length === 7 && states.every(({ Health }) => Health?.Status === 'healthy');
    });
    const { members } = (await (await fetch(`${http}/groups/counters`)).json()) as {
      members: { clientId: string }[];
    };
    expect(members.map(({ clientId }) => clientId).sort()).toEqual(['worker-1', 'worker-2']);
    const counted = await compose(
      ...['exec', '-T', 'postgres', 'psql', '-h', 'localhost', '-U', 'quorate'],
      ...['-tAc', 'SELECT count(*) FROM counters WHERE count >= 2', 'quorate'],
    );
    expect(counted.trim()).toBe('8');
    const keys = await compose('exec', '-T', 'redis', 'redis-cli', '--raw', 'keys', 'tenants:*tenant-*');
    expect(keys.trim().split('\n')).toHaveLength(8);
  });

  it('serves kafkajs on this machine and in a container, each under addresses that it can reach', async () => {
    const brokers = ports.slice(0, 3).map((port) => `localhost:${port}`);
    const kafka = new Kafka({ brokers: [brokers[0]!], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    const told = await admin.describeCluster();
    expect(told.brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(brokers);
    await admin.createTopics({ topics: [{ topic: 'outside', numPartitions: 2 }] });
    const consumer = kafka.consumer({ groupId: 'outside', maxWaitTimeInMs: 200 });
    const joined = new Promise<unknown>((resolve) => consumer.on('consumer.group_join', resolve));
    await consumer.connect();
    await consumer.subscribe({ topic: 'outside' });
    await consumer.run({ eachMessage: () => Promise.resolve() });
    await joined;
    await consumer.commitOffsets([{ topic: 'outside', partition: 1, offset: '5' }]);
    await consumer.disconnect();
    await admin.disconnect();

    const inside = `
        const { Kafka, logLevel } = require('kafkajs');
        const kafka = new Kafka({ brokers: ['quorate-2:9092'], logLevel: logLevel.NOTHING });
        (async () => {
          const admin = kafka.admin();
          await admin.connect();
          const { brokers } = await admin.describeCluster();
          const [{ partitions }] = await admin.fetchOffsets({ groupId: 'outside', topics: ['outside'] });
          await admin.disconnect();
          console.log(JSON.stringify({ hosts: brokers.map(({ host }) => host), partitions }));
        })();`;
    const lines: string[] = [];
    const client = await programContainer(['-e', inside])
      .withNetworkMode(project)
      .withLogConsumer((stream) => stream.on('data', (line: Buffer) => lines.push(line.toString())))
      .start();
    const said = await eventually('the client in the container has said what it saw', WITHIN_MS, () =>
      lines.find((line) => line.includes('hosts')),
    );
    await client.stop();
    const { hosts, partitions } = JSON.parse(said) as {
      hosts: string[];
      partitions: { partition: number; offset: string }[];
    };
    expect(hosts).toEqual(['quorate-1', 'quorate-2', 'quorate-3']);
    expect(partitions.find(({ partition }) => partition === 1)?.offset).toBe('5');
  });
});
