import { PerformanceObserver } from 'node:perf_hooks';
import { DURATION_BOUNDS, Histogram, type Log, type Work, type WorkKind } from '../kernel/index.js';
import type { LoopHeld, LoopStalls, StallCause } from '../admin/index.js';

/** A loop that is late by more than this has stalled. Milliseconds. */
const STALL_MS = 100;
const LOOK_EVERY_MS = 50;
/** Stalls are logged this far apart; those between are counted. Milliseconds. */
const LOGGED_EVERY_MS = 10_000;

/** A piece of work that took so long is judged when the collections in it are known. Milliseconds. */
const LONG_MS = 5;

/** As for other durations, with a bound at what no piece of work should exceed: 20 ms. Seconds. */
const HELD_BOUNDS = DURATION_BOUNDS.map((bound) => (bound === 0.025 ? 0.02 : bound));

const KINDS: readonly WorkKind[] = [
  ...(['requests', 'decode', 'lists', 'messages', 'apply'] as const),
  ...(['snapshot-cut', 'snapshot-write', 'snapshot-load', 'compaction', 'sweep', 'upkeep'] as const),
];
const IN_WORDS: Readonly<Record<StallCause, string>> = {
  requests: 'requests of clients',
  decode: 'reading a large request of a client',
  lists: 'a list that a client asked for',
  messages: 'messages of replicas',
  apply: 'applying commands',
  'snapshot-cut': 'the cut of a snapshot',
  'snapshot-write': 'writing a snapshot',
  'snapshot-load': 'loading a snapshot',
  compaction: 'shortening the log',
  sweep: 'the retention sweep',
  upkeep: 'timers and the log',
  gc: 'garbage collection',
  machine:
    'the process did not run (it was stopped, waited in a call to the disk, or the machine had no CPU for it)',
  other: 'HTTP, or other code of this process',
};

interface Clocks {
  /** Monotonic, in the time of `performance.now`. */
  readonly nowMs: () => number;
  /** CPU time that this process has used. */
  readonly cpuMs: () => number;
}

/** A piece of work that held the loop. */
interface Piece {
  readonly cause: WorkKind;
  readonly fromMs: number;
  readonly ms: number;
}
/** What happened between two looks. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly lateMs: number;
  readonly cpuMs: number;
  /** By place. */
  readonly spent: Float64Array;
  /** The long ones. */
  readonly pieces: readonly Piece[];
}
interface Collection {
  readonly fromMs: number;
  readonly ms: number;
}

const CAUSES: readonly StallCause[] = [...KINDS, 'gc', 'machine', 'other'];
/** Numbers by kind are kept by place in this list: looking a property up by its name costs more than the clock. */
const PLACES: ReadonlyMap<StallCause, number> = new Map(CAUSES.map((cause, place) => [cause, place]));
const placeOf = (cause: StallCause): number => PLACES.get(cause)!;
const NONE = -1;

/** Watches the event loop of this process: what held it and for how long, and how often it stalled for more than 100 ms. */
export class LoopWatch {
  readonly #log: Log;
  readonly #clocks: Clocks;
  #spent = new Float64Array(KINDS.length);
  /** Of what runs. */
  #place = NONE;
  #since = 0;
  /** Of the piece of work that runs. */
  readonly #inPiece = new Float64Array(KINDS.length);
  /** There was other work inside it. */
  #mixed = false;
  #pieces: Piece[] = [];
  #lookedAt = 0;
  #cpuAt = 0;
  /** Judged at the next look: collections are told a turn later. */
  #stretch: Stretch | undefined;
  #collections: Collection[] = [];
  /** How late each look was. Seconds. */
  readonly delay = new Histogram(DURATION_BOUNDS);
  readonly #held = CAUSES.map(() => new Histogram(HELD_BOUNDS));
  readonly #counted = new Map<StallCause, { count: number; ms: number }>();
  #loggedAt = -Infinity;
  #unlogged = 0;

  constructor(log: Log, clocks: Clocks) {
    this.#log = log;
    this.#clocks = clocks;
  }

  /** From here on: what came before, a start say, is no stall. */
  begin(): void {
    this.#lookedAt = this.#clocks.nowMs();
    this.#cpuAt = this.#clocks.cpuMs();
    this.#spent = new Float64Array(KINDS.length);
    this.#pieces = [];
  }

  /** Runs it, and remembers for how long. */
  readonly work: Work = <T, A>(kind: WorkKind, run: (about?: A) => T, about?: A): T => {
    const outer = this.#place;
    const place = placeOf(kind);
    const from = this.#enter(place);
    try {
      return run(about);
    } finally {
      const to = this.#enter(outer);
      if (outer === NONE) this.#pieceEnded(place, from, to - from);
      else this.#mixed = true;
    }
  };

  /** From now on it is this that runs. */
  #enter(place: number): number {
    const now = this.#clocks.nowMs();
    if (this.#place !== NONE) {
      this.#spent[this.#place]! += now - this.#since;
      this.#inPiece[this.#place]! += now - this.#since;
    }
    this.#place = place;
    this.#since = now;
    return now;
  }

  /** It counts for what took most of it. */
  #pieceEnded(outermost: number, fromMs: number, ms: number): void {
    const inPiece = this.#inPiece;
    let place = outermost;
    if (this.#mixed) {
      for (let i = 0; i < inPiece.length; i++) if (inPiece[i]! > inPiece[place]!) place = i;
      inPiece.fill(0);
      this.#mixed = false;
    } else inPiece[outermost] = 0;
    if (ms < LONG_MS) this.#held[place]!.observe(ms / 1_000);
    else this.#pieces.push({ cause: KINDS[place]!, fromMs, ms });
  }

  collected(fromMs: number, ms: number): void {
    this.#observe('gc', ms);
    this.#collections.push({ fromMs, ms });
  }

  /** To be called every 50 ms. */
  look(): void {
    const now = this.#clocks.nowMs();
    const cpu = this.#clocks.cpuMs();
    if (this.#stretch !== undefined) this.#judge(this.#stretch);
    this.#stretch = undefined;
    this.#collections = this.#collections.filter(({ fromMs }) => fromMs >= this.#lookedAt);
    const lateMs = now - this.#lookedAt - LOOK_EVERY_MS;
    this.delay.observe(Math.max(0, lateMs) / 1_000);
    if (lateMs > STALL_MS || this.#pieces.length > 0)
      this.#stretch = {
        ...{ fromMs: this.#lookedAt, toMs: now, lateMs, cpuMs: cpu - this.#cpuAt },
        ...{ spent: this.#spent, pieces: this.#pieces },
      };
    this.#spent = new Float64Array(KINDS.length);
    this.#pieces = [];
    this.#lookedAt = now;
    this.#cpuAt = cpu;
  }

  #judge(stretch: Stretch): void {
    const { pieces, cpuMs, lateMs } = stretch;
    const working = pieces.reduce((sum, { ms }) => sum + ms, 0);
    for (const { cause, fromMs, ms } of pieces)
      // Neither counts what it did not do: collections are pieces of their own.
      if (cpuMs < working / 2) this.#observe('machine', ms);
      else this.#observe(cause, ms - this.#collectedWithin(fromMs, fromMs + ms));
    if (lateMs > STALL_MS) this.#stalled(stretch);
  }
  #observe(cause: StallCause, ms: number): void {
    this.#held[placeOf(cause)]!.observe(Math.max(0, ms) / 1_000);
  }
  #collectedWithin(fromMs: number, toMs: number): number {
    let sum = 0;
    for (const each of this.#collections) if (each.fromMs >= fromMs && each.fromMs < toMs) sum += each.ms;
    return sum;
  }

  #stalled(stall: Stretch): void {
    const cause = causeOf(stall, this.#collectedWithin(stall.fromMs, stall.toMs));
    // Nothing else tells of what no part of the replica did.
    if ((cause === 'machine' || cause === 'other') && stall.pieces.length === 0)
      this.#observe(cause, stall.lateMs);
    const counted = this.#counted.get(cause) ?? { count: 0, ms: 0 };
    this.#counted.set(cause, { count: counted.count + 1, ms: counted.ms + stall.lateMs });
    if (stall.toMs - this.#loggedAt < LOGGED_EVERY_MS) {
      this.#unlogged++;
      return;
    }
    const before = this.#unlogged === 0 ? '' : `; ${this.#unlogged} more since the last such line`;
    this.#loggedAt = stall.toMs;
    this.#unlogged = 0;
    const ms = Math.round(stall.lateMs);
    this.#log.warn(`the event loop stalled for ${ms} ms: ${IN_WORDS[cause]}${before}`, {
      stalledMs: ms,
      cause,
    });
  }

  stalls(): LoopStalls {
    return [...this.#counted].map(([cause, { count, ms }]) => ({ cause, count, ms }));
  }
  /** How long work held the loop without giving it back, by what it was. Seconds. */
  held(): LoopHeld {
    return CAUSES.map((cause, place) => ({ cause, ...this.#held[place]!.read() }));
  }
}

/** What took half of it or more. */
function causeOf({ lateMs, cpuMs, spent }: Stretch, gcMs: number): StallCause {
  if (cpuMs < lateMs / 2) return 'machine';
  if (gcMs >= lateMs / 2) return 'gc';
  return KINDS.find((_, place) => spent[place]! >= lateMs / 2) ?? 'other';
}

/** As a global it is a getter, which runs at each use. */
const timer = performance;

export const PROCESS_CLOCKS: Clocks = {
  nowMs: () => timer.now(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
};

/** Has `watch` look at the loop of this process until the function it returns is called. */
export function watchLoop(watch: LoopWatch): () => void {
  watch.begin();
  const collections = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) watch.collected(startTime, duration);
  });
  collections.observe({ entryTypes: ['gc'] });
  const timer = setInterval(() => watch.look(), LOOK_EVERY_MS).unref();
  return () => {
    collections.disconnect();
    clearInterval(timer);
  };
}
