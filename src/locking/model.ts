import type { Sealed, SealOutcome, WriteOutcome } from '../guard/index.js';

export type { Sealed, SealOutcome, WriteOutcome } from '../guard/index.js';

/**
 * The model of optimistic locking: a record has a version that grows by one with every change and, when it is guarded,
 * a fence: the highest token that ever wrote it. A write carries the version it read and, optionally, a token; the store
 * takes it if and only if the version matches and the token is not below the fence, in one atomic step.
 */

/** What a record may hold: one flat row. Nested data belongs in JSON text or in sub-records. */
export type FieldValue = string | number | bigint | boolean | null | Date | Uint8Array;
export type Fields = Readonly<Record<string, FieldValue>>;
/** The bound of a record's type: `T extends FieldsOf<T>` takes an interface too, which never has the index signature of Fields. */
export type FieldsOf<T> = { readonly [K in keyof T]: FieldValue };

/**
 * The right to write on behalf of what `scope` names (`group/topic/partition`), as the coordinator granted it. Tokens of
 * a scope only grow, and change exactly when the owner changes. 0 <= token < 2^63.
 */
export interface Fence {
  readonly scope: string;
  readonly token: bigint;
  /** Who holds it, when known: an equal token of another owner is refused by a seal. */
  readonly owner?: string;
}

/** A record as it was read. Versions start at 1 and stay below 2^53. */
export interface VersionedRecord<T extends FieldsOf<T>> {
  readonly id: string;
  readonly version: number;
  /** The highest token that wrote it; null when it was never written under a fence. */
  readonly fence: bigint | null;
  readonly value: T;
}

/** Which table, hash prefix or part of a space a write is for. */
export type ResourceName = string;

/**
 * One write of a batch. `version` is the one that was read.
 * - `touch` changes nothing but the version (force increment);
 * - `check` changes nothing at all: the batch fails unless the record still is at that version when it commits.
 */
export type WriteOperation =
  | {
      readonly kind: 'insert';
      readonly resource: ResourceName;
      readonly id: string;
      readonly value: Fields;
      readonly fence?: Fence;
    }
  | {
      readonly kind: 'update';
      readonly resource: ResourceName;
      readonly id: string;
      readonly version: number;
      /** Only these fields change. */
      readonly changes: Fields;
      readonly fence?: Fence;
    }
  | {
      readonly kind: 'delete';
      readonly resource: ResourceName;
      readonly id: string;
      readonly version: number;
      readonly fence?: Fence;
    }
  | {
      readonly kind: 'touch';
      readonly resource: ResourceName;
      readonly id: string;
      readonly version: number;
      readonly fence?: Fence;
    }
  | {
      readonly kind: 'check';
      readonly resource: ResourceName;
      readonly id: string;
      readonly version: number;
      readonly fence?: Fence;
    };

/** `all-or-nothing`: one transaction. `each`: every write is independent, in one round trip where the store can. */
export type BatchMode = 'all-or-nothing' | 'each';

/**
 * What a database must do: the one port of this library, behind one conformance suite. Rejects with
 * OutcomeUnknownError when it cannot tell whether a write happened, and with the driver's error when it knows that
 * nothing happened; expected outcomes are values.
 */
export interface RecordStore {
  readonly name: string;
  /** In the order of the ids; undefined where there is none. */
  read(
    resource: ResourceName,
    ids: readonly string[],
  ): Promise<readonly (VersionedRecord<Fields> | undefined)[]>;
  /** One outcome per operation, in order. Never empty. */
  write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]>;
  /**
   * Raises the fence of a whole scope: from now on every write that carries a lower token of this scope is refused, on
   * any record of it. A new owner seals first, then reads. Throws StaleEpochError when a later owner has sealed, or
   * another owner with the same token.
   */
  seal(fence: Fence): Promise<Sealed>;
  /** As `seal`, with the refusal as a value. */
  trySeal(fence: Fence): Promise<SealOutcome>;
  /** The highest token a scope was sealed with. */
  fenceOf(scope: string): Promise<bigint | null>;
}
