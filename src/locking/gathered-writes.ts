import { StoreUnavailableError } from './errors.js';
import { RequestRefusedError } from './replica-requests.js';

/**
 * So many requests are on their way at once; what is written meanwhile goes with the next one. More than one, so that a
 * slow answer does not hold up everybody; few, so that there is something to gather.
 */
const REQUESTS_MAX = 4;
/** What a transaction may hold. */
const OPERATIONS_MAX = 256;
/** Of UTF-16 code units: at three bytes each still below the 1 MiB that a replica takes. */
const REQUEST_LENGTH_MAX = 256 * 1024;

interface GatheredWritesOptions<Outcome> {
  /** The operations are independent; an outcome for each, in order. `until`: when to give up, of `performance.now`. */
  readonly send: (operations: readonly string[], until: number) => Promise<readonly Outcome[]>;
  readonly deadlineMs: number;
}

interface Waiting<Outcome> {
  readonly operations: readonly string[];
  readonly length: number;
  readonly until: number;
  readonly settle: (outcomes: readonly Outcome[]) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Writes that are made at the same time and do not depend on each other share a request, an agreement of the replicas and
 * a sync of their disks. A write that comes alone leaves alone, and at once.
 */
export class GatheredWrites<Outcome> {
  readonly #options: GatheredWritesOptions<Outcome>;
  #waiting: Waiting<Outcome>[] = [];
  #requests = 0;
  #turnScheduled = false;

  constructor(options: GatheredWritesOptions<Outcome>) {
    this.#options = options;
  }

  /** Operations as JSON. They stay together; each of them is independent. */
  write(operations: readonly string[]): Promise<readonly Outcome[]> {
    const length = operations.reduce((sum, text) => sum + text.length, 0);
    const until = performance.now() + this.#options.deadlineMs;
    return new Promise((settle, fail) => {
      this.#waiting.push({ operations, length, until, settle, fail });
      this.#sendSoon();
    });
  }

  /** At the end of this turn of the loop: what one answer set off goes out together. */
  #sendSoon(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    setImmediate(() => {
      this.#turnScheduled = false;
      while (this.#waiting.length > 0 && this.#requests < REQUESTS_MAX) void this.#send(this.#take());
    });
  }

  #take(): readonly Waiting<Outcome>[] {
    let count = 0;
    let operations = 0;
    let length = 0;
    for (const next of this.#waiting) {
      operations += next.operations.length;
      length += next.length;
      if (count > 0 && (operations > OPERATIONS_MAX || length > REQUEST_LENGTH_MAX)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #send(together: readonly Waiting<Outcome>[]): Promise<void> {
    this.#requests++;
    try {
      const operations = together.flatMap((waiting) => waiting.operations);
      const outcomes = await this.#options.send(operations, together[0]!.until);
      let at = 0;
      for (const { operations, settle } of together) settle(outcomes.slice(at, (at += operations.length)));
    } catch (error) {
      this.#failed(together, error);
    } finally {
      this.#requests--;
      if (this.#waiting.length > 0) this.#sendSoon();
    }
  }

  #failed(together: readonly Waiting<Outcome>[], error: unknown): void {
    // Nothing happened, because of one of them: each has to answer for itself.
    if (error instanceof RequestRefusedError && together.length > 1) {
      for (const alone of together) void this.#send([alone]);
      return;
    }
    // Nothing happened, and only the time of the first is certainly over.
    const again = error instanceof StoreUnavailableError ? together.filter(hasTimeLeft) : [];
    for (const waiting of together) if (!again.includes(waiting)) waiting.fail(error);
    this.#waiting = [...again, ...this.#waiting];
  }
}

const hasTimeLeft = ({ until }: { readonly until: number }): boolean => performance.now() < until;
