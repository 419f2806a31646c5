import { assert, nextSlot, NO_SLOT, type Slot, slot } from '../kernel/index.js';
import { type Ballot, ballotsEqual } from './ballot.js';
import type { AcceptedEntry, Entry } from './entry.js';
import type { HardRecord } from './types.js';

/** A rough size of an entry on the wire, for bounds. Bytes. */
export const entryBytes = (entry: Entry): number => (entry.kind === 'noop' ? 8 : entry.payload.length + 16);

export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/**
 * What an acceptor has accepted: one value a slot, without gaps, from `firstSlot` on. Slots before it are in a snapshot.
 * An acceptor only takes values that continue its log, so a gap cannot arise (the leader sends again from where it ends).
 */
export class AcceptedLog {
  #entries: AcceptedEntry[] = [];
  #firstSlot: Slot = slot(1);

  get firstSlot(): Slot {
    return this.#firstSlot;
  }
  get lastSlot(): Slot {
    return slot(this.#firstSlot + this.#entries.length - 1);
  }

  at(position: Slot): AcceptedEntry | undefined {
    return this.#entries[position - this.#firstSlot];
  }

  /** A slot that the log must hold. */
  get(position: Slot): AcceptedEntry {
    const accepted = this.at(position);
    assert(accepted !== undefined, `slot ${position} is in a log of ${this.#firstSlot}..${this.lastSlot}`);
    return accepted;
  }

  put(position: Slot, accepted: AcceptedEntry): void {
    assert(
      position >= this.#firstSlot && position <= nextSlot(this.lastSlot),
      `slot ${position} continues a log of ${this.#firstSlot}..${this.lastSlot}`,
    );
    this.#entries[position - this.#firstSlot] = accepted;
  }

  /** Entries from a slot on, as many as fit in `bytesMax` (at least one), through `last` at most. */
  slice(from: Slot, last: Slot, bytesMax: number): readonly AcceptedEntry[] {
    const result: AcceptedEntry[] = [];
    let bytes = 0;
    for (let position = from; position <= last; position = nextSlot(position)) {
      const accepted = this.at(position);
      if (accepted === undefined) break;
      bytes += entryBytes(accepted.entry);
      if (result.length > 0 && bytes > bytesMax) break;
      result.push(accepted);
    }
    return result;
  }

  /** Forgets the slots before `from`; the log may become empty and then begins there. */
  trimBefore(from: Slot): void {
    if (from <= this.#firstSlot) return;
    this.#entries = this.#entries.slice(Math.min(from - this.#firstSlot, this.#entries.length));
    this.#firstSlot = from;
  }

  /** The records that bring this log back, runs of equal ballots together. */
  *records(from: Slot, bytesMax: number): Iterable<HardRecord> {
    let position: Slot = from > this.#firstSlot ? from : this.#firstSlot;
    while (position <= this.lastSlot) {
      const run = this.slice(position, this.lastSlot, bytesMax);
      const { ballot } = this.get(position);
      const same = run.findIndex((accepted) => !ballotsEqual(accepted.ballot, ballot));
      const entries = (same < 0 ? run : run.slice(0, same)).map(({ entry }) => entry);
      yield { kind: 'accepted', ballot, firstSlot: position, entries };
      position = slot(position + entries.length);
    }
  }
}

/** What the records on disk say. */
export interface Replayed {
  readonly log: AcceptedLog;
  readonly promised: Ballot;
  readonly chosenThrough: Slot;
  readonly anything: boolean;
}

export function replay(
  records: Iterable<HardRecord>,
  snapshotThrough: Slot,
  zero: Ballot,
  higher: (a: Ballot, b: Ballot) => Ballot,
): Replayed {
  const log = new AcceptedLog();
  let promised = zero;
  let chosenThrough = NO_SLOT;
  let anything = snapshotThrough > 0;
  log.trimBefore(nextSlot(snapshotThrough));
  for (const record of records) {
    anything = true;
    switch (record.kind) {
      case 'promised':
        promised = higher(promised, record.ballot);
        break;
      case 'accepted':
        // Accepting implies the promise: the acceptor never went below this ballot afterwards.
        promised = higher(promised, record.ballot);
        record.entries.forEach((entry, i) => {
          const position = slot(record.firstSlot + i);
          if (position >= log.firstSlot) log.put(position, { ballot: record.ballot, entry });
        });
        break;
      case 'snapshot':
        assert(
          record.through <= snapshotThrough,
          `the log says that slots through ${record.through} are in a snapshot, and the snapshot ends at ${snapshotThrough}: its file is gone. Restore it, or move the data directory aside and bring the replica back empty`,
        );
        chosenThrough = slot(Math.max(chosenThrough, record.through));
        break;
      case 'chosen':
        chosenThrough = slot(Math.max(chosenThrough, record.through));
        break;
    }
  }
  const known = Math.min(chosenThrough, log.lastSlot);
  return { log, promised, chosenThrough: slot(Math.max(known, snapshotThrough)), anything };
}
