import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { StatusJson } from '../../../src/admin/index.js';
import { checkSettings, type ConfigurationError, runReplica } from '../../../src/app/index.js';
import { addressOf } from '../../../src/kernel/index.js';
import { KafkaConnection } from '../../harness/connection.js';
import { freePorts } from '../../harness/tcp-ports.js';
import { eventually } from '../../harness/waiting.js';

const WITHIN_MS = 30_000;
const TOLD = {
  kafka: ['q1.example.com:9092', '[2001:db8::2]:9093'],
  http: ['https://q1.example.com/', 'http://[2001:db8::2]:8080'],
};
const GIVEN = { replicaId: 1, clusterId: 'pJ0m3vVZQ5mB1yNwq0c9Tg' };
const QUIET = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  debug: () => undefined,
};

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** Two replicas, each with the further listener `outside`. */
async function twoReplicas(host: string) {
  const ports = await freePorts(10);
  const replicas = [0, 1].map((index) => {
    const [peerPort, kafkaPort, httpPort] = ports.slice(index * 5);
    return { id: index + 1, host, peerPort, kafkaPort, httpPort };
  });
  const running = await Promise.all(
    replicas.map(async ({ id }, index) => {
      const [kafkaListenPort, httpListenPort] = ports.slice(index * 5 + 3);
      const dataDir = mkdtempSync(join(tmpdir(), 'quorate-listeners-'));
      cleanUp.push(() => rmSync(dataDir, { recursive: true }));
      const listeners = [{ name: 'outside', kafkaListenPort, httpListenPort, ...TOLD }];
      const { settings } = checkSettings({ ...GIVEN, replicaId: id, dataDir, replicas, listeners });
      const replica = await runReplica({ settings, log: QUIET });
      cleanUp.push(() => replica.stop());
      const outside = { kafka: { host, port: kafkaListenPort! }, http: httpListenPort! };
      return { inside: replica.addresses, outside };
    }),
  );
  for (const { inside } of running)
    await eventually('the replica is ready', WITHIN_MS, async () => (await statusAt(inside.http!)).ready);
  return running;
}

const statusAt = async (url: string): Promise<StatusJson> =>
  (await (await fetch(`${url}/status`)).json()) as StatusJson;

/** What a Kafka client learns about the replicas through one address. */
async function toldThrough(address: { readonly host: string; readonly port: number }) {
  const connection = await KafkaConnection.open(address);
  cleanUp.push(() => connection.close());
  const { brokers } = await connection.request(3, 9, { topics: [] });
  const cluster = await connection.request(60, 0, { includeClusterAuthorizedOperations: false });
  const { coordinators } = await connection.request(10, 4, { keyType: 0, coordinatorKeys: ['billing'] });
  const text = ({ host, port }: { host: string; port: number }): string => `${host} ${port}`;
  return {
    metadata: brokers.map(text),
    cluster: cluster.brokers.map(text),
    coordinator: text(coordinators[0]!),
  };
}

describe('a further listener', () => {
  it('tells Kafka and HTTP clients the addresses of the listener that they came through', async () => {
    const [one, two] = await twoReplicas('127.0.0.1');
    const inside = [one!, two!].map((each) => each.inside.kafka.replace(':', ' '));
    const outside = ['q1.example.com 9092', '2001:db8::2 9093'];
    const [fromInside, fromOutside] = [
      await toldThrough(addressOf(one!.inside.kafka)),
      await toldThrough(one!.outside.kafka),
    ];
    expect(fromInside.metadata).toEqual(inside);
    expect(fromInside.cluster).toEqual(inside);
    expect(fromOutside.metadata).toEqual(outside);
    expect(fromOutside.cluster).toEqual(outside);
    expect(fromOutside.coordinator).toBe(outside[inside.indexOf(fromInside.coordinator)]);

    const http = ['https://q1.example.com', 'http://[2001:db8::2]:8080'];
    expect((await statusAt(one!.inside.http!)).http.map(({ url }) => url)).toEqual([
      one!.inside.http,
      two!.inside.http,
    ]);
    const status = await statusAt(`http://127.0.0.1:${two!.outside.http}`);
    expect(status.http.map(({ url }) => url)).toEqual(http);
    expect(status.addresses).toMatchObject({ kafka: TOLD.kafka[1], http: http[1] });
    // A read that another replica leads: the client is sent to where it can reach that one.
    const reads = await Promise.all(
      [one!, two!].map(({ outside: { http: port } }) =>
        fetch(`http://127.0.0.1:${port}/group/fences?id=billing&fresh`, { redirect: 'manual' }),
      ),
    );
    const sent = reads.map(({ headers }) => headers.get('location')?.split('/group')[0]);
    expect(http.filter((url) => sent.includes(url))).toHaveLength(1);
  }, 60_000);

  it('and every other listener takes IPv6 literals', async () => {
    const [one, two] = await twoReplicas('::1');
    expect(one!.inside.kafka).toMatch(/^\[::1\]:[0-9]+$/);
    expect(one!.inside.peers).toMatch(/^\[::1\]:[0-9]+$/);
    expect(one!.inside.http).toMatch(/^http:\/\/\[::1\]:[0-9]+$/);
    const { metadata } = await toldThrough(addressOf(one!.inside.kafka));
    expect(metadata).toEqual([one!, two!].map(({ inside }) => inside.kafka.replace(/^\[(.*)\]:/, '$1 ')));
    expect((await toldThrough(two!.outside.kafka)).metadata).toEqual([
      'q1.example.com 9092',
      '2001:db8::2 9093',
    ]);
  }, 60_000);
});

describe('the setting listeners', () => {
  const replicas = [1, 2].map((id) => ({ id, host: `10.0.0.${id}`, peerPort: 1, kafkaPort: 2, httpPort: 3 }));
  const problems = (listener: object): readonly string[] => {
    const listeners = [{ name: 'outside', kafkaListenPort: 9094, kafka: TOLD.kafka, ...listener }];
    try {
      checkSettings({ ...GIVEN, replicas, listeners });
      return [];
    } catch (error) {
      return (error as ConfigurationError).problems;
    }
  };

  it.each([
    ['Kafka alone', {}, []],
    ['both', { httpListenPort: 8081, http: TOLD.http }, []],
    [
      'an address too few',
      { kafka: ['a:1'] },
      [/kafka of the listener outside has 1 .* 2 replicas: give one/],
    ],
    ['text that is no address', { kafka: ['a', 'b:1'] }, [/^listeners\[0\]\.kafka\[0\] .*localhost:9092/]],
    ['HTTP without its port', { http: TOLD.http }, [/has one of http and httpListenPort/]],
    ['a port in use', { kafkaListenPort: 3 }, [/the HTTP listener and kafkaListenPort .* are both 3/]],
  ])('%s', (_, listener, expected) => {
    const found = problems(listener);
    expect(found).toHaveLength(expected.length);
    expected.forEach((pattern, index) => expect(found[index]).toMatch(pattern));
  });
});
