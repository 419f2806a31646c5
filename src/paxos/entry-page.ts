import { type Ballot, ballotsEqual } from './ballot.js';
import type { AcceptedEntry, Entry } from './entry.js';

const SLOTS_MAX = 1024;

/**
 * Consecutive slots of a log: the payloads behind each other in one buffer, and a table of where each ends. An object a
 * slot costs ten times as much, and each garbage collection has to look at it for as long as the slot is kept.
 */
export class EntryPage {
  readonly #bytes: Buffer;
  #used = 0;
  #count = 0;
  readonly #starts = new Uint32Array(SLOTS_MAX);
  readonly #lengths = new Uint32Array(SLOTS_MAX);
  /** Index into `#ballots`, of which there are few: a leader keeps its ballot. */
  readonly #ballotOf = new Uint16Array(SLOTS_MAX);
  readonly #ballots: Ballot[] = [];
  /** Slots that are no bytes of this page, by index: no-ops, seals, and what was written again. All are rare. */
  readonly #apart = new Map<number, AcceptedEntry>();

  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
  }

  /** Its memory. */
  get bytes(): number {
    return (
      this.#bytes.length + this.#starts.byteLength + this.#lengths.byteLength + this.#ballotOf.byteLength
    );
  }
  get count(): number {
    return this.#count;
  }

  hasRoomFor(entry: Entry): boolean {
    const bytes = entry.kind === 'command' ? entry.payload.length : 0;
    return this.#count < SLOTS_MAX && this.#used + bytes <= this.#bytes.length;
  }

  /** Behind the others. The payload is copied. */
  push({ ballot, entry }: AcceptedEntry): void {
    const index = this.#count++;
    const last = this.#ballots.at(-1);
    if (last === undefined || !ballotsEqual(last, ballot)) this.#ballots.push(ballot);
    this.#ballotOf[index] = this.#ballots.length - 1;
    this.#starts[index] = this.#used;
    if (entry.kind !== 'command') return void this.#apart.set(index, { ballot, entry });
    this.#bytes.set(entry.payload, this.#used);
    this.#lengths[index] = entry.payload.length;
    this.#used += entry.payload.length;
  }

  replace(index: number, { ballot, entry }: AcceptedEntry): void {
    const own: Entry =
      entry.kind === 'command' ? { kind: 'command', payload: Buffer.from(entry.payload) } : entry;
    this.#apart.set(index, { ballot, entry: own });
  }

  /** Keeps the first `count`. The bytes of the others stay until the page goes. */
  truncate(count: number): void {
    for (let index = count; index < this.#count; index++) this.#apart.delete(index);
    this.#count = Math.min(count, this.#count);
  }

  /** The payload is a view: who keeps it keeps the whole page. */
  at(index: number): AcceptedEntry {
    const apart = this.#apart.size > 0 ? this.#apart.get(index) : undefined;
    if (apart !== undefined) return apart;
    const ballot = this.#ballots[this.#ballotOf[index]!]!;
    const start = this.#starts[index]!;
    const payload = this.#bytes.subarray(start, start + this.#lengths[index]!);
    return { ballot, entry: { kind: 'command', payload } };
  }
}
