import { assert, type MonotonicMs, monotonicMs, type Slot, slot } from '../kernel/index.js';
import type { AppliedStep, BegunCommand, Machine } from '../machine/index.js';
import type { Effect, Entry, ProposalId } from '../paxos/index.js';
import { beginEntry } from './apply-entry.js';
import type { Clock } from './ports.js';

/** How a shard shares the loop with others while it applies. */
export interface ApplyPace {
  /** A command at a group is applied in steps of so many members. By default as many as take some milliseconds. */
  readonly membersAStep?: number | undefined;
  /** So long it applies in one turn of the loop, and the step that is under way by then. Milliseconds. */
  readonly turnMs?: number | undefined;
  /** Goes on when others have had the loop; in the next turn by default. */
  readonly later?: (goOn: () => void) => void;
}
const TURN_MS = 8;

/** What is chosen, and how many of its entries are applied. */
interface Chosen {
  readonly kind: 'chosen';
  readonly effect: Extract<Effect, { kind: 'chosen' }>;
  next: number;
}
type Waiting = Chosen | { readonly kind: 'afterwards'; readonly act: () => void };

/** What is done with what comes of it. */
interface ApplyPort extends Pick<ApplyPace, 'turnMs'> {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly machine: () => Machine;
  /** The first step of a command is done. */
  readonly begun: (begun: BegunCommand, proposal: ProposalId | undefined) => void;
  /** Another step is done. */
  readonly caused: (step: AppliedStep) => void;
  /** The whole entry is applied. */
  readonly applied: (at: Slot, entry: Entry) => void;
  /** Runs what a turn of the loop applies, from `now` on. */
  readonly turn: (action: () => void, now: MonotonicMs) => void;
  /** Calls `goOn` when others have had the loop. */
  readonly later: () => void;
}

/**
 * What is chosen goes to the machine in its order, as much in a turn of the loop as there is time for: messages of peers,
 * heartbeats of clients and other shards do not wait for a long apply.
 */
export class ApplyQueue {
  readonly #port: ApplyPort;
  readonly #waiting: Waiting[] = [];
  /** The steps that are left of the command that is under way. */
  #rest: BegunCommand['rest'];
  #applying = false;
  #later = false;
  /** As it was read last: a look at the clock costs as much as a small command. */
  #now = monotonicMs(0);

  constructor(port: ApplyPort) {
    this.#port = port;
  }

  chosen(effect: Chosen['effect']): void {
    this.#add({ kind: 'chosen', effect, next: 0 });
  }
  /** Acts when all that is chosen by now is applied; at once when it is. */
  afterwards(act: () => void): void {
    if (this.#waiting.length === 0) act();
    else this.#add({ kind: 'afterwards', act });
  }
  #add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (!this.#applying && !this.#later) this.goOn();
  }

  goOn(): void {
    this.#for(this.#port.turnMs ?? TURN_MS);
    this.#later = this.#waiting.length > 0;
    if (this.#later) this.#port.later();
  }
  /** All of it now: for who needs the state of a slot, and not one on the way to it. */
  finish(): void {
    this.#for(Infinity);
  }

  #for(ms: number): void {
    assert(!this.#applying, 'what is applied does not apply');
    this.#applying = true;
    this.#now = this.#port.clock.monotonic();
    const end = this.#now + ms;
    let late = false;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.kind === 'chosen') {
        if (late) break;
        late = this.#apply(first, end);
        if (first.next < first.effect.entries.length) break;
      }
      this.#waiting.shift();
      if (first.kind === 'afterwards') first.act();
    }
    this.#applying = false;
  }

  /** True: the time is over. */
  #apply(chosen: Chosen, end: number): boolean {
    const { firstSlot, entries, proposals } = chosen.effect;
    let late = false;
    this.#port.turn(() => {
      while (chosen.next < entries.length && !late) {
        const at = slot(firstSlot + chosen.next);
        const entry = entries[chosen.next]!;
        if (this.#step(at, entry, proposals[chosen.next])) {
          this.#port.applied(at, entry);
          chosen.next++;
        }
        if (chosen.next === entries.length && this.#waiting.length === 1) break;
        this.#now = this.#port.clock.monotonic();
        late = this.#now >= end;
      }
    }, this.#now);
    return late;
  }

  /** The first or the next step of an entry. False: there are more. */
  #step(at: Slot, entry: Entry, proposal: ProposalId | undefined): boolean {
    if (this.#rest !== undefined) {
      const next = this.#rest.next();
      if (next.done === true) this.#rest = undefined;
      else this.#port.caused(next.value);
      return next.done === true;
    }
    const begun = beginEntry(this.#port.machine(), at, entry);
    if (begun === undefined) return true;
    this.#rest = begun.rest;
    this.#port.begun(begun, proposal);
    return begun.rest === undefined;
  }
}
