import type { ShardId, Slot } from '../kernel/index.js';
import { decodeRecord, encodeRecord, type HardRecord, RecordOrder } from '../paxos/index.js';
import type { LogRecord, Storage } from './ports.js';

/**
 * The records as the core knows them. Bytes are copied: what stays of a record must not keep the whole segment that it was
 * read from. Throws MalformedBytesError when one cannot be read.
 */
export const readRecords = (records: readonly LogRecord[]): readonly HardRecord[] =>
  records.map(({ type, payload }) => decodeRecord(type, Buffer.from(payload)));

/** The records of one shard in the log of the replica. The same checks see them when they are read and before they are written. */
export class ShardLog {
  readonly #shard: ShardId;
  readonly #storage: Storage;
  readonly #order: RecordOrder;

  /** `found`: what the disk held at the start; not kept. Throws InvariantError when the records contradict each other. */
  constructor(shard: ShardId, storage: Storage, found: readonly HardRecord[], snapshotThrough: Slot) {
    this.#shard = shard;
    this.#storage = storage;
    this.#order = new RecordOrder(shard, snapshotThrough);
    for (const record of found) this.#order.add(record);
  }

  append(records: readonly HardRecord[], sync: boolean, done?: () => void): void {
    this.#storage.append(this.checked(records), sync, done);
  }

  /** For a log that begins anew with `records` (Storage.rebase). */
  checked(records: readonly HardRecord[]): readonly LogRecord[] {
    return records.map((record) => {
      this.#order.add(record);
      const { type, payload } = encodeRecord(record);
      return { shard: this.#shard, type, payload };
    });
  }
}
