import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { StatusJson } from '../../../src/admin/index.js';
import {
  checkSettings,
  QuorateModule,
  runReplica,
  type RunReplicaOptions,
  type RunningReplica,
  type Settings,
} from '../../../src/app/index.js';
import { createLog } from '../../../src/app/log.js';
import { GroupMember } from '../../harness/group-member.js';
import { freePorts } from '../../harness/tcp-ports.js';
import { eventually } from '../../harness/waiting.js';

/** The next step of a replica, on a busy machine. Milliseconds. */
const WITHIN_MS = 30_000;
const CLUSTER = 'pJ0m3vVZQ5mB1yNwq0c9Tg';
const NO_PORTS = { host: '127.0.0.1', peerPort: 0, kafkaPort: 0, httpPort: 0 };
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

function settingsOf(more: Readonly<Record<string, unknown>> = {}): Settings {
  const dataDir = mkdtempSync(join(tmpdir(), 'quorate-app-'));
  cleanUp.push(() => rmSync(dataDir, { recursive: true }));
  const given = { replicaId: 1, clusterId: CLUSTER, dataDir, replicas: [{ id: 1, ...NO_PORTS }] };
  return checkSettings({ ...given, autoCreateTopics: true, ...more }).settings;
}

async function run(options: RunReplicaOptions): Promise<RunningReplica> {
  const replica = await runReplica(options);
  cleanUp.push(() => replica.stop());
  return replica;
}

const statusAt = async (url: string | null): Promise<StatusJson> =>
  (await (await fetch(`${url}/status`)).json()) as StatusJson;

const ready = (url: string | null): Promise<StatusJson> =>
  eventually('the replica is ready', WITHIN_MS, async () => {
    const status = await statusAt(url);
    return status.ready ? status : undefined;
  });

async function memberAt(kafka: string): Promise<GroupMember> {
  const [host = '', port] = kafka.split(':');
  const member = new GroupMember({
    bootstrap: [{ host, port: Number(port) }],
    group: 'billing',
    topic: 'tenants',
    partitions: 2,
  });
  cleanUp.push(() => member.abandon());
  await member.start();
  return member;
}

describe('port 0', () => {
  it(
    'is any free port, which the result, /status and the log tell',
    async () => {
      const lines: string[] = [];
      const log = { ...QUIET, info: (line: string) => void lines.push(line) };
      const { addresses } = await run({ settings: settingsOf(), log });
      const { kafka, http, peers } = addresses;
      for (const address of [kafka, http, peers]) expect(address).toMatch(/127\.0\.0\.1:[1-9][0-9]+$/);
      expect(new Set([kafka, http?.slice('http://'.length), peers]).size).toBe(3);
      const status = await ready(http);
      expect(status.addresses).toEqual(addresses);
      expect(status.http).toEqual([{ id: 1, url: http }]);
      expect(lines).toContain(`Kafka clients: ${kafka}   HTTP: ${http}/status   peers: ${peers}`);
      const member = await memberAt(kafka);
      await eventually('the member owns the topic', WITHIN_MS, () => member.partitions.length === 2);
    },
    WITHIN_MS * 2,
  );

  it('for Kafka and HTTP: the other replicas learn which', async () => {
    const ports = await freePorts(2);
    const replicas = ports.map((peerPort, index) => ({ id: index + 1, ...NO_PORTS, peerPort }));
    const [one, two] = await Promise.all([
      run({ settings: settingsOf({ replicas }), log: QUIET }),
      run({ settings: settingsOf({ replicas, replicaId: 2 }), log: QUIET }),
    ]);
    await ready(one.addresses.http);
    const urls = [
      { id: 1, url: one.addresses.http },
      { id: 2, url: two.addresses.http },
    ];
    expect((await statusAt(one.addresses.http)).http).toEqual(urls);
    expect((await statusAt(two.addresses.http)).http).toEqual(urls);
    await memberAt(one.addresses.kafka);
  }, 60_000);

  it('for peers: refused where a peer could not know it', () => {
    const replicas = [1, 2].map((id) => ({ id, ...NO_PORTS }));
    expect(() => settingsOf({ replicas })).toThrow(
      'peerPort of replica 1 is 0 (any free port), and its peers could not know which: give the port that they call.',
    );
  });

  it('for Kafka: refused beside a port that the listener binds', () => {
    expect(() => settingsOf({ kafkaListenPort: 9092 })).toThrow(
      'kafkaPort of replica 1 is 0 (any free port) and kafkaListenPort 9092: give clients the port that leads there.',
    );
  });
});

describe('signals', () => {
  const handlers = (): number => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');

  it.each([
    ['are left to the caller', {}, 0],
    ['are left to the caller with handleSignals: false', { handleSignals: false }, 0],
    ['stop the replica with handleSignals: true', { handleSignals: true }, 2],
  ])('%s', async (_name, options, installed) => {
    const before = (['SIGTERM', 'SIGINT'] as const).map((signal) => ({
      signal,
      known: process.listeners(signal),
    }));
    cleanUp.push(() => {
      for (const { signal, known } of before)
        for (const each of process.listeners(signal)) if (!known.includes(each)) process.off(signal, each);
    });
    const count = handlers();
    await run({ settings: settingsOf(), log: QUIET, ...options });
    expect(handlers() - count).toBe(installed);
  });
});

describe('settings', () => {
  it('serve QuorateModule and runReplica alike, one after the other on the same ports and disk', async () => {
    const [peerPort, kafkaPort] = await freePorts(2);
    const settings = settingsOf({ replicas: [{ id: 1, ...NO_PORTS, peerPort, kafkaPort }] });
    const application = await NestFactory.createApplicationContext(
      QuorateModule.forRoot({ settings, log: QUIET }),
      { logger: false },
    );
    await application.close();
    const replica = await run({ settings, log: QUIET });
    expect((await ready(replica.addresses.http)).clusterId).toBe(CLUSTER);
  });
});

describe('the JSON log', () => {
  it(
    'has a level by name, and fields for shard, group, member and generation',
    async () => {
      const lines: Record<string, unknown>[] = [];
      const settings = settingsOf({ logFormat: 'json' });
      const written = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
        lines.push(JSON.parse(String(text)) as Record<string, unknown>);
        return true;
      });
      cleanUp.push(() => written.mockRestore());
      const { addresses } = await run({ settings, log: createLog(settings) });
      await ready(addresses.http);
      const { memberId } = await memberAt(addresses.kafka);
      const ended = await eventually('the rebalance is in the log', WITHIN_MS, () =>
        lines.find(({ event, outcome }) => event === 'rebalance-ended' && outcome === 'stable'),
      );
      expect(ended).toMatchObject({ level: 'info', replica: 1, group: 'billing', generation: 1 });
      expect(ended['shard']).toEqual(expect.any(Number));
      const joined = lines.find(({ event }) => event === 'member-joined');
      expect(joined).toMatchObject({ level: 'info', group: 'billing', member: memberId });
      createLog(settings).warn('planted');
      expect(lines.find(({ msg }) => msg === 'planted')).toMatchObject({ level: 'warn', replica: 1 });
    },
    WITHIN_MS * 2,
  );
});
