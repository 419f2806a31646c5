import { MemoryStore, Records } from '../../src/locking/index.js';
import { createWorker, type Lease, type Worker, type WorkerOptions } from '../../src/worker/index.js';
import { eventually, sleep } from './waiting.js';

export const TEAM_PARTITIONS = 6;
export const WITHIN_MS = 60_000;

/** Workers that count: each position is committed once, by one of them at a time. */
export class Team {
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
    readonly brokers: readonly string[],
    readonly group: string,
    readonly topic: string,
  ) {}

  async start(name: string, options: Partial<WorkerOptions> = {}): Promise<Worker> {
    const worker = createWorker({
      brokers: this.brokers,
      group: this.group,
      topics: [this.topic],
      clientId: name,
      stores: [this.store],
      sessionTimeoutMs: 6_000,
      createTopics: { partitions: TEAM_PARTITIONS },
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
      Array.from({ length: TEAM_PARTITIONS }, (_, p) => p).every(
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
