import { assert, broken, nextSlot, NO_SLOT, type Slot, slot } from '../kernel/index.js';
import { type Ballot, ballotsEqual } from './ballot.js';
import type { Begun } from './configuration.js';
import type { AcceptedEntry, Entry } from './entry.js';
import { EntryPage } from './entry-page.js';
import type { HardRecord } from './types.js';

const PAGE_BYTES_MIN = 4 * 1024;
const PAGE_BYTES_MAX = 64 * 1024;

/** A rough size of an entry on the wire, for bounds. Bytes. */
export function entryBytes(entry: Entry): number {
  if (entry.kind === 'command') return entry.payload.length + 16;
  return entry.kind === 'noop' ? 8 : 64 * entry.next.members.length;
}

export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** The slot that a page begins with. */
interface Placed {
  readonly from: number;
  readonly page: EntryPage;
}

/**
 * What an acceptor has accepted: one value a slot, without gaps, from `firstSlot` on. Slots before it are in a snapshot.
 * An acceptor only takes values that continue its log, so a gap cannot arise (the leader sends again from where it ends).
 * Nothing stands behind a seal until the next configuration begins there.
 */
export class AcceptedLog {
  /** Each with the slot that it begins with; the first may begin before `firstSlot`. */
  #pages: Placed[] = [];
  #bytes = 0;
  #firstSlot: Slot = slot(1);
  #lastSlot: Slot = NO_SLOT;
  #seal: Slot | undefined;
  /** Seals behind which the next configuration has begun. */
  #closed: Slot[] = [];

  get firstSlot(): Slot {
    return this.#firstSlot;
  }
  get lastSlot(): Slot {
    return this.#lastSlot;
  }

  /** Its memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Where the seal stands that closes the present configuration: the last slot, if at all. */
  get seal(): Slot | undefined {
    return this.#seal;
  }

  at(position: Slot): AcceptedEntry | undefined {
    if (position < this.#firstSlot || position > this.#lastSlot) return undefined;
    const { from, page } = this.#pageOf(position);
    return page.at(position - from);
  }

  /** The page of a slot that is held. The newest are asked for most. */
  #pageOf(position: Slot): Placed {
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
    if (accepted === undefined)
      broken(`slot ${position} is in a log of ${this.#firstSlot}..${this.lastSlot}`);
    return accepted;
  }

  put(position: Slot, accepted: AcceptedEntry): void {
    if (!(position >= this.#firstSlot && position <= nextSlot(this.#lastSlot)))
      broken(`slot ${position} continues a log of ${this.#firstSlot}..${this.lastSlot}`);
    if (!(position <= (this.#seal ?? Infinity)))
      broken(`slot ${position} is behind the seal in ${this.#seal}`);
    // What an older ballot left behind a seal cannot be chosen: see docs/paxos.md, Reconfiguration.
    if (accepted.entry.kind === 'seal') this.#truncateBehind(position);
    this.#write(position, accepted);
    if (accepted.entry.kind === 'seal') this.#seal = position;
    else if (position === this.#seal) this.#seal = undefined;
  }

  #write(position: Slot, accepted: AcceptedEntry): void {
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
    this.#bytes += page.bytes;
    return page;
  }

  /** The next configuration begins behind a slot: what an older one left there is void. */
  continueBehind(position: Slot): void {
    assert(
      position <= this.#lastSlot,
      `a log of ${this.#firstSlot}..${this.#lastSlot} holds slot ${position}`,
    );
    this.#truncateBehind(position);
    if (this.at(position)?.entry.kind === 'seal') this.#closed.push(position);
    this.#seal = undefined;
  }

  #truncateBehind(position: Slot): void {
    if (position >= this.#lastSlot) return;
    this.#lastSlot = slot(Math.max(position, this.#firstSlot - 1));
    this.#keepPages(this.#pages.filter(({ from }) => from <= this.#lastSlot));
    const newest = this.#pages.at(-1);
    newest?.page.truncate(this.#lastSlot - newest.from + 1);
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
    if (this.#seal !== undefined && this.#seal < from) this.#seal = undefined;
    this.#closed = this.#closed.filter((position) => position >= from);
    if (from > this.#lastSlot) {
      this.#lastSlot = slot(from - 1);
      return this.#keepPages([]);
    }
    const kept = this.#pages.findIndex(({ from: start, page }) => start + page.count > from);
    if (kept > 0) this.#keepPages(this.#pages.slice(kept));
  }
  #keepPages(pages: readonly Placed[]): void {
    this.#pages = [...pages];
    this.#bytes = pages.reduce((sum, { page }) => sum + page.bytes, 0);
  }

  /** The records that bring these slots back: runs of equal ballots together, and each configuration behind its seal. */
  *records(from: Slot, through: Slot, bytesMax: number): Iterable<HardRecord> {
    let position: Slot = from > this.#firstSlot ? from : this.#firstSlot;
    while (position <= through) {
      const sealed = this.#closed.find((closed) => closed >= position) ?? through;
      const run = this.slice(position, slot(Math.min(sealed, through)), bytesMax);
      const { ballot } = this.get(position);
      const same = run.findIndex((accepted) => !ballotsEqual(accepted.ballot, ballot));
      const entries = (same < 0 ? run : run.slice(0, same)).map(({ entry }) => entry);
      yield { kind: 'accepted', ballot, firstSlot: position, entries };
      position = slot(position + entries.length);
      const last = entries.at(-1)!;
      if (last.kind === 'seal' && position - 1 === sealed && this.#closed.includes(sealed))
        yield { kind: 'configuration', since: sealed, configuration: last.next };
    }
  }
}

/** What the records on disk say. */
export interface Replayed {
  readonly log: AcceptedLog;
  readonly promised: Ballot;
  readonly chosenThrough: Slot;
  readonly anything: boolean;
  /** The newest configuration; undefined while it is still the first. */
  readonly begun: Begun | undefined;
  /** No record says so, only the snapshot: one must be written before any other. */
  readonly unrecorded: boolean;
}

/** `snapshot`: where the machine's snapshot stands, and the configuration that it says this slot belongs to. */
export function replay(
  records: Iterable<HardRecord>,
  snapshot: { readonly through: Slot; readonly begun?: Begun | undefined },
  zero: Ballot,
  higher: (a: Ballot, b: Ballot) => Ballot,
): Replayed {
  const log = new AcceptedLog();
  let promised = zero;
  let chosenThrough = NO_SLOT;
  let begun: Begun | undefined;
  let anything = snapshot.through > 0;
  log.trimBefore(nextSlot(snapshot.through));
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
          record.through <= snapshot.through,
          `the log says that slots through ${record.through} are in a snapshot, and the snapshot ends at ${snapshot.through}: its file is gone. Restore it, or move the data directory aside and bring the replica back empty`,
        );
        chosenThrough = slot(Math.max(chosenThrough, record.through));
        break;
      case 'chosen':
        chosenThrough = slot(Math.max(chosenThrough, record.through));
        break;
      case 'configuration':
        // A fresh acceptor: what was promised and accepted before belongs to the configuration that ended.
        promised = zero;
        log.continueBehind(record.since);
        chosenThrough = slot(Math.max(chosenThrough, record.since));
        begun = { since: record.since, configuration: record.configuration };
        break;
    }
  }
  const unrecorded =
    snapshot.begun !== undefined &&
    snapshot.begun.configuration.number > (begun?.configuration.number ?? -Infinity);
  if (unrecorded) {
    promised = zero;
    log.continueBehind(snapshot.through);
    begun = snapshot.begun;
  }
  const known = Math.min(chosenThrough, log.lastSlot);
  return {
    ...{ log, promised, begun, unrecorded, anything },
    chosenThrough: slot(Math.max(known, snapshot.through)),
  };
}
