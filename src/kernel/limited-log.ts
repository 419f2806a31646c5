const WINDOW_MS = 10_000;
const LINES_A_WINDOW = 10;

/** Lines of one kind that anybody can cause: ten in ten seconds, and how many more there were. */
export class LimitedLog {
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  #openedAt = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #omitted = 0;

  /** `now`: milliseconds on a clock that only grows. */
  constructor(write: (line: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  line(text: string): void {
    const now = this.#now();
    if (now - this.#openedAt >= WINDOW_MS) {
      this.#openedAt = now;
      this.#lines = 0;
    }
    if (this.#lines === LINES_A_WINDOW) {
      this.#omitted++;
      return;
    }
    this.#lines++;
    this.#write(this.#omitted === 0 ? text : `${text} (${this.#omitted} lines like it before were left out)`);
    this.#omitted = 0;
  }
}
