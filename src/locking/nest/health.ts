import { Injectable } from '@nestjs/common';
import type { RecordStore } from '../model.js';

export interface HealthProbeOptions {
  /** Another store than the one that the indicator belongs to. */
  readonly store?: RecordStore;
  /** No answer within this long means down. Default 1000. */
  readonly timeoutMs?: number;
  /** A read that shows that the store answers. Default: the fence of a scope that nobody has. */
  readonly probe?: (store: RecordStore) => Promise<unknown>;
}

/** As @nestjs/terminus expects it of an indicator. */
export type HealthResult = Readonly<
  Record<string, { readonly status: 'up' | 'down'; readonly [detail: string]: string | number }>
>;

/** `health.check([() => locking.isHealthy('redis')])` */
@Injectable()
export class LockingHealthIndicator {
  readonly #store: RecordStore;
  constructor(store: RecordStore) {
    this.#store = store;
  }

  async isHealthy(
    key = 'locking',
    { store = this.#store, timeoutMs = 1_000, probe = readAFence }: HealthProbeOptions = {},
  ): Promise<HealthResult> {
    const from = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      await Promise.race([probe(store), late]);
      return { [key]: { status: 'up', store: store.name, latencyMs: Math.round(performance.now() - from) } };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { [key]: { status: 'down', store: store.name, message } };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** In the shape of the scopes that the coordinator gives out, should a store derive something from it. */
const readAFence = (store: RecordStore): Promise<unknown> => store.fenceOf('quorate/health/0');
