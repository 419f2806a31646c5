import { Inject, Injectable, Logger } from '@nestjs/common';
import { DiscoveryService, ExternalContextCreator, MetadataScanner } from '@nestjs/core';
import type { Lease } from '../types.js';
import { Worker } from '../worker.js';
import { findWorkers, type FoundWorker } from './discovery.js';
import { PartitionHandler } from './handler.js';
import { logEvents } from './log-events.js';
import { optionsOf, WORKER_OPTIONS, type WorkerModuleOptions } from './options.js';

/** What is wrong with the classes or options of an application; the message has all of it, with what to do. */
export class WorkerSetupError extends Error {
  override readonly name = 'WorkerSetupError';
  constructor(readonly problems: readonly string[]) {
    super(
      `this application cannot work on partitions:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    );
  }
}

/** The workers of an application, one for each group. */
@Injectable()
export class PartitionWorkers {
  readonly #log = new Logger('WorkerModule');
  readonly #options: WorkerModuleOptions;
  readonly #discovery: DiscoveryService;
  readonly #scanner: MetadataScanner;
  readonly #contexts: ExternalContextCreator;
  readonly #workers = new Map<string, Worker>();

  constructor(
    @Inject(WORKER_OPTIONS) options: WorkerModuleOptions,
    @Inject(DiscoveryService) discovery: DiscoveryService,
    @Inject(MetadataScanner) scanner: MetadataScanner,
    @Inject(ExternalContextCreator) contexts: ExternalContextCreator,
  ) {
    this.#options = options;
    this.#discovery = discovery;
    this.#scanner = scanner;
    this.#contexts = contexts;
  }

  /** When all providers are there. Throws WorkerSetupError. */
  prepare(): void {
    const found = findWorkers(this.#discovery, this.#scanner, this.#options.group);
    const problems = [...found.problems];
    const byGroup = new Map<string, FoundWorker[]>();
    for (const worker of found.workers)
      byGroup.set(worker.group, [...(byGroup.get(worker.group) ?? []), worker]);
    for (const [group, classes] of byGroup) {
      const options = optionsOf(this.#options, group, found.features, (text) => problems.push(text));
      const handlers = classes.map((each) => new PartitionHandler(each, this.#contexts));
      try {
        this.#workers.set(group, this.#workerOf(group, handlers, options));
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        problems.push(`group ${group}: ${error.message}`);
      }
    }
    if (problems.length > 0) throw new WorkerSetupError(problems);
    if (byGroup.size === 0)
      this.#log.warn('no provider has @PartitionWorker: this application works on no partitions');
  }

  /** The groups that this application is a member of. */
  get groups(): readonly string[] {
    return [...this.#workers.keys()];
  }

  /** For its events, `pause`, `resume`, `health`. Throws where no class works in the group. */
  worker(group = this.#options.group ?? this.groups[0] ?? ''): Worker {
    const worker = this.#workers.get(group);
    if (worker === undefined)
      throw new Error(
        `no @PartitionWorker works in the group "${group}"; there is ${this.groups.join(', ') || 'none'}`,
      );
    return worker;
  }

  /** What may be worked on now, in all groups. */
  owned(): readonly Lease[] {
    return [...this.#workers.values()].flatMap((worker) => worker.owned());
  }

  /** Resolves when all groups were joined. Rejects with WorkerError, and none of them works. */
  async start(): Promise<void> {
    const started = await Promise.allSettled([...this.#workers.values()].map((worker) => worker.start()));
    const failed = started.find(({ status }) => status === 'rejected');
    if (failed === undefined) return;
    await this.stop('another group could not be joined');
    throw (failed as PromiseRejectedResult).reason;
  }

  /** Drains, and leaves the groups. A worker that was stopped does not start again. */
  async stop(reason?: string): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop(reason)));
  }

  #workerOf(
    group: string,
    handlers: readonly PartitionHandler[],
    options: ReturnType<typeof optionsOf>,
  ): Worker {
    const byTopic = new Map(
      handlers.flatMap((handler) => handler.worker.topics.map((topic) => [topic, handler] as const)),
    );
    const onPartition = (lease: Lease): Promise<void> => byTopic.get(lease.topic)!.work(lease);
    // An event about a handler that does not settle names it.
    const names = handlers.map(({ worker }) => `${worker.name}.${worker.methods.partition[0]}`);
    Object.defineProperty(onPartition, 'name', { value: names.join(' or ') });
    const ended = (lease: Lease): Promise<void> => byTopic.get(lease.topic)!.settled(lease);
    const worker = new Worker({ ...options, group, topics: [...byTopic.keys()], onPartition }, { ended });
    logEvents(worker, group, this.#log);
    for (const end of ['revoked', 'lost'] as const)
      worker.on(end, ({ leases }) => {
        for (const lease of leases) byTopic.get(lease.topic)!.ended(end, lease);
      });
    return worker;
  }
}
