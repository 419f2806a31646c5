import { crc32c } from '../kernel/index.js';

const REMEMBERED = 60;

/** What happened, in order: a hash of all of it, the last lines, and how often each goal was reached. */
export class Trace {
  readonly goals = new Map<string, number>();
  /** Every line goes here too. */
  onLine: ((line: string) => void) | undefined;
  #hash = 0;
  readonly #lines: string[] = [];

  note(nowMs: number, what: string): void {
    const line = `${nowMs.toFixed(3)} ${what}`;
    this.#hash = crc32c(Buffer.from(line), this.#hash);
    this.#lines.push(line);
    if (this.#lines.length > 4 * REMEMBERED) this.#lines.splice(0, this.#lines.length - REMEMBERED);
    this.onLine?.(line);
  }

  /** Something worth reaching was reached. */
  reached(goal: string): void {
    this.goals.set(goal, (this.goals.get(goal) ?? 0) + 1);
  }

  get hash(): number {
    return this.#hash;
  }
  get last(): readonly string[] {
    return this.#lines.slice(-REMEMBERED);
  }
}
