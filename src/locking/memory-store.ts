import { decide, decideSeal, type Seal } from './decide.js';
import { OutcomeUnknownError } from './errors.js';
import type {
  BatchMode,
  Fence,
  Fields,
  RecordStore,
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
    const outcomes = operations.map((operation) => this.#one(operation));
    if (outcomes.every(({ kind }) => kind === 'written')) return outcomes;
    this.#records = before;
    return outcomes.map((outcome) => (outcome.kind === 'written' ? { kind: 'skipped' } : outcome));
  }

  #one(operation: WriteOperation): WriteOutcome {
    const at = key(operation.resource, operation.id);
    const found = this.#records.get(at);
    const sealed = operation.fence && this.#seals.get(operation.fence.scope)?.token;
    const { outcome, next } = decide(operation, found, sealed ?? null);
    if (next === found) return outcome;
    if (next === undefined) {
      this.#records.delete(at);
      return outcome;
    }
    const changes =
      operation.kind === 'insert' ? operation.value : operation.kind === 'update' ? operation.changes : {};
    this.#records.set(at, { id: operation.id, ...next, value: { ...found?.value, ...changes } });
    return outcome;
  }

  seal(fence: Fence): Promise<SealOutcome> {
    const { scope, token } = fence;
    const present = this.#seals.get(scope);
    const next = decideSeal(fence, present);
    if (next === undefined) {
      return Promise.resolve({ kind: 'stale-epoch', scope, token, current: present!.token });
    }
    this.#seals.set(scope, next);
    return Promise.resolve({ kind: 'sealed', previous: present?.token ?? null });
  }

  fenceOf(scope: string): Promise<bigint | null> {
    return Promise.resolve(this.#seals.get(scope)?.token ?? null);
  }
}

const key = (resource: string, id: string): string => `${resource}\u0000${id}`;
