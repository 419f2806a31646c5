import { StaleEpochError } from '../locking/index.js';
import type { SealableStore } from './options.js';
import { fenceForgotten, sealRefused, type WorkerError } from './problems.js';
import type { RunningLease } from './running-lease.js';

/** The seals of leases in the stores: made before a handler begins, and looked at again and again while it runs. */
export class Seals {
  readonly #stores: readonly SealableStore[];
  readonly #sealed = new Map<RunningLease, bigint>();

  constructor(stores: readonly SealableStore[]) {
    this.#stores = stores;
  }

  /** Rejects with WorkerError when a store has seen a higher token, and with whatever else the store says. */
  async make(lease: RunningLease): Promise<void> {
    for (const store of this.#stores) await sealed(store, lease);
    this.#sealed.set(lease, lease.token);
  }
  forget(lease: RunningLease): void {
    this.#sealed.delete(lease);
  }

  /**
   * A store may forget a seal: it evicted it, was emptied, or came back from a backup. An owner of before may have written since;
   * what was forgotten is told, and sealed again.
   */
  async check(forgotten: (error: WorkerError, lease: RunningLease) => void): Promise<void> {
    for (const [lease, token] of this.#sealed) {
      for (const store of this.#stores) {
        if (store.fenceOf === undefined || lease.end !== undefined) continue;
        // A store that cannot be asked says so to the handler.
        const found = await store.fenceOf(lease.scope).catch(() => undefined);
        if (found === undefined || (found !== null && found >= token) || lease.end !== undefined) continue;
        forgotten(fenceForgotten(lease.scope, token, found), lease);
        await sealed(store, lease).catch((error: Error) => forgotten(error as WorkerError, lease));
      }
    }
  }
}

async function sealed(store: SealableStore, lease: RunningLease): Promise<void> {
  try {
    await store.seal(lease);
  } catch (error) {
    throw error instanceof StaleEpochError ? sealRefused(lease.scope, error) : error;
  }
}
