import { allOrNothing, judge, judgeSeal, type Seal } from '../guard/index.js';
import { OutcomeUnknownError, sealedOrThrow } from './errors.js';
import type {
  BatchMode,
  Fence,
  Fields,
  RecordStore,
  Sealed,
  SealOutcome,
  VersionedRecord,
  WriteOperation,
  WriteOutcome,
} from './model.js';

export interface MemoryStoreFaults {
  /** Called before a write is looked at; throw to make it fail without effect. */
  beforeWrite?: (operations: readonly WriteOperation[]) => void;
  /** Called after a write took effect; throw to lose its answer. */
  afterWrite?: (operations: readonly WriteOperation[]) => void;
}

/** A store in memory, with the semantics that the conformance suite asks of the real ones. For tests. */
export class MemoryStore implements RecordStore {
  readonly name = 'memory';
  /** Faults to inject, changeable at any time. */
  faults: MemoryStoreFaults = {};
  #records = new Map<string, VersionedRecord<Fields>>();
  readonly #seals = new Map<string, Seal>();

  read(resource: string, ids: readonly string[]): Promise<readonly (VersionedRecord<Fields> | undefined)[]> {
    return Promise.resolve(ids.map((id) => this.#records.get(key(resource, id))));
  }

  async write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    this.faults.beforeWrite?.(operations);
    const outcomes =
      mode === 'each' ? operations.map((operation) => this.#one(operation)) : this.#all(operations);
    try {
      this.faults.afterWrite?.(operations);
    } catch (error) {
      throw new OutcomeUnknownError('a write to the memory store', error);
    }
    return Promise.resolve(outcomes);
  }

  #all(operations: readonly WriteOperation[]): readonly WriteOutcome[] {
    const before = new Map(this.#records);
    const outcomes = allOrNothing(operations.map((operation) => this.#one(operation)));
    if (outcomes.some(({ kind }) => kind !== 'written')) this.#records = before;
    return outcomes;
  }

  #one(operation: WriteOperation): WriteOutcome {
    const at = key(operation.resource, operation.id);
    const record = this.#records.get(at);
    const sealed = (operation.fence && this.#seals.get(operation.fence.scope)?.token) ?? null;
    const judgement = judge(operation, { record, sealed });
    if (judgement.effect === 'remove') this.#records.delete(at);
    if (judgement.effect === 'put') {
      const changes =
        operation.kind === 'insert' ? operation.value : operation.kind === 'update' ? operation.changes : {};
      const value = { ...record?.value, ...changes };
      this.#records.set(at, { id: operation.id, ...judgement.next, value });
    }
    return judgement.outcome;
  }

  async seal(fence: Fence): Promise<Sealed> {
    return sealedOrThrow(await this.trySeal(fence));
  }

  trySeal(fence: Fence): Promise<SealOutcome> {
    const { outcome, next } = judgeSeal(fence, this.#seals.get(fence.scope));
    if (next !== undefined) this.#seals.set(fence.scope, next);
    return Promise.resolve(outcome);
  }

  fenceOf(scope: string): Promise<bigint | null> {
    return Promise.resolve(this.#seals.get(scope)?.token ?? null);
  }
}

const key = (resource: string, id: string): string => `${resource}\u0000${id}`;
