import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';

/** What there is to do for a tenant: a topic of Quorate holds no records, so the work comes from your own tables, feeds or queues. */
@Injectable()
export class Jobs {
  constructor(private readonly everyMs: number) {}

  /** The number of the next job after this one. Undefined: the signal has aborted. */
  async next(_partition: number, after: number, signal: AbortSignal): Promise<number | undefined> {
    return sleep(this.everyMs, after + 1, { signal }).catch(() => undefined);
  }
}

/** What a job costs. In real life a service that may be slow: in this time a worker may be paused, and lose its partition. */
@Injectable()
export class Prices {
  async of(_tenant: string): Promise<number> {
    return Promise.resolve(3);
  }
}
