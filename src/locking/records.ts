import { outcomeError, RecordNotFoundError, UnmergeableError } from './errors.js';
import type {
  BatchMode,
  Fence,
  Fields,
  FieldsOf,
  RecordStore,
  ResourceName,
  Sealed,
  SealOutcome,
  VersionedRecord,
  WriteOperation,
  WriteOutcome,
} from './model.js';
import { retryOnConflict, type RetryOptions } from './retry.js';

/** A record, or just its id and the version that was read. */
export type RecordReference = Pick<VersionedRecord<Fields>, 'id' | 'version'>;

export interface WriteOptions {
  /** Write on behalf of a partition: refused once a later owner has written or sealed. */
  readonly fence?: Fence;
}

export interface BulkUpdate<T extends FieldsOf<T>> {
  readonly record: RecordReference;
  readonly changes: Partial<T>;
}

export interface MergeOptions<T extends FieldsOf<T>> extends WriteOptions, RetryOptions {
  /**
   * What to write now: `base` was read, `theirs` is there meanwhile, `mine` was to be written. Undefined: the two changes
   * exclude each other.
   */
  readonly merge: (base: T, theirs: T, mine: Partial<T>) => Partial<T> | undefined;
}

/** The records of one resource in one store. Every `tryX` gives the outcome as a value; its twin throws it as an error. */
export class Records<T extends FieldsOf<T>> {
  readonly #store: RecordStore;
  readonly resource: ResourceName;

  constructor(store: RecordStore, resource: ResourceName) {
    this.#store = store;
    this.resource = resource;
  }

  /** The record, or undefined when there is none. */
  async find(id: string): Promise<VersionedRecord<T> | undefined> {
    return (await this.findAll([id]))[0];
  }

  async findAll(ids: readonly string[]): Promise<readonly (VersionedRecord<T> | undefined)[]> {
    // What a resource holds is the caller's type by declaration; the store checks nothing.
    return (await this.#store.read(this.resource, ids)) as readonly (VersionedRecord<T> | undefined)[];
  }

  /** Throws RecordNotFoundError. */
  async read(id: string): Promise<VersionedRecord<T>> {
    const record = await this.find(id);
    if (record === undefined) throw new RecordNotFoundError(this.resource, id);
    return record;
  }

  /** As the store's: raises the fence of a whole scope, before its new owner reads. Throws StaleEpochError when a later owner has. */
  seal(fence: Fence): Promise<Sealed> {
    return this.#store.seal(fence);
  }
  /** As `seal`, with the refusal as a value. */
  trySeal(fence: Fence): Promise<SealOutcome> {
    return this.#store.trySeal(fence);
  }

  /** Gives version 1, or the next one of an id whose deletion the store remembers. */
  async tryInsert(id: string, value: T, options: WriteOptions = {}): Promise<WriteOutcome> {
    return this.#one({ kind: 'insert', resource: this.resource, id, value, ...options });
  }
  /** Throws RecordExistsError or StaleEpochError; returns the new version. */
  async insert(id: string, value: T, options: WriteOptions = {}): Promise<number> {
    return this.#orThrow(id, await this.tryInsert(id, value, options));
  }

  /** Changes the given fields if nobody else changed the record since it was read. */
  tryUpdate(record: RecordReference, changes: Partial<T>, options: WriteOptions = {}): Promise<WriteOutcome> {
    return this.#one(this.#update({ record, changes }, options));
  }
  /** Throws VersionConflictError, RecordNotFoundError or StaleEpochError; returns the new version. */
  async update(record: RecordReference, changes: Partial<T>, options: WriteOptions = {}): Promise<number> {
    return this.#orThrow(record.id, await this.#one(this.#update({ record, changes }, options)));
  }

  /**
   * As `update`; after a conflict `merge` combines both changes, and the result is tried again.
   * Throws VersionConflictError when `merge` gives up or the attempts are over, and what `update` throws besides.
   */
  async updateMerging(
    record: VersionedRecord<T>,
    changes: Partial<T>,
    options: MergeOptions<T>,
  ): Promise<number> {
    const { merge, fence, ...retry } = options;
    let base = record;
    let mine = changes;
    return retryOnConflict(async (attempt) => {
      if (attempt > 1) {
        const theirs = await this.read(record.id);
        const merged = merge(base.value, theirs.value, mine);
        if (merged === undefined)
          throw new UnmergeableError(this.resource, record.id, base.version, theirs.version);
        base = theirs;
        mine = merged;
      }
      return this.update(base, mine, fence === undefined ? {} : { fence });
    }, retry);
  }

  async tryDelete(record: RecordReference, options: WriteOptions = {}): Promise<WriteOutcome> {
    const { id, version } = record;
    return this.#one({ kind: 'delete', resource: this.resource, id, version, ...options });
  }
  async delete(record: RecordReference, options: WriteOptions = {}): Promise<void> {
    this.#orThrow(record.id, await this.tryDelete(record, options));
  }

  /** Force increment: a new version without a change, so that everybody who read the record before must read it again. */
  async touch(record: RecordReference, options: WriteOptions = {}): Promise<number> {
    return this.#orThrow(record.id, await this.tryTouch(record, options));
  }
  async tryTouch(record: RecordReference, options: WriteOptions = {}): Promise<WriteOutcome> {
    const { id, version } = record;
    return this.#one({ kind: 'touch', resource: this.resource, id, version, ...options });
  }

  /** Many updates in one round trip. `each`: a result per row; `all-or-nothing`: when one fails the others are `skipped`. */
  async bulkUpdate(
    updates: readonly BulkUpdate<T>[],
    mode: BatchMode,
    options: WriteOptions = {},
  ): Promise<readonly WriteOutcome[]> {
    if (updates.length === 0) return [];
    return this.#store.write(
      updates.map((update) => this.#update(update, options)),
      mode,
    );
  }

  #update({ record, changes }: BulkUpdate<T>, options: WriteOptions): WriteOperation {
    const { id, version } = record;
    return {
      kind: 'update',
      resource: this.resource,
      id,
      version,
      changes: definedFields(changes),
      ...options,
    };
  }

  async #one(operation: WriteOperation): Promise<WriteOutcome> {
    return (await this.#store.write([operation], 'all-or-nothing'))[0]!;
  }

  #orThrow(id: string, outcome: WriteOutcome): number {
    const error = outcomeError(this.resource, id, outcome);
    if (error !== undefined) throw error;
    return outcome.kind === 'written' ? outcome.version : 0;
  }
}

/** A field that is undefined stays as it is; null is a value. */
export function definedFields(changes: Partial<Fields>): Fields {
  if (!hasUndefined(changes)) return changes as Fields;
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Fields;
}

function hasUndefined(changes: Partial<Fields>): boolean {
  for (const name in changes) if (changes[name] === undefined) return true;
  return false;
}
