import type { Random } from '../kernel/index.js';

interface Kept {
  /** What comes from one source stays in order: a connection, or the process itself (its timers, its disk). */
  readonly source: string;
  readonly run: () => void;
}

/** What happens to a process while it is stopped: its system keeps it. */
export class KeptEvents {
  #kept: Kept[] = [];

  get empty(): boolean {
    return this.#kept.length === 0;
  }
  add(event: Kept): void {
    this.#kept.push(event);
  }
  /** As a loop that has slept finds it: connection by connection, in any order, and its own timers before or behind any. */
  take(random: Random): readonly Kept[] {
    const kept = this.#kept;
    this.#kept = [];
    const sources = [...new Set(kept.map(({ source }) => source))];
    const inTurn: Kept[] = [];
    while (sources.length > 0) {
      const [next] = sources.splice(random.below(sources.length), 1);
      inTurn.push(...kept.filter(({ source }) => source === next));
    }
    return inTurn;
  }
}
