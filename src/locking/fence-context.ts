import { AsyncLocalStorage } from 'node:async_hooks';
import type { BatchMode, Fence, RecordStore, WriteOperation, WriteOutcome } from './model.js';
import { WrappedStore } from './wrapped-store.js';

/** A fence as a worker holds it: it may know when the partition is lost, before the store says so. */
export interface HeldFence extends Fence {
  /** Aborts when the partition is lost or handed over. */
  readonly signal?: AbortSignal;
  /** Throws when the partition is not ours, as far as this process knows. */
  assertOwned?(): void;
}

const held = new AsyncLocalStorage<HeldFence | undefined>();

/**
 * Runs `work`, and everything it awaits, for a partition: writes to stores `withCurrentFence` carry its fence.
 * With undefined they carry none.
 */
export const runFenced = <R>(fence: HeldFence | undefined, work: () => R): R => held.run(fence, work);

/** The fence that the running code writes under. */
export const currentFence = (): HeldFence | undefined => held.getStore();

/** The same store, where a write that says nothing about a fence is made under the current one. */
export const withCurrentFence = (store: RecordStore): RecordStore => new FencedStore(store);

class FencedStore extends WrappedStore {
  async write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    const fence = currentFence();
    if (fence === undefined) return this.store.write(operations, mode);
    fence.assertOwned?.();
    return this.store.write(
      operations.map((operation) => (operation.fence === undefined ? { ...operation, fence } : operation)),
      mode,
    );
  }
}
