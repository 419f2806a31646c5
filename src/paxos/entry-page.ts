import { type Ballot, ballotsEqual } from './ballot.js';
import type { AcceptedEntry, Entry } from './entry.js';

const SLOTS_MAX = 1024;
const NOOP: Entry = { kind: 'noop' };
/** The length of a no-op in the table. A command may be empty. */
const NO_PAYLOAD = -1;

/**
 * Consecutive slots of a log: the payloads behind each other in one buffer, and a table of where each ends. An object a
 * slot costs ten times as much, and each garbage collection has to look at it for as long as the slot is kept.
 */
export class EntryPage {
  readonly #bytes: Buffer;
  #used = 0;
  #count = 0;
  readonly #starts = new Uint32Array(SLOTS_MAX);
  readonly #lengths = new Int32Array(SLOTS_MAX);
  /** Index into `#ballots`, of which there are few: a leader keeps its ballot. */
  readonly #ballotOf = new Uint16Array(SLOTS_MAX);
  readonly #ballots: Ballot[] = [];
  /** Slots that were written again, by index. Rare: only what is open is replaced. */
  #replaced: Map<number, AcceptedEntry> | undefined;

  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
  }

  get count(): number {
    return this.#count;
  }

  hasRoomFor(entry: Entry): boolean {
    const bytes = entry.kind === 'noop' ? 0 : entry.payload.length;
    return this.#count < SLOTS_MAX && this.#used + bytes <= this.#bytes.length;
  }

  /** Behind the others. The payload is copied. */
  push({ ballot, entry }: AcceptedEntry): void {
    const index = this.#count++;
    const last = this.#ballots.at(-1);
    if (last === undefined || !ballotsEqual(last, ballot)) this.#ballots.push(ballot);
    this.#ballotOf[index] = this.#ballots.length - 1;
    this.#starts[index] = this.#used;
    if (entry.kind === 'noop') {
      this.#lengths[index] = NO_PAYLOAD;
      return;
    }
    this.#bytes.set(entry.payload, this.#used);
    this.#lengths[index] = entry.payload.length;
    this.#used += entry.payload.length;
  }

  replace(index: number, { ballot, entry }: AcceptedEntry): void {
    const own: Entry =
      entry.kind === 'noop' ? entry : { kind: 'command', payload: Buffer.from(entry.payload) };
    this.#replaced ??= new Map();
    this.#replaced.set(index, { ballot, entry: own });
  }

  /** The payload is a view: whoever keeps it keeps the page. */
  at(index: number): AcceptedEntry {
    const replaced = this.#replaced?.get(index);
    if (replaced !== undefined) return replaced;
    const ballot = this.#ballots[this.#ballotOf[index]!]!;
    const length = this.#lengths[index]!;
    if (length === NO_PAYLOAD) return { ballot, entry: NOOP };
    const start = this.#starts[index]!;
    return { ballot, entry: { kind: 'command', payload: this.#bytes.subarray(start, start + length) } };
  }
}
