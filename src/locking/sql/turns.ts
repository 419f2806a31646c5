/**
 * Keeps what goes over one connection apart: while a transaction has it, statements that do not belong to it wait. A pool
 * needs none of this; a single connection that several tasks share does.
 */
export class Turns {
  #busy: Promise<void> | undefined;

  /** At once when the connection is free: the usual case costs no turn of the event loop. */
  query<R>(work: () => Promise<R>): Promise<R> {
    return this.#busy === undefined ? work() : this.#later(work);
  }

  async #later<R>(work: () => Promise<R>): Promise<R> {
    while (this.#busy !== undefined) await this.#busy;
    return work();
  }

  async alone<R>(work: () => Promise<R>): Promise<R> {
    while (this.#busy !== undefined) await this.#busy;
    let end = (): void => undefined;
    this.#busy = new Promise((resolve) => {
      end = resolve;
    });
    try {
      return await work();
    } finally {
      this.#busy = undefined;
      end();
    }
  }
}
