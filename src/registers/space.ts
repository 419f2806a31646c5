import {
  allOrNothing,
  judge,
  judgeSeal,
  outcomeInDigits,
  type RecordState,
  type Seal,
  sealInDigits,
  type SealOutcome,
} from '../guard/index.js';
import type { RecordFence, RecordField, RecordOperation, RecordOutcome } from './types.js';

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

/** So many deleted records are remembered one by one; older ones raise the floor of their space instead. */
const TOMBSTONES_MAX = 1_000;

/** What a record takes beside its characters, and each of its fields: about, by measuring. Bytes. */
const RECORD_BYTES = 300;
const FIELD_BYTES = 40;

/** One space. Maps keep the order of insertion, which is the same on every replica. */
export class Space {
  readonly #records = new Map<string, StoredRecord>();
  #recordBytes = 0;
  /** Oldest first. */
  readonly tombstones = new Map<string, Tombstone>();
  readonly seals = new Map<string, Seal>();
  /** New records begin above it. */
  versionFloor = 0;

  get records(): ReadonlyMap<string, StoredRecord> {
    return this.#records;
  }
  /** About the memory of all records. */
  get recordBytes(): number {
    return this.#recordBytes;
  }
  /** The record from now on; undefined: there is none. */
  keep(id: string, record: StoredRecord | undefined): void {
    const before = this.#records.get(id);
    if (before !== undefined) this.#recordBytes -= bytesOf(id, before);
    if (record === undefined) return void this.#records.delete(id);
    this.#recordBytes += bytesOf(id, record);
    this.#records.set(id, record);
  }

  write(operations: readonly RecordOperation[], atomic: boolean): readonly RecordOutcome[] {
    const undo: (() => void)[] = [];
    const judged = operations.map((operation) => this.#one(operation, undo));
    const outcomes = atomic ? allOrNothing(judged) : judged;
    if (atomic && outcomes.some(({ kind }) => kind !== 'written')) for (const back of undo.reverse()) back();
    else this.#trimTombstones();
    return outcomes;
  }

  #one(operation: RecordOperation, undo: (() => void)[]): RecordOutcome {
    const { id, fence } = operation;
    const record = this.records.get(id);
    const tombstone = record === undefined ? this.tombstones.get(id) : undefined;
    const judgement = judge(operation, {
      record: stateOf(record),
      tombstone: stateOf(tombstone),
      versionFloor: this.versionFloor,
      sealed: (fence === null ? undefined : this.seals.get(fence.scope)?.token) ?? null,
    });
    const mark =
      fence === null ? ((record ?? tombstone)?.fence ?? null) : { scope: fence.scope, token: fence.token };
    if (judgement.effect === 'put') {
      const { version } = judgement.next;
      this.#put(id, { version, fence: mark, fields: fieldsAfter(operation, record) }, undo);
    }
    if (judgement.effect === 'remove')
      this.#bury(id, { version: judgement.tombstone.version, fence: mark }, undo);
    return outcomeInDigits(judgement.outcome);
  }

  #put(id: string, record: StoredRecord, undo: (() => void)[]): void {
    this.#remember(id, undo);
    this.tombstones.delete(id);
    this.keep(id, record);
  }
  #bury(id: string, tombstone: Tombstone, undo: (() => void)[]): void {
    this.#remember(id, undo);
    this.keep(id, undefined);
    this.tombstones.delete(id);
    this.tombstones.set(id, tombstone);
  }
  /** An undone transaction leaves no trace but the order of its ids, and that is the same on every replica. */
  #remember(id: string, undo: (() => void)[]): void {
    const record = this.records.get(id);
    const tombstone = this.tombstones.get(id);
    undo.push(() => {
      this.keep(id, undefined);
      this.tombstones.delete(id);
      this.keep(id, record);
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

  seal(fence: RecordFence): SealOutcome<string> {
    const { outcome, next } = judgeSeal(fence, this.seals.get(fence.scope));
    if (next !== undefined) this.seals.set(fence.scope, next);
    return sealInDigits(outcome);
  }
}

function bytesOf(id: string, { fields }: StoredRecord): number {
  let bytes = RECORD_BYTES + id.length;
  for (const [name, json] of fields) bytes += FIELD_BYTES + name.length + json.length;
  return bytes;
}

const stateOf = (stored: StoredRecord | Tombstone | undefined): RecordState | undefined =>
  stored && { version: stored.version, fence: stored.fence?.token ?? null };

function fieldsAfter(
  operation: RecordOperation,
  record: StoredRecord | undefined,
): ReadonlyMap<string, string> {
  if (operation.kind === 'insert') return fieldsOf(operation.fields);
  if (operation.kind === 'update')
    return fieldsOf(operation.fields, operation.replace ? undefined : record?.fields);
  return record?.fields ?? new Map();
}

function fieldsOf(
  fields: readonly RecordField[],
  base?: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const result = new Map(base);
  for (const { name, json } of fields) result.set(name, json);
  return result;
}
