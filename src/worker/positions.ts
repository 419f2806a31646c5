import type { CommittedPosition } from '../client/index.js';
import type { Int64 } from '../kernel/index.js';
import type { Held } from './machine-types.js';
import type { TopicPartition } from './types.js';

/** Of one request: a replica reads them without a pause. */
export const POSITIONS_MAX = 1_000;

interface Waiting {
  readonly partition: TopicPartition;
  readonly resolve: (position: Int64 | null) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Reads what is committed for leases that begin. Those that are asked for in the same turn of the event loop, or while a request is
 * under way, share the next one: an assignment is one request, and not one for each partition.
 */
export class Positions {
  readonly #ask: (partitions: readonly TopicPartition[]) => Promise<readonly CommittedPosition[]>;
  readonly #waiting: Waiting[] = [];
  #isAsking = false;

  /** `ask`: answers in the order of the question. */
  constructor(ask: (partitions: readonly TopicPartition[]) => Promise<readonly CommittedPosition[]>) {
    this.#ask = ask;
  }

  /** What is committed; null: nothing. Rejects with ConnectionError or BrokerError. */
  of({ topic, partition }: Held): Promise<Int64 | null> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ partition: { topic, partition }, resolve, reject });
      if (this.#isAsking) return;
      this.#isAsking = true;
      setImmediate(() => void this.#askAll());
    });
  }

  async #askAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#askFor(this.#waiting.splice(0, POSITIONS_MAX));
    this.#isAsking = false;
  }

  async #askFor(together: readonly Waiting[]): Promise<void> {
    try {
      const found = await this.#ask(together.map(({ partition }) => partition));
      together.forEach(({ resolve, reject }, at) => {
        const answer = found[at]!;
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      });
    } catch (error) {
      for (const { reject } of together) reject(error as Error);
    }
  }
}
