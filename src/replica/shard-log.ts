import type { ShardId, Slot } from '../kernel/index.js';
import { decodeRecord, encodeRecord, type HardRecord, RecordOrder } from '../paxos/index.js';
import type { LogRecord, Storage } from './ports.js';

/** The records of one shard in the log of the replica. The same checks see them when they are read and before they are written. */
export class ShardLog {
  readonly #shard: ShardId;
  readonly #storage: Storage;
  readonly #order: RecordOrder;
  /** What the disk held at the start. */
  readonly found: readonly HardRecord[];

  /** Throws InvariantError when the records contradict each other, MalformedBytesError when one cannot be read. */
  constructor(shard: ShardId, storage: Storage, records: readonly LogRecord[], snapshotThrough: Slot) {
    this.#shard = shard;
    this.#storage = storage;
    this.#order = new RecordOrder(shard, snapshotThrough);
    this.found = records.map(({ type, payload }) => decodeRecord(type, payload));
    for (const record of this.found) this.#order.add(record);
  }

  append(records: readonly HardRecord[], sync: boolean, done?: () => void): void {
    this.#storage.append(this.checked(records), sync, done);
  }

  /** For a log that begins anew with `records` (Storage.rebase). */
  checked(records: readonly HardRecord[]): readonly LogRecord[] {
    return records.map((record) => {
      this.#order.add(record);
      return { shard: this.#shard, ...encodeRecord(record) };
    });
  }
}
