import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { addressText } from '../../test/harness/connection.js';
import type { Cluster } from '../../test/harness/cluster.js';
import { eventually, median, sleep } from '../../test/harness/waiting.js';
import type { Report } from '../report.js';
import { type SceneContext, startCluster } from './load.js';

const CLIENTS = ['quorate/worker', 'kafkajs'] as const;
type Client = (typeof CLIENTS)[number];
const PARTITIONS = 8;
const MANY = 1_000;
const LEAVES = 15;
const HEARTBEAT_MS = 500;
const WRITE_MS = 2;
const QUIET_MS = 10_000;
const WITHIN_MS = 60_000;
const MIB = 1_024 * 1_024;

interface Told {
  readonly kind: 'took' | 'gave' | 'ready' | 'done';
  readonly partition: number;
  readonly at: number;
  readonly id: number;
  readonly heartbeats: number;
  readonly cpuMicros: number;
  readonly rssBytes: number;
}

/** One worker in a process of its own. */
class Member {
  /** By partition. */
  readonly tookAt = new Map<number, number>();
  readonly gaveAt = new Map<number, number>();
  readonly #child: ChildProcess;
  readonly #done = new Map<number, (told: Told) => void>();
  readonly #ready: Promise<void>;
  #nextId = 1;

  constructor(options: object) {
    const script = fileURLToPath(new URL('worker-child.js', import.meta.url));
    this.#child = fork(script, [JSON.stringify({ heartbeatMs: HEARTBEAT_MS, ...options })]);
    this.#ready = new Promise((resolve) => {
      this.#child.on('message', (told: Told) => {
        if (told.kind === 'ready') resolve();
        if (told.kind === 'done') this.#done.get(told.id)?.(told);
        if (told.kind === 'took') {
          this.tookAt.set(told.partition, told.at);
          this.gaveAt.delete(told.partition);
        }
        if (told.kind === 'gave') {
          this.gaveAt.set(told.partition, told.at);
          this.tookAt.delete(told.partition);
        }
      });
    });
  }
  async tell(what: 'join' | 'leave' | 'count'): Promise<Told> {
    await this.#ready;
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#done.set(id, resolve);
      this.#child.send({ id, what });
    });
  }
  owns(count: number): Promise<unknown> {
    return eventually(`it owns ${count}`, WITHIN_MS, () => this.tookAt.size === count, 5);
  }
  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** `quorate/worker` and kafkajs, one after the other on one cluster: hand-overs, CPU, memory, a thousand partitions. */
export async function benchWorkers({ report }: SceneContext): Promise<void> {
  const cluster = await startCluster();
  try {
    await cluster.createTopic('few', PARTITIONS);
    await cluster.createTopic('many', MANY);
    const figures = new Map<Client, Figures>();
    for (const client of CLIENTS) {
      report.title(`Workers on ${client}, heartbeats every ${HEARTBEAT_MS} ms`);
      const found = new Figures(report);
      figures.set(client, found);
      await handOvers(cluster, client, found);
      await quiet(cluster, client, 'few', PARTITIONS, found);
      await quiet(cluster, client, 'many', MANY, found);
    }
    report.title('kafkajs for each of quorate/worker, in this run');
    figures.get('kafkajs')!.addRatiosTo(figures.get('quorate/worker')!);
  } finally {
    await cluster.close();
  }
}

/** What was measured of one client. */
class Figures {
  readonly #report: Report;
  readonly #values = new Map<string, number>();
  constructor(report: Report) {
    this.#report = report;
  }
  add(figure: { readonly name: string; readonly value: number; readonly unit: string }): void {
    this.#values.set(figure.name, figure.value);
    this.#report.add(figure);
  }
  addRatiosTo(other: Figures): void {
    for (const [name, value] of this.#values) {
      const its = other.#values.get(name) ?? 0;
      if (value > 0 && its > 0) this.#report.add({ name, value: value / its, unit: 'x' });
    }
  }
}

const groupOf = (client: Client, what: string): string => `bench-${client.replace('/', '-')}-${what}`;
const brokersOf = (cluster: Cluster): readonly string[] => cluster.bootstrap.map(addressText);

/** From the last write of the owner that leaves to the first of the next one. */
async function handOvers(cluster: Cluster, client: Client, report: Figures): Promise<void> {
  const group = groupOf(client, 'leaves');
  await cluster.settled(group);
  const common = { client, group, brokers: brokersOf(cluster), topic: 'few', writeMs: WRITE_MS };
  const [stays, leaves] = [
    new Member({ ...common, name: 'stays' }),
    new Member({ ...common, name: 'leaves' }),
  ];
  const gaps: number[] = [];
  const interrupted: number[] = [];
  try {
    await stays.tell('join');
    for (let round = 0; round < LEAVES; round++) {
      await leaves.tell('join');
      await Promise.all([stays.owns(PARTITIONS / 2), leaves.owns(PARTITIONS / 2)]);
      // At a moment that has nothing to do with the heartbeats.
      await sleep(500 + Math.random() * HEARTBEAT_MS);
      const kept = new Map(stays.tookAt);
      const moving = [...leaves.tookAt.keys()];
      await leaves.tell('leave');
      await eventually(
        'the other has all',
        WITHIN_MS,
        () => moving.every((each) => stays.tookAt.has(each)),
        5,
      );
      await stays.owns(PARTITIONS);
      for (const partition of moving) {
        // Given up while the other was on its way: neither has it.
        const [took, gave] = [stays.tookAt.get(partition), leaves.gaveAt.get(partition)];
        if (took !== undefined && gave !== undefined) gaps.push(took - gave);
      }
      for (const [partition, at] of kept) if (stays.tookAt.get(partition) !== at) interrupted.push(partition);
    }
  } finally {
    for (const member of [stays, leaves]) member.end();
  }
  report.add({
    name: 'clean leave: last write to first of the next owner, p50',
    value: median(gaps),
    unit: 'ms',
  });
  report.add({ name: `the same, worst of ${gaps.length}`, value: Math.max(...gaps), unit: 'ms' });
  const share = (100 * interrupted.length) / gaps.length;
  report.add({ name: 'partitions of others that were interrupted by it', value: share, unit: '%' });
}

/** A worker that owns partitions and does nothing for them. */
async function quiet(
  cluster: Cluster,
  client: Client,
  topic: string,
  partitions: number,
  report: Figures,
): Promise<void> {
  const group = groupOf(client, topic);
  await cluster.settled(group);
  const member = new Member({ client, group, brokers: brokersOf(cluster), topic, writeMs: 0, name: 'quiet' });
  try {
    const bare = await member.tell('count');
    const began = performance.now();
    await member.tell('join');
    await member.owns(partitions);
    const what = `${partitions.toLocaleString('en-US')} partitions`;
    report.add({ name: `${what}: join to all at work`, value: performance.now() - began, unit: 'ms' });
    await sleep(2_000);
    const before = await member.tell('count');
    await sleep(QUIET_MS);
    const after = await member.tell('count');
    const micros = after.cpuMicros - before.cpuMicros;
    const beats = after.heartbeats - before.heartbeats || QUIET_MS / HEARTBEAT_MS;
    report.add({ name: `${what}: CPU for each heartbeat`, value: micros / beats, unit: 'us' });
    const perPartition = micros / partitions / (QUIET_MS / 1_000);
    report.add({ name: `${what}: CPU for each in a second`, value: perPartition, unit: 'us' });
    const grown = (after.rssBytes - bare.rssBytes) / MIB;
    report.add({ name: `${what}: memory of the process beyond an idle one`, value: grown, unit: 'MiB' });
  } finally {
    member.end();
  }
}
