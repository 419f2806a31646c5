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
  readonly #seals = new Map<string, { token: bigint; owner: string | undefined }>();

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
    const stale = this.#stale(operation.fence, found);
    if (stale !== undefined) return stale;
    const fence = operation.fence?.token ?? found?.fence ?? null;
    if (operation.kind === 'insert') {
      if (found !== undefined) return { kind: 'already-exists', actual: found.version };
      this.#records.set(at, { id: operation.id, version: 1, fence, value: operation.value });
      return { kind: 'written', version: 1 };
    }
    if (found === undefined) return { kind: 'not-found' };
    if (found.version !== operation.version) {
      return { kind: 'version-conflict', expected: operation.version, actual: found.version };
    }
    switch (operation.kind) {
      case 'check':
        return { kind: 'written', version: found.version };
      case 'delete':
        this.#records.delete(at);
        return { kind: 'written', version: found.version };
      case 'touch':
      case 'update': {
        const changes = operation.kind === 'update' ? operation.changes : {};
        const next = {
          id: found.id,
          version: found.version + 1,
          fence,
          value: { ...found.value, ...changes },
        };
        this.#records.set(at, next);
        return { kind: 'written', version: next.version };
      }
    }
  }

  /** A stale epoch is reported before anything else: whoever has lost the partition needs to know nothing more. */
  #stale(fence: Fence | undefined, found: VersionedRecord<Fields> | undefined): WriteOutcome | undefined {
    if (fence === undefined) return undefined;
    const { scope, token } = fence;
    const sealed = this.#seals.get(scope)?.token ?? -1n;
    const written = found?.fence ?? -1n;
    const current = sealed > written ? sealed : written;
    return current > token ? { kind: 'stale-epoch', scope, token, current } : undefined;
  }

  seal(fence: Fence): Promise<SealOutcome> {
    const { scope, token, owner } = fence;
    const present = this.#seals.get(scope);
    const foreign =
      present?.token === token &&
      present.owner !== undefined &&
      owner !== undefined &&
      present.owner !== owner;
    if (present !== undefined && (present.token > token || foreign)) {
      return Promise.resolve({ kind: 'stale-epoch', scope, token, current: present.token });
    }
    this.#seals.set(scope, { token, owner: owner ?? present?.owner });
    return Promise.resolve({ kind: 'sealed', previous: present?.token ?? null });
  }

  fenceOf(scope: string): Promise<bigint | null> {
    return Promise.resolve(this.#seals.get(scope)?.token ?? null);
  }
}

const key = (resource: string, id: string): string => `${resource}\u0000${id}`;
