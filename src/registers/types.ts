import type { SealOutcome, WriteOutcome } from '../guard/index.js';

/**
 * Versioned records, grouped in spaces. A space lives in one shard, so all records of a space may change in one
 * transaction. What a record holds is opaque here: fields by name, each a JSON text.
 */

/** Which owner writes for which scope. 0 <= token < 2^63. */
export interface RecordFence {
  readonly scope: string;
  readonly token: bigint;
  /** Who holds it, when known: a seal refuses an equal token of another owner. */
  readonly owner: string | null;
}

export interface RecordField {
  readonly name: string;
  readonly json: string;
}

/** One change of a transaction; `version` is the one that was read. */
export type RecordOperation =
  | {
      readonly kind: 'insert';
      readonly id: string;
      readonly fields: readonly RecordField[];
      readonly fence: RecordFence | null;
    }
  | {
      readonly kind: 'update';
      readonly id: string;
      readonly version: number;
      readonly fields: readonly RecordField[];
      /** Fields that are not named go, instead of staying as they are. */
      readonly replace: boolean;
      readonly fence: RecordFence | null;
    }
  | ({ readonly kind: 'delete' } & RecordAtVersion)
  /** Changes the version alone. */
  | ({ readonly kind: 'touch' } & RecordAtVersion)
  /** Changes nothing, and fails unless the record is at that version. */
  | ({ readonly kind: 'check' } & RecordAtVersion);

export interface RecordAtVersion {
  readonly id: string;
  readonly version: number;
  readonly fence: RecordFence | null;
}

export type RegisterCommand =
  | {
      readonly kind: 'record.write';
      readonly space: string;
      readonly operations: readonly RecordOperation[];
      /** All or nothing; otherwise each operation is independent. */
      readonly atomic: boolean;
    }
  | { readonly kind: 'record.seal'; readonly space: string; readonly fence: RecordFence };

/** Tokens are digits: a reply travels between replicas as JSON. */
export type RecordOutcome = WriteOutcome<string>;

export type RegisterReply =
  | { readonly kind: 'records'; readonly outcomes: readonly RecordOutcome[] }
  | { readonly kind: 'seal'; readonly outcome: SealOutcome<string> };

export interface RegisterRecord {
  readonly id: string;
  /** Grows by one with every change, over deletion and re-creation too. */
  readonly version: number;
  /** The highest token that wrote it; null when none ever did. */
  readonly fence: bigint | null;
  readonly fields: readonly RecordField[];
}

/** What may be asked of the records of one shard. Pure reads. */
export interface RegistersView {
  get(space: string, id: string): RegisterRecord | undefined;
  /** Records whose id begins with `prefix` and comes behind `after`, by id, at most `limit`. */
  list(space: string, prefix: string, after: string, limit: number): readonly RegisterRecord[];
  /** The token a scope was sealed with. */
  fenceOf(space: string, scope: string): bigint | null;
  readonly recordCount: number;
  /** About the memory of all records, counted as they are written. */
  readonly recordBytes: number;
}

/** The records of one shard: all their hard state, and the one way to change it. Deterministic. */
export interface Registers extends RegistersView {
  apply(command: RegisterCommand): RegisterReply;
  /** Mixes what a command touched into a running CRC. */
  fingerprint(command: RegisterCommand, previous: number): number;
}
