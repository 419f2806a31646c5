import { Logger } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import type { WorkerOptions } from '../options.js';
import type { Lease, WorkerEvents } from '../types.js';
import { Worker } from '../worker.js';
import { logEvents } from './log-events.js';
import { WorkerSetupError } from './partition-workers.js';

/** Beside other transports: `@EventPattern('tenants', QUORATE_TRANSPORT)`. */
export const QUORATE_TRANSPORT = Symbol('quorate');

export type PartitionTransportOptions = Omit<WorkerOptions, 'topics' | 'onPartition' | 'stopOn'>;

/** As @nestjs/microservices registers a method with its guards, interceptors and filters. */
interface PatternHandler {
  (lease: Lease): unknown;
  /** Another method for the same pattern. */
  readonly next?: unknown;
}

/**
 * A worker as a transport of @nestjs/microservices: the patterns are topics, and the payload of a call is a lease.
 *
 *   app.connectMicroservice({ strategy: new PartitionTransport({ brokers, group: 'billing' }) });
 *
 *   @EventPattern('tenants')
 *   async work(@Payload() lease: Lease) { ... }
 *
 * It is a CustomTransportStrategy by its shape, so that nobody needs that package for the rest of this one.
 */
export class PartitionTransport {
  readonly transportId = QUORATE_TRANSPORT;
  /** The worker reports what an event handler throws, and calls it again. */
  readonly propagatesEventHandlerErrors = true;
  readonly #log = new Logger('PartitionTransport');
  readonly #options: PartitionTransportOptions;
  readonly #handlers = new Map<string, PatternHandler>();
  readonly #problems: string[] = [];
  readonly #listeners: ((worker: Worker) => void)[] = [];
  #worker: Worker | undefined;

  constructor(options: PartitionTransportOptions) {
    this.#options = options;
  }

  /** By Nest, for each method with a pattern. */
  addHandler(pattern: unknown, handler: PatternHandler): void {
    if (typeof pattern !== 'string')
      this.#problems.push(`the pattern ${JSON.stringify(pattern)} is no topic: give a text`);
    else if (this.#handlers.has(pattern))
      this.#problems.push(`two methods have the pattern ${pattern}: a partition has one handler`);
    else this.#handlers.set(pattern, handler);
  }

  /** Joins the group. The callback is given the error when it cannot. */
  listen(callback: (error?: unknown) => void): void {
    this.#start().then(
      () => callback(),
      (error: unknown) => callback(error),
    );
  }

  /** Drains, and leaves the group. */
  async close(): Promise<void> {
    await this.#worker?.stop('the application ends');
  }

  /** Events of the worker. */
  on<K extends keyof WorkerEvents>(event: K, listener: (event: WorkerEvents[K]) => void): void {
    if (this.#worker === undefined) this.#listeners.push((worker) => worker.on(event, listener));
    else this.#worker.on(event, listener);
  }

  /** The worker. Throws before the transport listens. */
  unwrap<T = Worker>(): T {
    if (this.#worker === undefined) throw new Error('there is a worker once the microservice listens');
    return this.#worker as T;
  }

  async #start(): Promise<void> {
    const topics = [...this.#handlers.keys()];
    if (topics.length === 0) this.#problems.push('no method has @EventPattern or @MessagePattern of a topic');
    if (this.#problems.length > 0) throw new WorkerSetupError(this.#problems);
    const worker = new Worker({
      ...this.#options,
      topics,
      onPartition: (lease) => this.#work(lease),
    });
    this.#worker = worker;
    logEvents(worker, this.#options.group, this.#log);
    for (const add of this.#listeners) add(worker);
    await worker.start();
  }

  async #work(lease: Lease): Promise<void> {
    try {
      const result: unknown = await this.#handlers.get(lease.topic)!(lease);
      if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
    } catch (error) {
      // Nest's filters have logged it, and have made something else of a lease's end.
      if (lease.signal.aborted) return;
      throw error instanceof Error
        ? error
        : new Error(`the handler failed: ${JSON.stringify(error)}`, { cause: error });
    }
  }
}
