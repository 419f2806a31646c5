/**
 * Bytes that are not what the protocol says, or a value that a version cannot carry. Never a defect of the peer's
 * group or of ours: the answer to it is to close the connection. `offset` counts bytes from the start of the buffer.
 */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly #path: string[] = [];

  constructor(
    readonly problem: string,
    readonly offset: number | null = null,
  ) {
    super(problem);
  }

  /** Called on the way out, innermost field first, so that the happy path keeps no trail. */
  within(field: string): this {
    this.#path.unshift(field);
    const where = this.offset === null ? '' : ` at byte ${this.offset}`;
    this.message = `${this.#path.join('.')}: ${this.problem}${where}`;
    return this;
  }

  /** Where in the message, e.g. `OffsetCommit v8 request.topics.name`; '' when unknown. */
  get path(): string {
    return this.#path.join('.');
  }
}
