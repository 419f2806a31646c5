import { outcomeError, RecordNotFoundError } from './errors.js';
import type {
  BatchMode,
  Fence,
  Fields,
  RecordStore,
  ResourceName,
  VersionedRecord,
  WriteOperation,
  WriteOutcome,
} from './model.js';

/** A record, or just its id and the version that was read. */
export type RecordReference = Pick<VersionedRecord<Fields>, 'id' | 'version'>;

export interface WriteOptions {
  /** Write on behalf of a partition: refused once a later owner has written or sealed. */
  readonly fence?: Fence;
}

export interface BulkUpdate<T extends Fields> {
  readonly record: RecordReference;
  readonly changes: Partial<T>;
}

/** The records of one resource in one store. Every `tryX` gives the outcome as a value; its twin throws it as an error. */
export class Records<T extends Fields> {
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
    // What stands in a resource is the caller's type by declaration; the store checks nothing.
    return (await this.#store.read(this.resource, ids)) as readonly (VersionedRecord<T> | undefined)[];
  }

  /** Throws RecordNotFoundError. */
  async read(id: string): Promise<VersionedRecord<T>> {
    const record = await this.find(id);
    if (record === undefined) throw new RecordNotFoundError(this.resource, id);
    return record;
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
    return this.#orThrow(record.id, await this.tryUpdate(record, changes, options));
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

  #one(operation: WriteOperation): Promise<WriteOutcome> {
    return this.#store.write([operation], 'all-or-nothing').then(([outcome]) => outcome!);
  }

  #orThrow(id: string, outcome: WriteOutcome): number {
    const error = outcomeError(this.resource, id, outcome);
    if (error !== undefined) throw error;
    return outcome.kind === 'written' ? outcome.version : 0;
  }
}

/** A field that is undefined stays as it is; null is a value. */
export function definedFields(changes: Partial<Fields>): Fields {
  if (Object.values(changes).every((value) => value !== undefined)) return changes as Fields;
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Fields;
}
