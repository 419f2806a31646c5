/** A broken invariant: a defect in Quorate, never bad input. Code that catches it stops the replica. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws InvariantError unless `condition` holds. For what must be true; expected failures are values. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new InvariantError(`broken invariant: ${invariant}`);
}

/** Where many steps a second check it: the text of an invariant that holds is not made. */
export function broken(invariant: string): never {
  throw new InvariantError(`broken invariant: ${invariant}`);
}

/** The end of an exhaustive switch: does not compile while a case is missing. */
export function assertNever(value: never): never {
  throw new InvariantError(`unexpected variant: ${JSON.stringify(value)}`);
}

/** What to tell of something that was thrown: with the place, when it is known. */
export const errorText = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
