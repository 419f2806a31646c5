import { assert, nextSlot, NO_SLOT, type Slot, slot } from '../kernel/index.js';
import { type Ballot, ballotsEqual } from './ballot.js';
import type { AcceptedEntry, Entry } from './entry.js';
import { EntryPage } from './entry-page.js';
import type { HardRecord } from './types.js';

const PAGE_BYTES_MIN = 4 * 1024;
const PAGE_BYTES_MAX = 64 * 1024;

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
  /** Each with the slot that it begins with; the first may begin before `firstSlot`. */
  #pages: { readonly from: number; readonly page: EntryPage }[] = [];
  #firstSlot: Slot = slot(1);
  #lastSlot: Slot = NO_SLOT;

  get firstSlot(): Slot {
    return this.#firstSlot;
  }
  get lastSlot(): Slot {
    return this.#lastSlot;
  }

  at(position: Slot): AcceptedEntry | undefined {
    if (position < this.#firstSlot || position > this.#lastSlot) return undefined;
    const { from, page } = this.#pageOf(position);
    return page.at(position - from);
  }

  /** The page of a slot that is held. The newest are asked for most. */
  #pageOf(position: Slot): { readonly from: number; readonly page: EntryPage } {
    const newest = this.#pages.at(-1)!;
    if (position >= newest.from) return newest;
    let [low, high] = [0, this.#pages.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#pages[middle]!.from <= position) low = middle;
      else high = middle - 1;
    }
    return this.#pages[low]!;
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
    if (position <= this.#lastSlot) {
      const { from, page } = this.#pageOf(position);
      return page.replace(position - from, accepted);
    }
    this.#pageFor(accepted.entry, position).push(accepted);
    this.#lastSlot = position;
  }

  #pageFor(entry: Entry, position: Slot): EntryPage {
    const newest = this.#pages.at(-1)?.page;
    if (newest?.hasRoomFor(entry) === true) return newest;
    // A log that stays small gets small pages.
    const bytes = Math.min(PAGE_BYTES_MIN * 2 ** this.#pages.length, PAGE_BYTES_MAX);
    const page = new EntryPage(Math.max(bytes, entryBytes(entry)));
    this.#pages.push({ from: position, page });
    return page;
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
    this.#firstSlot = from;
    if (from > this.#lastSlot) {
      this.#lastSlot = slot(from - 1);
      this.#pages = [];
      return;
    }
    const kept = this.#pages.findIndex(({ from: start, page }) => start + page.count > from);
    if (kept > 0) this.#pages.splice(0, kept);
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
