import { LockingError, NotOwnedError } from '../errors.js';
import type { Fence } from '../model.js';
import { fullJitterMs, pause } from '../retry.js';
import type { PartitionFence } from './hold.js';

const RESTART_MS_MAX = 30_000;

export interface WorkOptions {
  /** Sealed with the fence before each run of the handler; every store of `quorate/locking` is one. Default: none. */
  readonly stores?: readonly { seal(fence: Fence): Promise<unknown> }[];
  /** The pause before a handler that threw runs again; doubles up to 30 s. Milliseconds. Default 100. */
  readonly restartMs?: number;
}

/** Works until `fence.signal` aborts, and settles. When it returns before, the partition is done until it is owned anew. */
export type FenceHandler = (fence: PartitionFence) => Promise<void> | void;

/**
 * One loop for each partition: it seals, runs the handler, and runs it again after a back-off when it throws. The next loop of a
 * partition begins when its last one has settled: both could hold the same token.
 */
export class WorkLoops {
  readonly #handler: FenceHandler;
  readonly #stores: NonNullable<WorkOptions['stores']>;
  readonly #restartMs: number;
  readonly #failed: (error: Error, fence: PartitionFence) => void;
  /** By scope, the last one. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    handler: FenceHandler,
    { stores = [], restartMs = 100 }: WorkOptions,
    failed: (error: Error, fence: PartitionFence) => void,
  ) {
    this.#handler = handler;
    this.#stores = stores;
    this.#restartMs = restartMs;
    this.#failed = failed;
  }

  begin(fence: PartitionFence): void {
    const { scope } = fence;
    const loop = this.#loop(fence, this.#running.get(scope)).finally(() => {
      if (this.#running.get(scope) === loop) this.#running.delete(scope);
    });
    this.#running.set(scope, loop);
  }

  /** Resolves when no handler runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  async #loop(fence: PartitionFence, before: Promise<void> | undefined): Promise<void> {
    await before;
    for (let failures = 1; !fence.signal.aborted; failures++) {
      try {
        for (const store of this.#stores) await store.seal(fence);
        return await this.#handler(fence);
      } catch (error) {
        if (!isEnd(fence, error)) this.#failed(error as Error, fence);
      }
      const wait = fullJitterMs(failures, { backoffMs: this.#restartMs, backoffMsMax: RESTART_MS_MAX });
      await pause(wait, fence.signal).catch(() => undefined);
    }
  }
}

/** A handler that stops because it was told to has not failed. */
function isEnd({ signal }: PartitionFence, error: unknown): boolean {
  if (!signal.aborted) return false;
  if (error === signal.reason || error instanceof NotOwnedError) return true;
  if (error instanceof LockingError) return error.code === 'stale-epoch';
  return error instanceof Error && error.name === 'AbortError';
}
