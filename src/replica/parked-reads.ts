import type { ReadId } from '../paxos/index.js';
import type { ReadOutcome } from './coordinator.js';

/** Reads of a shard that wait until a quorum confirms that it is led here. */
export class ParkedReads {
  readonly #done = new Map<ReadId, (outcome: ReadOutcome) => void>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#done.size;
  }

  /** False, and `done` has heard of it, when too many wait already. */
  park(id: ReadId, done: (outcome: ReadOutcome) => void): boolean {
    if (this.#done.size >= this.#most) {
      done({ kind: 'overloaded' });
      return false;
    }
    this.#done.set(id, done);
    return true;
  }

  end(ids: readonly ReadId[], outcome: ReadOutcome): void {
    for (const id of ids) {
      const done = this.#done.get(id);
      this.#done.delete(id);
      done?.(outcome);
    }
  }
}
