import { outcomeError } from './errors.js';
import type {
  Fence,
  Fields,
  FieldsOf,
  RecordStore,
  ResourceName,
  WriteOperation,
  WriteOutcome,
} from './model.js';
import { definedFields, type RecordReference, type WriteOptions } from './records.js';

/**
 * What a transaction does about the version of a main record:
 * - `bump`: it grows by one, whether or not fields of the main record change (child bumps root, force increment);
 * - `check`: it must be unchanged when the transaction commits, and stays as it is (read-check).
 */
export type RootMode = 'bump' | 'check';

/**
 * A main record with sub-records, changed together in one transaction. The version that counts is that of the main
 * record: a change of any part bumps it once, so two transactions on the same aggregate never both succeed.
 *
 *   const change = new AggregateChange(store, 'orders', order, { fence });
 *   change.set({ total: 30 });
 *   change.insert('order_lines', 'o1-3', { order: 'o1', sku: 'x', amount: 2 });
 *   await change.commit();
 */
export class AggregateChange<T extends FieldsOf<T>> {
  readonly #store: RecordStore;
  readonly #resource: ResourceName;
  readonly #root: RecordReference;
  readonly #fence: { readonly fence?: Fence };
  readonly #parts: WriteOperation[] = [];
  #changes: Fields = {};
  #mode: RootMode = 'bump';

  constructor(store: RecordStore, resource: ResourceName, root: RecordReference, options: WriteOptions = {}) {
    this.#store = store;
    this.#resource = resource;
    this.#root = root;
    this.#fence = options.fence === undefined ? {} : { fence: options.fence };
  }

  /** Changes fields of the main record. */
  set(changes: Partial<T>): this {
    this.#changes = { ...this.#changes, ...definedFields(changes) };
    return this;
  }

  /** Commit only if the main record is unchanged, without changing its version: for decisions that merely depend on it. */
  readOnlyRoot(): this {
    this.#mode = 'check';
    return this;
  }

  insert<P extends FieldsOf<P>>(resource: ResourceName, id: string, value: P): this {
    this.#parts.push({ kind: 'insert', resource, id, value, ...this.#fence });
    return this;
  }
  update<P extends FieldsOf<P>>(resource: ResourceName, part: RecordReference, changes: P): this {
    const { id, version } = part;
    this.#parts.push({
      kind: 'update',
      resource,
      id,
      version,
      changes: definedFields(changes),
      ...this.#fence,
    });
    return this;
  }
  delete(resource: ResourceName, part: RecordReference): this {
    const { id, version } = part;
    this.#parts.push({ kind: 'delete', resource, id, version, ...this.#fence });
    return this;
  }
  /** Another record that must be unchanged at commit. */
  check(resource: ResourceName, record: RecordReference): this {
    const { id, version } = record;
    this.#parts.push({ kind: 'check', resource, id, version, ...this.#fence });
    return this;
  }

  /** The operations in the order they are sent: the main record first, so that a conflict costs no further work. */
  operations(): readonly WriteOperation[] {
    return [this.#rootOperation(), ...this.#parts];
  }

  async tryCommit(): Promise<readonly WriteOutcome[]> {
    return this.#store.write(this.operations(), 'all-or-nothing');
  }

  /** Throws the error of the first part that failed; returns the main record's version. */
  async commit(): Promise<number> {
    const operations = this.operations();
    const outcomes = await this.#store.write(operations, 'all-or-nothing');
    for (let i = 0; i < operations.length; i++) {
      const error = outcomeError(operations[i]!.resource, operations[i]!.id, outcomes[i]!);
      if (error !== undefined) throw error;
    }
    const [root] = outcomes;
    return root?.kind === 'written' ? root.version : this.#root.version;
  }

  #rootOperation(): WriteOperation {
    const { id, version } = this.#root;
    const head = { resource: this.#resource, id, version, ...this.#fence };
    if (Object.keys(this.#changes).length > 0) return { kind: 'update', changes: this.#changes, ...head };
    return this.#mode === 'check' ? { kind: 'check', ...head } : { kind: 'touch', ...head };
  }
}
