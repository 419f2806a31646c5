import { afterAll, beforeAll, expect } from '@jest/globals';
import type { RebalancesJson } from '../../src/admin/index.js';
import { QuorateContainer, type StartedQuorateContainer } from '../../src/app/testing/container/index.js';
import { eventually } from '../harness/waiting.js';
import {
  BUILD_MS_MAX,
  buildImage,
  describeWithDocker,
  IMAGE,
  Stage,
  it,
  TEST_MS_MAX,
  startQuorate,
  STEP_MS_MAX,
} from './docker.js';
import { acknowledgedBy, WorkerContainer } from './workers.js';

const PARTITIONS = 12;
type Worker = WorkerContainer;
type Six = [Worker, Worker, Worker, Worker, Worker, Worker];

describeWithDocker('a fleet of workers in containers', () => {
  let quorate: StartedQuorateContainer;
  let stage: Stage;
  beforeAll(async () => {
    await buildImage();
    quorate = await startQuorate(new QuorateContainer(IMAGE).withReplicas(3));
    stage = Stage.on(quorate.getNetwork());
  }, BUILD_MS_MAX);
  afterAll(async () => {
    await stage?.remove();
    await quorate?.stop();
  }, TEST_MS_MAX);

  const start = (group: string, name: string, script = 'worker-kafkajs.js'): Promise<WorkerContainer> =>
    WorkerContainer.start(stage, name, [
      `examples/${script}`,
      ...['--events', '--brokers', quorate.getNetworkBootstrapServers(), '--commit-ms', '50'],
      // Nobody loses its session because the machine is busy.
      ...['--session-ms', '30000'],
      ...['--group', group, '--topic', group],
    ]);
  /** Each works on as many partitions as the others, each partition is worked on by one of them, and is committed again. */
  async function served(workers: readonly WorkerContainer[]): Promise<void> {
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await eventually(`${workers.length} workers share all partitions`, STEP_MS_MAX, () => {
      if (workers.some((worker) => worker.owned.length !== PARTITIONS / workers.length)) return false;
      const owned = workers.flatMap((worker) => worker.owned).sort((a, b) => a - b);
      return owned.length === PARTITIONS && owned.every((partition, index) => partition === all[index]);
    });
    const before = acknowledgedBy(workers);
    await eventually('every partition is committed again', STEP_MS_MAX, () => {
      const now = acknowledgedBy(workers);
      return all.every((partition) => (now.get(partition) ?? -1) > (before.get(partition) ?? -1));
    });
  }

  const scaled: WorkerContainer[] = [];
  it('grows from three workers to six: every partition is served by one of them', async () => {
    await quorate.createTopic('scaled', PARTITIONS);
    scaled.push(...(await Promise.all(['a', 'b', 'c'].map((name) => start('scaled', name)))));
    await served(scaled);
    scaled.push(...(await Promise.all(['d', 'e', 'f'].map((name) => start('scaled', name)))));
    await served(scaled);
  });

  it('shrinks from six workers to two, of which one is killed: every partition is served by one of them', async () => {
    const [a, b, c, d, e, f] = scaled as unknown as Six;
    // One way in which a fleet shrinks is to be shut down, another to be killed.
    await Promise.all([d.kill(), ...[a, b, e].map((worker) => worker.stop())]);
    await served([c, f]);
    const owners = await quorate.ownersOf('scaled');
    expect(new Set(owners.map(({ clientId }) => clientId))).toEqual(new Set(['c', 'f']));
    await Promise.all([c, f].map((worker) => worker.stop()));
  });

  /** What changed in a group from a moment on. */
  async function watched(group: string, workers: readonly WorkerContainer[]) {
    const epoch = await quorate.waitForStable(group, { members: workers.length, withinMs: STEP_MS_MAX });
    const seen = workers.map(({ events }) => events.length);
    return async () => {
      await quorate.waitForStable(group, { members: workers.length, withinMs: STEP_MS_MAX });
      const response = await fetch(`${quorate.getHttpUrls()[0]}/groups/${group}/rebalances`);
      const { rebalances } = (await response.json()) as RebalancesJson;
      return {
        rebalances: rebalances
          .filter(({ generation }) => generation > epoch)
          .map(({ trigger, startedAt }) => ({ startedAt, ...trigger })),
        events: workers.flatMap(({ events }, index) => events.slice(seen[index])),
      };
    };
  }

  /** Two workers of a script, while every replica is restarted in turn. */
  async function rolled(group: string, names: readonly string[], script: string) {
    await quorate.createTopic(group, PARTITIONS);
    const workers = await Promise.all(names.map((name) => start(group, name, script)));
    await served(workers);
    const changes = await watched(group, workers);
    const away: (readonly [Date, Date])[] = [];
    for (const id of [1, 2, 3]) {
      const began = new Date();
      expect(await quorate.stopReplica(id)).toBe(0);
      // Each partition is committed again while the replica is away.
      await served(workers);
      away.push([began, new Date()]);
      await quorate.restartReplica(id);
    }
    await served(workers);
    const changed = { ...(await changes()), away };
    await Promise.all(workers.map((worker) => worker.stop()));
    return changed;
  }

  it('on quorate/worker lives through a restart of every replica in turn: nothing rebalances, and no commit fails', async () => {
    const { rebalances, events } = await rolled('rolled-worker', ['cleo', 'dora'], 'worker.js');
    expect(rebalances).toEqual([]);
    // A commit that fails ends the handler, which gives its partition up.
    expect(events.filter(({ kind }) => kind === 'gives')).toEqual([]);
  });

  it('on kafkajs lives through a restart of every replica in turn: no stop is a rebalance, and no consumer crashes', async () => {
    const { rebalances, events, away } = await rolled(
      'rolled-kafkajs',
      ['anna', 'bert'],
      'worker-kafkajs.js',
    );
    // kafkajs joins again whenever it is told 16: on a busy machine also because a lease has run out, whatever stops.
    const ofStops = rebalances.filter(({ startedAt }) =>
      away.some(([from, to]) => new Date(startedAt) >= from && new Date(startedAt) <= to),
    );
    expect(ofStops).toEqual([]);
    // kafkajs may be refused a commit, and repeats it; what it must not do is to give up its membership.
    expect(events.filter(({ kind }) => kind === 'crashed')).toEqual([]);
  });
});
