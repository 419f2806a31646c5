import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { StartedTestContainer } from 'testcontainers';
import { eventually } from '../harness/waiting.js';
import { clientContainer, ContainerCluster } from './cluster.js';
import { BUILD_MS_MAX, buildImage, describeWithDocker, engine, BASE, IMAGE, Stage } from './docker.js';

const TEST_MS_MAX = 180_000;
const MIB = 1024 * 1024;
/** What the image may add to its base. */
const IMAGE_BYTES_MAX = 250 * MIB;

interface WorkerEvent {
  readonly kind: string;
  readonly name: string;
  readonly partition: number;
  readonly offset: number;
}

interface Offsets {
  readonly offsets: readonly { readonly partition: number; readonly offset: number | string }[];
}

describeWithDocker('the image', () => {
  let stage: Stage;
  let cluster: ContainerCluster;

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

  it(
    'runs as a user without rights, on a root file system that cannot be written, and is found healthy',
    async () => {
      const container = await cluster.container(0);
      const { Config, HostConfig } = await container.inspect();
      expect(Config.User).toBe('10001:10001');
      expect(HostConfig.ReadonlyRootfs).toBe(true);
      await eventually('the health check passes', 90_000, async () => {
        const { State } = await container.inspect();
        return State.Health?.Status === 'healthy';
      });
    },
    TEST_MS_MAX,
  );

  it(
    'serves workers in containers; a killed leader loses no acknowledged commit, and a stopped one exits with 0',
    async () => {
      const workers: StartedTestContainer[] = [];
      const acknowledged = new Map<number, number>();
      let commits = 0;
      for (const name of ['anna', 'bert']) {
        const args = ['--events', '--name', name, '--brokers', cluster.bootstrap, '--commit-ms', '100'];
        const worker = await stage.start(name, clientContainer('examples/worker-kafkajs.js', args));
        workers.push(worker);
        createInterface({ input: await worker.logs() }).on('line', (line) => {
          if (!line.startsWith('{')) return;
          const { kind, partition, offset } = JSON.parse(line) as WorkerEvent;
          if (kind !== 'committed') return;
          commits++;
          acknowledged.set(partition, Math.max(offset, acknowledged.get(partition) ?? 0));
        });
      }
      await eventually('all eight partitions are committed', 60_000, () => acknowledged.size === 8);
      const { group } = (await cluster.get(0, '/groups/billing')) as { group: { leader: number } };

      const killed = await cluster.container(group.leader);
      await killed.kill();
      const before = commits;
      await eventually('the workers commit again', 60_000, () => commits > before + 16);
      await killed.start();
      await eventually('the killed replica is ready again', 60_000, () =>
        cluster.get(group.leader, '/health/ready').then(
          () => true,
          () => false,
        ),
      );

      for (const worker of workers) await (await engine()).getContainer(worker.getId()).stop({ t: 20 });
      // A replica answers with what it has applied, which may be a moment behind.
      await eventually('every acknowledged commit is there', 20_000, async () => {
        const { offsets } = (await cluster.get(0, '/groups/billing/offsets')) as Offsets;
        const kept = new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
        return [...acknowledged].every(([partition, offset]) => (kept.get(partition) ?? -1) >= offset);
      });

      const stopped = await cluster.container(group.leader);
      await stopped.stop({ t: 20 });
      expect((await stopped.inspect()).State.ExitCode).toBe(0);
    },
    TEST_MS_MAX,
  );
});
