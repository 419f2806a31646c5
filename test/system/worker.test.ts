import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { MemoryStore, Records } from '../../src/locking/index.js';
import { createWorker, type Lease, type Worker, type WorkerOptions } from '../../src/worker/index.js';
import { addressText } from '../harness/connection.js';
import { Cluster } from '../harness/cluster.js';
import { quorate } from '../harness/quorate-command.js';
import { eventually, sleep } from '../harness/waiting.js';

const PARTITIONS = 6;
const WITHIN_MS = 60_000;
const MANY = 1_000;

/** How many of them all replicas have had. */
async function requestsOf({ replicas }: Cluster, api: string): Promise<number> {
  let sum = 0;
  for (const { http } of replicas) {
    const text = await (await fetch(`${http}/metrics`)).text();
    sum += Number(new RegExp(`quorate_broker{what="requests_${api}"} (\\d+)`).exec(text)?.[1]);
  }
  return sum;
}

/** Workers that count: each position is committed once, by one of them at a time. */
class Team {
  readonly store = new MemoryStore();
  readonly records = new Records<{ n: number }>(this.store, 'counters');
  readonly errors: string[] = [];
  /** By partition, who works on it now. */
  readonly working = new Map<number, string>();
  readonly overlaps: string[] = [];
  /** By partition, the highest position whose commit has resolved. */
  readonly committed = new Map<number, bigint>();
  readonly workers: Worker[] = [];

  constructor(
    readonly cluster: Cluster,
    readonly group: string,
    readonly topic: string,
  ) {}

  async start(name: string, options: Partial<WorkerOptions> = {}): Promise<Worker> {
    const worker = createWorker({
      brokers: this.cluster.bootstrap.map(addressText),
      group: this.group,
      topics: [this.topic],
      clientId: name,
      stores: [this.store],
      sessionTimeoutMs: 6_000,
      createTopics: { partitions: PARTITIONS },
      onPartition: (lease) => this.#work(name, lease),
      ...options,
    });
    worker.on('error', ({ error }) => this.errors.push(error.message));
    this.workers.push(worker);
    await worker.start();
    return worker;
  }

  async #work(name: string, lease: Lease): Promise<void> {
    const { partition } = lease;
    const other = this.working.get(partition);
    if (other !== undefined) this.overlaps.push(`${partition}: ${other} and ${name}`);
    this.working.set(partition, name);
    try {
      const before = this.committed.get(partition) ?? 0n;
      if ((lease.position ?? 0n) < before)
        this.overlaps.push(`${partition}: ${name} begins at ${lease.position}, ${before} was committed`);
      for (let position = (lease.position ?? 0n) + 1n; !lease.signal.aborted; position++) {
        await this.#count(lease);
        await lease.commit(position);
        this.committed.set(partition, position);
        await sleep(20);
      }
    } finally {
      this.working.delete(partition);
    }
  }

  async #count(lease: Lease): Promise<void> {
    const id = String(lease.partition);
    const record = await this.records.find(id);
    if (record === undefined) await this.records.insert(id, { n: 1 }, { fence: lease });
    else await this.records.update(record, { n: record.value.n + 1 }, { fence: lease });
  }

  /** Every partition has made progress since now. */
  async works(): Promise<void> {
    const before = new Map(this.committed);
    await eventually(`all partitions of ${this.group} are worked on`, WITHIN_MS, () =>
      Array.from({ length: PARTITIONS }, (_, p) => p).every(
        (p) => (this.committed.get(p) ?? 0n) > (before.get(p) ?? 0n) + 1n,
      ),
    );
  }
  owners(): readonly number[] {
    return this.workers.map((worker) => worker.owned().length);
  }
  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }
}

describe('workers of quorate/worker on three replicas', () => {
  let cluster: Cluster;
  let team: Team;
  beforeAll(async () => {
    cluster = await Cluster.start();
  }, 90_000);
  afterAll(() => cluster.close(), 30_000);
  afterEach(() => team.stop(), 60_000);

  it('share partitions, give them up cleanly, and keep what is not to move', async () => {
    team = new Team(cluster, 'share', 'share');
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
    team = new Team(cluster, 'killed', 'killed');
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
    team = new Team(cluster, 'all', 'all');
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
    team = new Team(cluster, 'storm', 'storm');
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
    team = new Team(cluster, 'many', 'many');
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
    team = new Team(cluster, 'drained', 'drained');
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
    team = new Team(cluster, 'errors', 'errors');
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
