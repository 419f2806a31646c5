import { channel } from 'node:diagnostics_channel';
import { type Counter, metrics, type MeterProvider } from '@opentelemetry/api';
import { type LockingError, OutcomeUnknownError, sealedOrThrow } from './errors.js';
import type {
  BatchMode,
  Fence,
  RecordStore,
  ResourceName,
  Sealed,
  SealOutcome,
  WriteOperation,
  WriteOutcome,
} from './model.js';
import { WrappedStore } from './wrapped-store.js';
import type { RetryOptions } from './retry.js';

/** What is worth knowing about writes. Watch the `fenced` ones: each is a previous owner that was kept from corrupting data. */
export type LockingEvent =
  | {
      readonly kind: 'conflict';
      readonly store: string;
      readonly resource: ResourceName;
      readonly id: string;
      /** The version that was read; null for an insert whose id was taken. */
      readonly expected: number | null;
      readonly actual: number;
    }
  | {
      readonly kind: 'fenced';
      readonly store: string;
      readonly scope: string;
      readonly token: bigint;
      readonly current: bigint;
      /** What should have been written; absent when a seal was refused. */
      readonly resource?: ResourceName;
      readonly id?: string;
    }
  | { readonly kind: 'outcome-unknown'; readonly store: string; readonly error: OutcomeUnknownError }
  | { readonly kind: 'retry'; readonly error: LockingError; readonly attempt: number };

/** The name under which `node:diagnostics_channel` carries the LockingEvents of this process. */
export const LOCKING_CHANNEL = 'quorate:locking';
const events = channel(LOCKING_CHANNEL);

const COUNTERS = {
  writes: 'Writes asked of a store',
  conflicts: 'Writes refused because somebody else had changed the record',
  fenced_writes: 'Writes and seals refused because a later owner has taken over',
  unknown_outcomes: 'Writes of which the answer was lost',
  retries: 'Attempts that followed a conflict',
} as const;
type Counters = Readonly<Record<keyof typeof COUNTERS, Counter>>;

let present: { readonly provider: MeterProvider; readonly counters: Counters } | undefined;
/** Of the meter provider that is registered now: an SDK may start later than the first store. */
function counters(): Counters {
  const provider = metrics.getMeterProvider();
  if (present?.provider !== provider) {
    const meter = provider.getMeter('quorate.locking');
    const made = Object.entries(COUNTERS).map(([name, description]) => [
      name,
      meter.createCounter(`quorate.locking.${name}`, { description }),
    ]);
    present = { provider, counters: Object.fromEntries(made) as Counters };
  }
  return present.counters;
}

/**
 * The same store, with its writes counted through OpenTelemetry (`quorate.locking.*`; nothing without an SDK) and its
 * refusals published as LockingEvents.
 */
export const observed = (store: RecordStore): RecordStore => new ObservedStore(store);

/** The same options, with each retry counted and published. */
export function observedRetry(options: RetryOptions): RetryOptions {
  return {
    ...options,
    onRetry: (error, attempt) => {
      counters().retries.add(1, { reason: error.code });
      events.publish({ kind: 'retry', error, attempt } satisfies LockingEvent);
      options.onRetry?.(error, attempt);
    },
  };
}

class ObservedStore extends WrappedStore {
  async write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    for (const { resource } of operations) counters().writes.add(1, this.#labels(resource));
    const outcomes = await this.#watched(() => this.store.write(operations, mode));
    outcomes.forEach((outcome, i) => this.#count(operations[i]!, outcome));
    return outcomes;
  }

  override async seal(fence: Fence): Promise<Sealed> {
    return sealedOrThrow(await this.trySeal(fence));
  }

  override async trySeal(fence: Fence): Promise<SealOutcome> {
    const outcome = await this.#watched(() => this.store.trySeal(fence));
    if (outcome.kind === 'stale-epoch') {
      counters().fenced_writes.add(1, this.#labels());
      events.publish({ ...outcome, kind: 'fenced', store: this.name } satisfies LockingEvent);
    }
    return outcome;
  }

  #count(operation: WriteOperation, outcome: WriteOutcome): void {
    const { resource, id } = operation;
    switch (outcome.kind) {
      case 'version-conflict':
      case 'already-exists': {
        const expected = outcome.kind === 'version-conflict' ? outcome.expected : null;
        counters().conflicts.add(1, this.#labels(resource));
        events.publish({
          kind: 'conflict',
          store: this.name,
          ...{ resource, id, expected, actual: outcome.actual },
        } satisfies LockingEvent);
        break;
      }
      case 'stale-epoch':
        counters().fenced_writes.add(1, this.#labels(resource));
        events.publish({ ...outcome, kind: 'fenced', store: this.name, resource, id } satisfies LockingEvent);
        break;
      case 'written':
      case 'not-found':
      case 'skipped':
    }
  }

  async #watched<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof OutcomeUnknownError) {
        counters().unknown_outcomes.add(1, this.#labels());
        events.publish({ kind: 'outcome-unknown', store: this.name, error } satisfies LockingEvent);
      }
      throw error;
    }
  }

  #labels(resource?: ResourceName): Record<string, string> {
    return resource === undefined ? { store: this.name } : { store: this.name, resource };
  }
}
