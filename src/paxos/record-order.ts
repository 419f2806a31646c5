import { assert, type ShardId, type Slot } from '../kernel/index.js';
import { type Ballot, BALLOT_ZERO, compareBallots, formatBallot } from './ballot.js';
import type { HardRecord } from './types.js';

/**
 * What holds between the records of one shard, in the order of the log: checked before each is written and after each is
 * read, by the same code. A checksum says that bytes are those that were written; this says that they made sense.
 * Throws InvariantError with the field that is wrong.
 */
export class RecordOrder {
  #promised: Ballot = BALLOT_ZERO;
  /** All slots through here are in a snapshot, as a record said. */
  #snapshot = 0;
  #chosen = 0;
  #last: number;
  #count = 0;
  #number = 0;
  readonly #shard: ShardId;
  readonly #snapshotOnDisk: number;

  /** `snapshotThrough`: the slot of the snapshot on disk. Records may be missing that it covers. */
  constructor(shard: ShardId, snapshotThrough: Slot) {
    this.#shard = shard;
    this.#last = this.#snapshotOnDisk = snapshotThrough;
  }

  add(record: HardRecord): void {
    this.#count++;
    switch (record.kind) {
      case 'promised':
        if (compareBallots(record.ballot, this.#promised) < 0)
          this.#broken(
            `promised.ballot ${formatBallot(record.ballot)} is at least ${formatBallot(this.#promised)}`,
          );
        this.#promised = record.ballot;
        return;
      case 'accepted':
        return this.#accepted(record);
      case 'chosen':
        this.#within('chosen.through', record.through, this.#chosen, this.#last);
        this.#chosen = record.through;
        return;
      case 'configuration':
        return this.#begins(record);
      case 'snapshot':
        this.#within('snapshot.through', record.through, this.#snapshot, Infinity);
        this.#snapshot = record.through;
        this.#last = Math.max(this.#last, record.through);
    }
  }

  #accepted({ ballot, firstSlot, entries }: Extract<HardRecord, { kind: 'accepted' }>): void {
    if (compareBallots(ballot, BALLOT_ZERO) <= 0)
      this.#broken(`accepted.ballot ${formatBallot(ballot)} is above ${formatBallot(BALLOT_ZERO)}`);
    this.#within('accepted.firstSlot', firstSlot, this.#snapshot + 1, this.#last + 1);
    if (entries.length === 0) this.#broken('accepted.entries is not empty');
    this.#last = Math.max(this.#last, firstSlot + entries.length - 1);
  }

  /** Behind the seal promises begin again, and what was accepted there is void. A log that was written anew repeats older ones. */
  #begins({ since, configuration: { number } }: Extract<HardRecord, { kind: 'configuration' }>): void {
    this.#within('configuration.since', since, 0, this.#last);
    if (number <= this.#number) return;
    this.#number = number;
    this.#promised = BALLOT_ZERO;
    this.#last = Math.max(since, this.#snapshot, this.#snapshotOnDisk);
    this.#chosen = Math.max(this.#chosen, since);
  }

  #within(field: string, value: number, low: number, high: number): void {
    if (!(value >= low && value <= high)) this.#broken(`${field} ${value} is in ${low}..${high}`);
  }

  #broken(invariant: string): void {
    assert(false, `shard ${this.#shard}, record ${this.#count}: ${invariant}`);
  }
}
