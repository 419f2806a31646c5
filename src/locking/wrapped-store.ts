import type {
  BatchMode,
  Fence,
  Fields,
  RecordStore,
  ResourceName,
  Sealed,
  SealOutcome,
  VersionedRecord,
  WriteOperation,
  WriteOutcome,
} from './model.js';

/** A store around another one, which passes on what a subclass does not change. */
export abstract class WrappedStore implements RecordStore {
  readonly name: string;
  protected readonly store: RecordStore;

  constructor(store: RecordStore) {
    this.name = store.name;
    this.store = store;
  }

  read(
    resource: ResourceName,
    ids: readonly string[],
  ): Promise<readonly (VersionedRecord<Fields> | undefined)[]> {
    return this.store.read(resource, ids);
  }
  abstract write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]>;
  seal(fence: Fence): Promise<Sealed> {
    return this.store.seal(fence);
  }
  trySeal(fence: Fence): Promise<SealOutcome> {
    return this.store.trySeal(fence);
  }
  fenceOf(scope: string): Promise<bigint | null> {
    return this.store.fenceOf(scope);
  }
}
