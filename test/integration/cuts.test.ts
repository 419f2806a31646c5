import { afterAll, beforeAll, expect } from '@jest/globals';
import { Redis } from 'ioredis';
import { QuorateContainer, type StartedQuorateContainer } from '../../src/app/testing/container/index.js';
import { RedisStore } from '../../src/locking/redis/index.js';
import { KafkaConnection, parseAddress } from '../harness/connection.js';
import { serviceContainer } from '../harness/service-containers.js';
import { eventually } from '../harness/waiting.js';
import {
  BUILD_MS_MAX,
  buildImage,
  describeWithDocker,
  IMAGE,
  startQuorate,
  Stage,
  it,
  TEST_MS_MAX,
  STEP_MS_MAX,
} from './docker.js';
import { acknowledgedBy, cut, join, WorkerContainer } from './workers.js';

const PARTITIONS = 6;

describeWithDocker('a cut', () => {
  let quorate: StartedQuorateContainer;
  let stage: Stage;
  const finish: (() => unknown)[] = [];
  beforeAll(async () => {
    await buildImage();
    quorate = await startQuorate(new QuorateContainer(IMAGE).withReplicas(3));
    stage = Stage.on(quorate.getNetwork());
  }, BUILD_MS_MAX);
  afterAll(async () => {
    for (const step of finish.reverse()) await step();
    await stage?.remove();
    await quorate?.stop();
  }, TEST_MS_MAX);

  async function workersOf(group: string, names: readonly string[]): Promise<readonly WorkerContainer[]> {
    await quorate.createTopic(group, PARTITIONS);
    const args = ['examples/worker.js', '--events', '--brokers', quorate.getNetworkBootstrapServers()];
    const more = ['--commit-ms', '50', '--session-ms', '6000', '--group', group, '--topic', group];
    return Promise.all(
      names.map((name) => WorkerContainer.start(stage, `${group}-${name}`, [...args, ...more])),
    );
  }
  async function committed(workers: readonly WorkerContainer[]): Promise<void> {
    const before = acknowledgedBy(workers);
    await eventually('every partition is committed again', STEP_MS_MAX, () => {
      const now = acknowledgedBy(workers);
      return now.size === PARTITIONS && [...now].every(([key, offset]) => offset > (before.get(key) ?? -1));
    });
  }
  const httpOf = (id: number): string => quorate.getHttpUrls()[id - 1]!;
  const isReady = async (id: number): Promise<boolean> => (await fetch(`${httpOf(id)}/health/ready`)).ok;
  const another = (group: string, than: number): Promise<number> =>
    eventually(`another replica than ${than} coordinates`, STEP_MS_MAX, async () => {
      const found = await quorate.coordinatorOf(group).catch(() => undefined);
      return found !== undefined && found !== than ? found : undefined;
    });

  /** Asks one replica for the offsets of a group, all the time, as a Kafka client and over HTTP. */
  function stalenessOf(id: number, group: string, workers: readonly WorkerContainer[]) {
    const stale: string[] = [];
    const counts = { answers: 0, refusals: 0 };
    let going = true;
    const judge = (
      how: string,
      floor: ReadonlyMap<number, number>,
      read: ReadonlyMap<number, number>,
    ): void => {
      counts.answers++;
      for (const [partition, offset] of floor)
        if ((read.get(partition) ?? -1) < offset)
          stale.push(
            `${how}: ${partition} is at ${read.get(partition)}, and ${offset} was acknowledged before`,
          );
    };
    const loop = async (ask: () => Promise<boolean>): Promise<void> => {
      while (going) if (!(await ask().catch(() => false))) counts.refusals++;
    };
    const http = loop(async () => {
      const floor = acknowledgedBy(workers);
      const response = await fetch(`${httpOf(id)}/groups/${group}/offsets`, {
        signal: AbortSignal.timeout(2_000),
      });
      if (!response.ok) return false;
      const { offsets } = (await response.json()) as { offsets: { partition: number; offset: string }[] };
      judge('HTTP', floor, new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)])));
      return true;
    });
    const kafka = loop(async () => {
      const connection = await KafkaConnection.open(parseAddress(quorate.brokers[id - 1]!));
      try {
        const floor = acknowledgedBy(workers);
        const { errorCode, topics } = await connection.request(9, 7, {
          groupId: group,
          topics: null,
          requireStable: true,
        });
        if (errorCode !== 0) return false;
        const read = topics.flatMap(({ partitions }) => partitions);
        judge(
          'Kafka',
          floor,
          new Map(read.map((each) => [each.partitionIndex, Number(each.committedOffset)])),
        );
        return true;
      } finally {
        connection.close();
      }
    });
    return async () => {
      going = false;
      await Promise.all([http, kafka]);
      return { stale, ...counts };
    };
  }

  it('of the leader from its peers: the others go on, the lonely leader answers clients nothing stale and follows when it is back', async () => {
    const workers = await workersOf('led', ['a', 'b']);
    await committed(workers);
    const leader = (await quorate.coordinatorOf('led'))!;
    const end = stalenessOf(leader, 'led', workers);
    await quorate.partition(
      [leader],
      [1, 2, 3].filter((id) => id !== leader),
    );
    await another('led', leader);
    await committed(workers);
    expect(await isReady(leader)).toBe(false);
    await quorate.heal();
    await eventually('the lonely leader is ready again', STEP_MS_MAX, () => isReady(leader));
    await committed(workers);
    const { stale, answers, refusals } = await end();
    expect(stale).toEqual([]);
    expect(Math.min(answers, refusals)).toBeGreaterThan(0);
    await Promise.all(workers.map((worker) => worker.kill()));
  });

  it('of a follower, and a follower or a leader that is frozen: nobody rebalances, nothing acknowledged is lost', async () => {
    const workers = await workersOf('followed', ['a', 'b']);
    await committed(workers);
    const epoch = await quorate.waitForStable('followed', { members: 2, withinMs: STEP_MS_MAX });
    // Who came first gave up a part of it to the other.
    const given = (): number => workers.flatMap((worker) => worker.all('gives')).length;
    const before = given();
    const leader = (await quorate.coordinatorOf('followed'))!;
    const follower = (leader % 3) + 1;
    await quorate.partition(
      [follower],
      [1, 2, 3].filter((id) => id !== follower),
    );
    await eventually('the follower is not ready', STEP_MS_MAX, async () => !(await isReady(follower)));
    await committed(workers);
    await quorate.heal();
    await eventually('the follower is ready again', STEP_MS_MAX, () => isReady(follower));

    await quorate.pauseReplica(leader);
    await another('followed', leader);
    await committed(workers);
    await quorate.resumeReplica(leader);
    await eventually('the leader that was frozen is ready', STEP_MS_MAX, () => isReady(leader));
    await committed(workers);
    expect(await quorate.waitForStable('followed', { members: 2, withinMs: STEP_MS_MAX })).toBe(epoch);
    expect(given()).toBe(before);

    await quorate.killReplica(leader);
    await committed(workers);
    await quorate.restartReplica(leader);
    for (const worker of workers) await worker.stop();
    const promised = acknowledgedBy(workers);
    const response = await fetch(`${httpOf(leader)}/groups/followed/offsets`);
    const { offsets } = (await response.json()) as { offsets: { partition: number; offset: string }[] };
    for (const { partition, offset } of offsets)
      expect(Number(offset)).toBeGreaterThanOrEqual(promised.get(partition)!);
  });

  it('of a worker from the replicas: it stops before another one owns its partitions, and joins again when it is back', async () => {
    const [lonely, other] = (await workersOf('cut', ['a', 'b'])) as [WorkerContainer, WorkerContainer];
    await eventually('both work', STEP_MS_MAX, () => lonely.owned.length > 0 && other.owned.length > 0);
    const network = quorate.getNetwork().getName();
    await cut(lonely.container, network);
    await eventually('the other one owns all', STEP_MS_MAX, () => other.owned.length === PARTITIONS);
    expect(lonely.owned).toEqual([]);
    await committed([other]);
    const silent = lonely.all('committed').length;
    await committed([other]);
    expect(lonely.all('committed')).toHaveLength(silent);
    await join(lonely.container, network, lonely.name);
    await eventually('it has its part again', STEP_MS_MAX, () => lonely.owned.length > 0);

    // Frozen, it cannot stop by itself: the group takes its partitions away, and its old lease commits nothing when it wakes.
    await quorate.pauseWorker(lonely.container);
    await eventually('the other one owns all', STEP_MS_MAX, () => other.owned.length === PARTITIONS);
    const epoch = await quorate.waitForStable('cut', { members: 1, withinMs: STEP_MS_MAX });
    const seen = lonely.events.length;
    await quorate.resumeWorker(lonely.container);
    await eventually('it has its part again', STEP_MS_MAX, () => lonely.owned.length > 0);
    await committed([lonely, other]);
    const late = lonely.events.slice(seen).filter(({ kind }) => kind === 'committed');
    expect(late.filter(({ generation }) => generation <= epoch)).toEqual([]);
    await Promise.all([lonely, other].map((worker) => worker.kill()));
  });

  it('of a worker from Redis only, then from the replicas only: no write of a stale owner is in Redis', async () => {
    const redisStage = await Stage.open();
    finish.push(() => redisStage.remove());
    const server = await redisStage.start('redis', await serviceContainer('redis'));
    await quorate.createTopic('ledger', 1);
    const store = { kind: 'redis', name: 'Redis', url: 'redis://redis:6379', prefix: 'cut:' };
    const args = [
      ...['examples/paused-worker.js', '--brokers', quorate.getNetworkBootstrapServers()],
      ...['--urls', quorate.getNetworkHttpUrls().join(','), '--group', 'bank', '--topic', 'ledger'],
      ...['--stores', JSON.stringify([store]), '--session-ms', '4000', '--work-ms', '100'],
    ];
    const start = async (name: string): Promise<WorkerContainer> => {
      const worker = await WorkerContainer.start(stage, name, args);
      await join(worker.container, redisStage.network.getName(), name);
      return worker;
    };
    const wrote = (worker: WorkerContainer): number => worker.all('wrote').length;
    const anna = await start('anna');
    await eventually('anna writes', STEP_MS_MAX, () => wrote(anna) > 3);
    const bert = await start('bert');
    await quorate.waitForStable('bank', { members: 2, withinMs: STEP_MS_MAX });
    const owner = async (): Promise<WorkerContainer> =>
      (await quorate.ownersOf('bank'))[0]!.clientId === 'anna' ? anna : bert;
    const first = await owner();
    await eventually('the owner writes', STEP_MS_MAX, () => wrote(first) > 3);

    // From Redis only: it is alive to the group and keeps its partition; nothing is written by anybody until it is back.
    await cut(first.container, redisStage.network.getName());
    const epoch = await quorate.waitForStable('bank', { members: 2, withinMs: STEP_MS_MAX });
    const others = wrote(first === anna ? bert : anna);
    const before = wrote(first);
    await join(first.container, redisStage.network.getName(), first.name);
    await eventually('it writes again', STEP_MS_MAX, () => wrote(first) > before + 3);
    expect(await quorate.waitForStable('bank', { members: 2, withinMs: STEP_MS_MAX })).toBe(epoch);
    expect(wrote(first === anna ? bert : anna)).toBe(others);

    // From the replicas only: Redis would still take its writes, if they were not fenced.
    const second = first === anna ? bert : anna;
    await cut(first.container, quorate.getNetwork().getName());
    await eventually('the other one owns and writes', STEP_MS_MAX, () => wrote(second) > others + 3);
    expect(first.all('stops').length).toBeGreaterThan(0);
    const silent = wrote(first);
    const now = wrote(second);
    await eventually('the other one goes on', STEP_MS_MAX, () => wrote(second) > now + 3);
    expect(wrote(first)).toBe(silent);

    await Promise.all([anna, bert].map((worker) => worker.kill()));
    const redis = new Redis(server.getMappedPort(6379), server.getHost());
    finish.push(() => redis.disconnect());
    const records = new RedisStore(redis, { prefix: store.prefix });
    const [account] = await records.read('accounts', ['acct-0']);
    const lines = await redis.keys(`${store.prefix}*:r:journal:*`);
    // A write of a stale owner would be a line whose deposit the next owner's balance does not have.
    expect(Number(account!.value['balance'])).toBe(10 * lines.length);
  });
});
