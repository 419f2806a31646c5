import { PerformanceObserver } from 'node:perf_hooks';
import { DURATION_BOUNDS, Histogram, type Log, type Work, type WorkKind } from '../kernel/index.js';
import type { LoopStalls, StallCause } from '../admin/index.js';

/** A loop that is late by more than this has stalled. Milliseconds. */
const STALL_MS = 100;
const LOOK_EVERY_MS = 50;
/** Stalls are logged this far apart; those between are counted. Milliseconds. */
const LOGGED_EVERY_MS = 10_000;

const KINDS: readonly WorkKind[] = ['requests', 'messages', 'apply', 'snapshot', 'sweep', 'upkeep'];
const IN_WORDS: Readonly<Record<StallCause, string>> = {
  requests: 'requests of clients',
  messages: 'messages of replicas',
  apply: 'applying commands',
  snapshot: 'a snapshot',
  sweep: 'the retention sweep',
  upkeep: 'timers and the log',
  gc: 'garbage collection',
  machine: 'the process did not run (it was stopped, or the machine had no CPU for it)',
  other: 'HTTP, or other code of this process',
};

interface Clocks {
  /** Monotonic, in the time of `performance.now`. */
  readonly nowMs: () => number;
  /** CPU time that this process has used. */
  readonly cpuMs: () => number;
}

interface Stall {
  readonly fromMs: number;
  readonly toMs: number;
  readonly lateMs: number;
  readonly cpuMs: number;
  readonly spent: Readonly<Record<WorkKind, number>>;
}

const nothing = (): Record<WorkKind, number> =>
  Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<WorkKind, number>;

/** Watches the event loop of this process: how often it stalled for more than 100 ms, for how long, and what ran meanwhile. */
export class LoopWatch {
  readonly #log: Log;
  readonly #clocks: Clocks;
  #spent = nothing();
  #kind: WorkKind | undefined;
  #since = 0;
  #lookedAt = 0;
  #cpuAt = 0;
  /** Judged at the next look: collections are told a turn later. */
  #stall: Stall | undefined;
  #collections: { readonly fromMs: number; readonly ms: number }[] = [];
  /** How late each look was. Seconds. */
  readonly delay = new Histogram(DURATION_BOUNDS);
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
    this.#spent = nothing();
  }

  /** Runs it, and remembers for how long. */
  readonly work: Work = (kind, run) => {
    const outer = this.#kind;
    this.#enter(kind);
    try {
      return run();
    } finally {
      this.#enter(outer);
    }
  };

  #enter(kind: WorkKind | undefined): void {
    const now = this.#clocks.nowMs();
    if (this.#kind !== undefined) this.#spent[this.#kind] += now - this.#since;
    this.#kind = kind;
    this.#since = now;
  }

  collected(fromMs: number, ms: number): void {
    this.#collections.push({ fromMs, ms });
  }

  /** To be called every 50 ms. */
  look(): void {
    const now = this.#clocks.nowMs();
    const cpu = this.#clocks.cpuMs();
    if (this.#stall !== undefined) this.#judge(this.#stall);
    this.#stall = undefined;
    this.#collections = this.#collections.filter(({ fromMs }) => fromMs >= this.#lookedAt);
    const lateMs = now - this.#lookedAt - LOOK_EVERY_MS;
    this.delay.observe(Math.max(0, lateMs) / 1_000);
    if (lateMs > STALL_MS)
      this.#stall = {
        fromMs: this.#lookedAt,
        toMs: now,
        lateMs,
        cpuMs: cpu - this.#cpuAt,
        spent: this.#spent,
      };
    this.#spent = nothing();
    this.#lookedAt = now;
    this.#cpuAt = cpu;
  }

  #judge(stall: Stall): void {
    const collections = this.#collections.filter(
      ({ fromMs }) => fromMs >= stall.fromMs && fromMs < stall.toMs,
    );
    const gcMs = collections.reduce((sum, { ms }) => sum + ms, 0);
    const cause = causeOf(stall, gcMs);
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
}

/** What took half of it or more. */
function causeOf({ lateMs, cpuMs, spent }: Stall, gcMs: number): StallCause {
  if (cpuMs < lateMs / 2) return 'machine';
  if (gcMs >= lateMs / 2) return 'gc';
  return KINDS.find((kind) => spent[kind] >= lateMs / 2) ?? 'other';
}

export const PROCESS_CLOCKS: Clocks = {
  nowMs: () => performance.now(),
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
