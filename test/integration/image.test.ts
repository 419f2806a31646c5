import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { GenericContainer, Wait } from 'testcontainers';
import { eventually } from '../harness/waiting.js';
import { ContainerCluster } from './cluster.js';
import {
  BUILD_MS_MAX,
  buildImage,
  describeWithDocker,
  engine,
  BASE,
  IMAGE,
  ROOT,
  Stage,
  it,
  TEST_MS_MAX,
} from './docker.js';
import { acknowledgedBy, WorkerContainer } from './workers.js';

const MIB = 1024 * 1024;
/** What the image may add to its base. */
const IMAGE_BYTES_MAX = 250 * MIB;

interface Offsets {
  readonly offsets: readonly { readonly partition: number; readonly offset: number | string }[];
}

describeWithDocker('the image', () => {
  let stage: Stage;
  let cluster: ContainerCluster;

  const exec = (replica: number, command: string[]) => cluster.started(replica).exec(command);

  beforeAll(async () => {
    await buildImage();
    stage = await Stage.open();
    cluster = await ContainerCluster.start(stage, randomBytes(16).toString('base64url'));
  }, BUILD_MS_MAX);
  afterAll(async () => {
    await stage?.remove();
  }, TEST_MS_MAX);

  it('adds less than 250 MiB to its base', async () => {
    const docker = await engine();
    const [image, base] = await Promise.all([IMAGE, BASE].map((name) => docker.getImage(name).inspect()));
    const added = image!.Size - base!.Size;
    console.info(`the image adds ${(added / MIB).toFixed(0)} MiB to ${BASE}`);
    expect(added).toBeLessThan(IMAGE_BYTES_MAX);
  });

  it('runs as a user without rights, on a root file system that cannot be written, and is found healthy', async () => {
    const container = await cluster.container(0);
    const { Config, HostConfig } = await container.inspect();
    expect(Config.User).toBe('10001:10001');
    expect(HostConfig.ReadonlyRootfs).toBe(true);
    await eventually('the health check passes', 90_000, async () => {
      const { State } = await container.inspect();
      return State.Health?.Status === 'healthy';
    });
  });

  it('says what it is in labels, and holds no development dependency', async () => {
    const { Config } = await (await engine()).getImage(IMAGE).inspect();
    const { version, license, description } = JSON.parse(
      readFileSync(join(ROOT, 'package.json'), 'utf8'),
    ) as Record<string, string>;
    const of = (name: string): string | undefined => Config.Labels?.[`org.opencontainers.image.${name}`];
    expect([of('title'), of('version'), of('licenses')]).toEqual(['quorate', version, license]);
    expect(of('description')).toBe(description);
    expect(of('source')).toMatch(/^https:/);
    expect(Object.keys(Config.Volumes ?? {})).toEqual(['/var/lib/quorate']);
    const { stdout } = await exec(0, [
      'node',
      '-e',
      "console.log(require('node:fs').readdirSync('node_modules').join())",
    ]);
    expect(stdout.split(',')).toContain('pino');
    expect(stdout).not.toMatch(/typescript|jest|testcontainers/);
  });

  it('is one process, the first of its container, and writes to its volume alone', async () => {
    const script = `
      const fs = require('node:fs');
      const tried = (path) => { try { fs.writeFileSync(path, ''); return 'written'; } catch (error) { return error.code; } };
      const mine = String(process.pid);
      const others = fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name) && name !== mine);
      const first = fs.readFileSync('/proc/1/cmdline', 'utf8').split('\\0').slice(0, 3);
      const paths = ['/var/lib/quorate/probe', '/app/probe', '/tmp/probe'];
      console.log(JSON.stringify({ others, first, written: paths.map(tried) }));`;
    // A health check that runs at this moment is a process, too.
    await eventually('it is alone', TEST_MS_MAX, async () => {
      const { others, first, written } = JSON.parse((await exec(0, ['node', '-e', script])).stdout) as {
        others: string[];
        first: string[];
        written: string[];
      };
      expect(first).toEqual(['node', 'bin/quorate.js', 'start']);
      expect(written).toEqual(['written', 'EROFS', 'EROFS']);
      return others.length === 1;
    });
  });

  it('waits for peers whose names cannot be resolved yet, says so, and is alive', async () => {
    const lines: string[] = [];
    const alone = await stage.start(
      'early-0',
      new GenericContainer(IMAGE)
        .withEnvironment({
          QUORATE_CLUSTER_ID: randomBytes(11).toString('hex'),
          QUORATE_REPLICA_ID: 'hostname',
          QUORATE_REPLICAS: 'early-0,early-1,early-2',
        })
        .withExposedPorts(8080)
        .withWaitStrategy(Wait.forHttp('/health/live', 8080)),
      (line) => lines.push(line),
    );
    await eventually('it says whom it misses', TEST_MS_MAX, () =>
      lines.some((line) => line.includes('waiting to meet replica 1, 2')),
    );
    const ready = await fetch(`http://${alone.getHost()}:${alone.getMappedPort(8080)}/health/ready`);
    expect(ready.status).toBe(503);
    expect(((await ready.json()) as { reasons: string[] }).reasons).not.toEqual([]);
  });

  it('serves workers in containers; a killed leader loses no acknowledged commit, and a stopped one exits with 0', async () => {
    const args = ['--events', '--brokers', cluster.bootstrap, '--commit-ms', '100'];
    const workers = [
      await WorkerContainer.start(stage, 'anna', ['examples/worker-kafkajs.js', ...args]),
      await WorkerContainer.start(stage, 'bert', ['examples/worker-kafkajs.js', ...args]),
    ];
    const commits = (): number => workers.reduce((sum, worker) => sum + worker.all('committed').length, 0);
    await eventually('all eight partitions are committed', 60_000, () => acknowledgedBy(workers).size === 8);
    const { group } = (await cluster.get(0, '/groups/billing')) as { group: { leader: number } };

    const killed = await cluster.container(group.leader);
    await killed.kill();
    const before = commits();
    await eventually('the workers commit again', 60_000, () => commits() > before + 16);
    await killed.start();
    await eventually('the killed replica is ready again', 60_000, () =>
      cluster.get(group.leader, '/health/ready').then(
        () => true,
        () => false,
      ),
    );

    for (const worker of workers) await worker.stop();
    // A replica answers with what it has applied, which may be a moment behind.
    await eventually('every acknowledged commit is there', 20_000, async () => {
      const { offsets } = (await cluster.get(0, '/groups/billing/offsets')) as Offsets;
      const kept = new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
      return [...acknowledgedBy(workers)].every(
        ([partition, offset]) => (kept.get(partition) ?? -1) >= offset,
      );
    });

    const stopped = await cluster.container(group.leader);
    await stopped.stop({ t: 20 });
    expect((await stopped.inspect()).State.ExitCode).toBe(0);
  });
});
