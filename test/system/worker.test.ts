import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { WorkerOptions } from '../../src/worker/index.js';
import { addressText } from '../harness/connection.js';
import { Cluster } from '../harness/cluster.js';
import { quorate } from '../harness/quorate-command.js';
import { eventually } from '../harness/waiting.js';
import { TEAM_PARTITIONS as PARTITIONS, Team, WITHIN_MS } from '../harness/worker-team.js';

const MANY = 1_000;

/** How many of them all replicas have had. */
async function requestsOf({ replicas }: Cluster, api: string): Promise<number> {
  let sum = 0;
  for (const { http } of replicas) {
    const text = await (await fetch(`${http}/metrics`)).text();
    sum += Number(new RegExp(`quorate_requests_total{api="${api}"} (\\d+)`).exec(text)?.[1]);
  }
  return sum;
}

describe('workers of quorate/worker on three replicas', () => {
  let cluster: Cluster;
  let team: Team;
  let brokers: readonly string[];
  beforeAll(async () => {
    cluster = await Cluster.start();
    brokers = cluster.bootstrap.map(addressText);
  }, 90_000);
  afterAll(() => cluster.close(), 30_000);
  afterEach(() => team.stop(), 60_000);

  it('share partitions, give them up cleanly, and keep what is not to move', async () => {
    team = new Team(brokers, 'share', 'share');
    const first = await team.start('a');
    await team.works();
    const kept = first.owned();
    await team.start('b');
    await eventually('both have a half', WITHIN_MS, () => team.owners().join() === '3,3');
    // What stays with the first is the same lease.
    for (const lease of first.owned()) expect(kept).toContain(lease);
    await team.works();
    await team.workers[1]!.stop('the test says so');
    await eventually('the first has all', WITHIN_MS, () => team.owners()[0] === PARTITIONS);
    await team.works();
    expect(team.overlaps).toEqual([]);
    expect(team.errors).toEqual([]);
  }, 240_000);

  it('outlive a killed coordinator without losing a lease', async () => {
    team = new Team(brokers, 'killed', 'killed');
    await team.start('a');
    await team.start('b');
    await eventually('both have a half', WITHIN_MS, () => team.owners().join() === '3,3');
    const before = team.workers.flatMap((worker) => worker.owned());
    await cluster.kill(await cluster.leaderOf('killed'));
    await team.works();
    expect(team.workers.flatMap((worker) => worker.owned())).toEqual(before);
    expect(team.overlaps).toEqual([]);
    await cluster.mend();
  }, 240_000);

  it('come back by themselves when all replicas were killed, and continue where the last commit was', async () => {
    team = new Team(brokers, 'all', 'all');
    await team.start('a');
    await team.start('b');
    await team.works();
    await Promise.all(cluster.replicas.map(({ id }) => cluster.kill(id)));
    await eventually('everything owned is lost', WITHIN_MS, () => team.owners().join() === '0,0');
    await cluster.mend();
    await eventually('everything is owned', WITHIN_MS, () => team.owners().join() === '3,3');
    await team.works();
    expect(team.overlaps).toEqual([]);
  }, 180_000);

  it('take 25 joins and leaves in a row', async () => {
    team = new Team(brokers, 'storm', 'storm');
    await team.start('a');
    for (let round = 0; round < 25; round++) {
      const worker = await team.start(`b${round}`);
      await worker.stop();
    }
    await eventually('the first has all', WITHIN_MS, () => team.owners()[0] === PARTITIONS);
    await team.works();
    expect(team.overlaps).toEqual([]);
  }, 180_000);

  it('take over a thousand partitions, with a question or two for all of their positions', async () => {
    team = new Team(brokers, 'many', 'many');
    const begun = new Map<number, bigint | null>();
    const many: Partial<WorkerOptions> = {
      createTopics: { partitions: MANY },
      stores: [],
      onPartition: async ({ partition, position, signal }) => {
        begun.set(partition, position);
        await new Promise((ended) => signal.addEventListener('abort', ended));
      },
    };
    const first = await team.start('a', many);
    await eventually('the first has all', WITHIN_MS, () => begun.size === MANY);
    const some = first.owned().filter(({ partition }) => partition % 100 === 0);
    await Promise.all(some.map((lease) => lease.commit(lease.partition + 7)));
    await first.stop();
    begun.clear();
    const before = await requestsOf(cluster, 'OffsetFetch');
    const since = performance.now();
    await team.start('b', many);
    await eventually('the second has all', WITHIN_MS, () => begun.size === MANY);
    console.info(`join to ${MANY} partitions at work: ${Math.round(performance.now() - since)} ms`);
    // One, and what is asked again when the coordinator moves.
    expect((await requestsOf(cluster, 'OffsetFetch')) - before).toBeLessThanOrEqual(5);
    for (const [partition, position] of begun)
      expect(position).toBe(partition % 100 === 0 ? BigInt(partition + 7) : null);
  }, 180_000);

  it('drain when an operator says so, and come back when their process does', async () => {
    team = new Team(brokers, 'drained', 'drained');
    const first = await team.start('a');
    await team.start('b');
    await eventually('both have a half', WITHIN_MS, () => team.owners().join() === '3,3');
    await team.works();
    const { owner } = first.owned()[0]!;
    const drained = await quorate(cluster, 'groups', 'drain', 'drained', owner, '--json');
    expect(drained.code).toBe(0);
    expect(JSON.parse(drained.text)).toEqual({ group: 'drained', drained: [owner], left: [] });
    expect(first.state).toBe('paused');
    await eventually('the other has all', WITHIN_MS, () => team.owners().join() === `0,${PARTITIONS}`);
    await team.works();
    first.resume();
    await eventually('both have a half again', WITHIN_MS, () => team.owners().join() === '3,3');
    await team.works();
    expect(team.overlaps).toEqual([]);
    expect(team.errors).toEqual([]);
    // A group that nobody is in, for what needs one.
    expect(await quorate(cluster, 'groups', 'drain', 'drained', '--all')).toMatchObject({
      code: 0,
      text: '2 members have drained and left',
    });
    expect(await quorate(cluster, 'offsets', 'reset', 'drained', '--to', 'earliest')).toMatchObject({
      code: 0,
    });
  }, 180_000);

  it('say what to do when they cannot start', async () => {
    team = new Team(brokers, 'errors', 'errors');
    const [replica] = cluster.replicas;
    const http = new URL(replica!.http).host;
    const started = (options: Partial<WorkerOptions>): Promise<unknown> =>
      team.start('x', { createTopics: { partitions: 1 }, startTimeoutMs: 2_000, ...options });
    await expect(started({ brokers: ['127.0.0.1:1'] })).rejects.toThrow(/no broker.*127.0.0.1:1/);
    await expect(started({ brokers: [http] })).rejects.toThrow(/HTTP server answers there/);
    await expect(started({ brokers: ['http://127.0.0.1:9092'] })).rejects.toThrow(
      /is no address of a broker/,
    );
    const missing = team.start('x', { topics: ['nowhere'], createTopics: undefined } as never);
    await expect(missing).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
    await team.start('y', { sessionTimeoutMs: 6_000 });
    await expect(started({ assignor: 'range' })).rejects.toMatchObject({
      code: 'INCONSISTENT_GROUP_PROTOCOL',
    });
    await expect(started({ group: 'g2', sessionTimeoutMs: 99_999_999 })).rejects.toMatchObject({
      code: 'INVALID_SESSION_TIMEOUT',
    });
  }, 180_000);
});
