import type { RecordFence, RecordField, RecordOperation, RecordOutcome, SealOutcome } from './types.js';

/** A token that wrote, and for which scope. */
export interface FenceMark {
  readonly scope: string;
  readonly token: bigint;
}
export interface StoredRecord {
  readonly version: number;
  readonly fence: FenceMark | null;
  readonly fields: ReadonlyMap<string, string>;
}
/** What is remembered of a record that was deleted: versions go on from here, and its fence does not go down. */
export interface Tombstone {
  readonly version: number;
  readonly fence: FenceMark | null;
}
export interface Seal {
  readonly token: bigint;
  readonly owner: string | null;
}

/** So many deleted records are remembered one by one; older ones raise the floor of their space instead. */
const TOMBSTONES_MAX = 1_000;

/** One space. Maps keep the order of insertion, which is the same on every replica. */
export class Space {
  readonly records = new Map<string, StoredRecord>();
  /** Oldest first. */
  readonly tombstones = new Map<string, Tombstone>();
  readonly seals = new Map<string, Seal>();
  /** New records begin above it. */
  versionFloor = 0;

  write(operations: readonly RecordOperation[], atomic: boolean): readonly RecordOutcome[] {
    const undo: (() => void)[] = [];
    const outcomes = operations.map((operation) => this.#one(operation, undo));
    const failed = atomic && outcomes.some(({ kind }) => kind !== 'written');
    if (failed) for (const back of undo.reverse()) back();
    else this.#trimTombstones();
    return failed
      ? outcomes.map((outcome) => (outcome.kind === 'written' ? { kind: 'skipped' } : outcome))
      : outcomes;
  }

  #one(operation: RecordOperation, undo: (() => void)[]): RecordOutcome {
    const { id, fence } = operation;
    const found = this.records.get(id);
    const buried = found === undefined ? this.tombstones.get(id) : undefined;
    const written = (found ?? buried)?.fence ?? null;
    // Before anything else: whoever has lost the scope needs to know nothing more.
    if (fence !== null) {
      const stale = this.#stale(fence, written);
      if (stale !== undefined) return stale;
    }
    const mark = fence === null ? written : { scope: fence.scope, token: fence.token };
    if (operation.kind === 'insert') {
      if (found !== undefined) return { kind: 'already-exists', actual: found.version };
      const version = Math.max(buried?.version ?? 0, this.versionFloor) + 1;
      this.#put(id, { version, fence: mark, fields: fieldsOf(operation.fields) }, undo);
      return { kind: 'written', version };
    }
    if (found === undefined) return { kind: 'not-found' };
    if (found.version !== operation.version)
      return { kind: 'version-conflict', expected: operation.version, actual: found.version };
    const version = found.version + 1;
    switch (operation.kind) {
      case 'check':
        return { kind: 'written', version: found.version };
      case 'delete':
        this.#bury(id, { version, fence: mark }, undo);
        return { kind: 'written', version: found.version };
      case 'touch':
        this.#put(id, { ...found, version, fence: mark }, undo);
        return { kind: 'written', version };
      case 'update': {
        const fields = fieldsOf(operation.fields, operation.replace ? undefined : found.fields);
        this.#put(id, { version, fence: mark, fields }, undo);
        return { kind: 'written', version };
      }
    }
  }

  #stale({ scope, token }: RecordFence, written: FenceMark | null): RecordOutcome | undefined {
    const sealed = this.seals.get(scope)?.token ?? -1n;
    const wrote = written?.token ?? -1n;
    const current = sealed > wrote ? sealed : wrote;
    if (current <= token) return undefined;
    return { kind: 'stale-epoch', scope, token: String(token), current: String(current) };
  }

  #put(id: string, record: StoredRecord, undo: (() => void)[]): void {
    this.#remember(id, undo);
    this.tombstones.delete(id);
    this.records.set(id, record);
  }
  #bury(id: string, tombstone: Tombstone, undo: (() => void)[]): void {
    this.#remember(id, undo);
    this.records.delete(id);
    this.tombstones.delete(id);
    this.tombstones.set(id, tombstone);
  }
  /** An undone transaction leaves no trace but the order of its ids, and that is the same on every replica. */
  #remember(id: string, undo: (() => void)[]): void {
    const record = this.records.get(id);
    const tombstone = this.tombstones.get(id);
    undo.push(() => {
      this.records.delete(id);
      this.tombstones.delete(id);
      if (record !== undefined) this.records.set(id, record);
      if (tombstone !== undefined) this.tombstones.set(id, tombstone);
    });
  }

  #trimTombstones(): void {
    for (const [id, { version, fence }] of this.tombstones) {
      if (this.tombstones.size <= TOMBSTONES_MAX) return;
      this.tombstones.delete(id);
      this.versionFloor = Math.max(this.versionFloor, version);
      // Nobody can tell any more which record it guarded, so it guards its whole scope.
      if (fence !== null && fence.token > (this.seals.get(fence.scope)?.token ?? -1n))
        this.seals.set(fence.scope, { token: fence.token, owner: null });
    }
  }

  seal({ scope, token, owner }: RecordFence): SealOutcome {
    const present = this.seals.get(scope);
    const foreign =
      present?.token === token && present.owner !== null && owner !== null && present.owner !== owner;
    if (present !== undefined && (present.token > token || foreign))
      return { kind: 'stale-epoch', scope, token: String(token), current: String(present.token) };
    const kept = present?.token === token ? present.owner : null;
    this.seals.set(scope, { token, owner: owner ?? kept });
    return { kind: 'sealed', previous: present === undefined ? null : String(present.token) };
  }
}

function fieldsOf(
  fields: readonly RecordField[],
  base?: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const result = new Map(base);
  for (const { name, json } of fields) result.set(name, json);
  return result;
}
