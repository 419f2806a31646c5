import { Inject, Injectable } from '@nestjs/common';
import type { WorkerHealth } from '../worker.js';
import { PartitionWorkers } from './partition-workers.js';

export interface WorkerHealthOptions {
  /** One group. Default: all. */
  readonly group?: string;
  /** A coordinator that has not answered for longer means down. Milliseconds. Default 10,000. */
  readonly answerWithinMs?: number;
}

/** As @nestjs/terminus expects it of an indicator; beside the status, what `health()` says of each group. */
export type WorkerHealthResult = Readonly<
  Record<string, { readonly status: 'up' | 'down'; readonly [group: string]: 'up' | 'down' | WorkerHealth }>
>;

/** `health.check([() => workers.isHealthy()])` */
@Injectable()
export class WorkerHealthIndicator {
  readonly #workers: PartitionWorkers;
  constructor(@Inject(PartitionWorkers) workers: PartitionWorkers) {
    this.#workers = workers;
  }

  /** Down while a group is not joined: before the start, after a stop, after an error that ended the worker, and without its coordinator. */
  isHealthy(
    key = 'workers',
    { group, answerWithinMs = 10_000 }: WorkerHealthOptions = {},
  ): WorkerHealthResult {
    const groups = group === undefined ? this.#workers.groups : [group];
    const all = groups.map((name) => [name, this.#workers.worker(name).health()] as const);
    const up = all.every(([, health]) => isUp(health, answerWithinMs));
    return { [key]: { ...Object.fromEntries(all), status: up ? 'up' : 'down' } };
  }
}

function isUp({ state, lastAnswerMs }: WorkerHealth, answerWithinMs: number): boolean {
  switch (state) {
    case 'working':
    case 'joining':
      return lastAnswerMs !== undefined && lastAnswerMs < answerWithinMs;
    case 'paused':
      return true;
    case 'idle':
    case 'stopping':
    case 'stopped':
    case 'failed':
      return false;
  }
}
