import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { QuorateContainer, type StartedQuorateContainer } from '../../src/app/testing/container/index.js';
import { eventually } from '../harness/waiting.js';
import {
  BUILD_MS_MAX,
  buildImage,
  describeWithDocker,
  engine,
  IMAGE,
  READY_MS_MAX,
  startQuorate,
  it,
  TEST_MS_MAX,
  STEP_MS_MAX,
} from './docker.js';

/** A kafkajs consumer of this process, from outside of the container network. */
async function consumer(quorate: StartedQuorateContainer, clientId: string, group: string) {
  const kafka = new Kafka({ clientId, brokers: quorate.brokers, logLevel: logLevel.NOTHING });
  const made = kafka.consumer({
    groupId: group,
    sessionTimeout: 6_000,
    heartbeatInterval: 200,
    maxWaitTimeInMs: 200,
  });
  await made.connect();
  await made.subscribe({ topic: 'tenants' });
  await made.run({ eachMessage: () => Promise.resolve() });
  return made;
}

describeWithDocker('QuorateContainer', () => {
  beforeAll(buildImage, BUILD_MS_MAX);

  describe('with three replicas', () => {
    let quorate: StartedQuorateContainer;
    beforeAll(async () => {
      quorate = await startQuorate(new QuorateContainer(IMAGE).withReplicas(3));
      await quorate.createTopic('tenants', 4);
    }, TEST_MS_MAX);
    afterAll(() => quorate?.stop(), TEST_MS_MAX);

    it('tells clients outside the mapped ports of all replicas, and who owns what', async () => {
      const kafka = new Kafka({ brokers: [quorate.brokers[1]!], logLevel: logLevel.NOTHING });
      const admin = kafka.admin();
      await admin.connect();
      const { brokers } = await admin.describeCluster();
      await admin.disconnect();
      expect(brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(quorate.brokers);

      const one = await consumer(quorate, 'anna', 'billing');
      const epoch = await quorate.waitForStable('billing', { members: 1 });
      const owners = await quorate.ownersOf('billing');
      expect(owners.map(({ partition, clientId, epoch: of }) => [partition, clientId, of])).toEqual(
        [0, 1, 2, 3].map((partition) => [partition, 'anna', epoch]),
      );
      await quorate.bumpEpoch('billing', 'anna');
      const next = await eventually('she is back', STEP_MS_MAX, async () => {
        const found = await quorate.waitForStable('billing', { members: 1 });
        return found > epoch ? found : undefined;
      });
      const again = await quorate.ownersOf('billing');
      expect(
        again.every(({ epoch: of, token }, index) => of === next && token! > owners[index]!.token!),
      ).toBe(true);
      await one.disconnect();
    });

    it('loses a leader by kill, pause and partition, and has it back each time, for the same clients', async () => {
      const one = await consumer(quorate, 'bert', 'shipping');
      await quorate.waitForStable('shipping', { members: 1 });
      const another = async (than: number): Promise<number> =>
        eventually('another replica coordinates', STEP_MS_MAX, async () => {
          const found = await quorate.coordinatorOf('shipping').catch(() => undefined);
          return found !== undefined && found !== than ? found : undefined;
        });

      let leader = (await quorate.coordinatorOf('shipping'))!;
      await quorate.killReplica(leader);
      const second = await another(leader);
      await quorate.restartReplica(leader);

      await quorate.pauseReplica(second);
      leader = await another(second);
      await quorate.resumeReplica(second);

      const rest = [1, 2, 3].filter((id) => id !== leader);
      await quorate.partition([leader], rest);
      // The one that is alone says so, and its clients are still connected to it.
      const lonely = quorate.getHttpUrls()[leader - 1]!;
      await eventually('the lonely replica is not ready', STEP_MS_MAX, async () => {
        const { status } = await fetch(`${lonely}/health/ready`);
        return status === 503;
      });
      await quorate.heal();
      await eventually(
        'it is ready again',
        STEP_MS_MAX,
        async () => (await fetch(`${lonely}/health/ready`)).ok,
      );
      await quorate.waitForStable('shipping', { members: 1 });
      expect((await quorate.ownersOf('shipping')).map(({ clientId }) => clientId)).toEqual(
        Array(4).fill('bert'),
      );
      await one.disconnect();
    });
  });

  it('says why it did not start and why a test failed, with the log of the replica, and leaves nothing behind', async () => {
    const docker = await engine();
    const left = async () => [
      (await docker.listContainers({ all: true })).map(({ Id }) => Id).sort(),
      (await docker.listNetworks()).map(({ Id }) => Id).sort(),
      ((await docker.listVolumes()).Volumes ?? []).map(({ Name }) => Name).sort(),
    ];
    const before = await left();
    const wrong = new QuorateContainer(IMAGE)
      .withStartupTimeout(READY_MS_MAX)
      .withEnvironment({ QUORATE_SHARDS: 'many' })
      .start();
    await expect(wrong).rejects.toThrow(
      /did not start: replica 1 ended with exit code 2[^]*replica 1 .*shards is "many"/,
    );
    // One that ends before its ports are there: the error of testcontainers is that they are missing, after ten seconds.
    const gone = new QuorateContainer(IMAGE)
      .withReplicaContainer((container) => container.withEntrypoint(['sh', '-c', 'echo gone; exit 3']))
      .start();
    await expect(gone).rejects.toThrow(/did not start: replica 1 ended with exit code 3\nreplica 1 gone$/);
    const quorate = await startQuorate(new QuorateContainer(IMAGE));
    const failed = quorate.logsOnFailure(() => Promise.reject(new TypeError('it is red')));
    await expect(failed).rejects.toThrow(TypeError);
    await expect(failed).rejects.toThrow(/^it is red\n[^]*\nreplica 1 .*Kafka clients: /);
    await quorate.stop();
    expect(await left()).toEqual(before);
  });
});
