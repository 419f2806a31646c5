/**
 * Keeps what goes over one connection apart: while a transaction has it, statements that do not belong to it wait. A pool
 * needs none of this; a single connection that several tasks share does.
 */
export class Turns {
  #busy: Promise<void> | undefined;

  /** Undefined when there is nothing to wait for, so that the usual case costs no turn of the event loop. */
  free(): Promise<void> | undefined {
    return this.#busy;
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
