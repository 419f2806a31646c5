/** About as much of a snapshot is made at a time: a few milliseconds of work. */
export const SNAPSHOT_CHUNK_BYTES = 128 * 1024;

/** The same items, each asked for by way of `step`. Its `return` reaches `items` also before the first item. */
export function stepwise<T>(
  items: Iterable<T>,
  step: (next: () => IteratorResult<T>) => IteratorResult<T>,
): IterableIterator<T> {
  const iterator = items[Symbol.iterator]();
  const next = (): IteratorResult<T> => iterator.next();
  return {
    [Symbol.iterator]() {
      return this;
    },
    next: () => step(next),
    return: () => {
      iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}

/** The same items, the first of which is asked for now and shown to `look`: undefined when there is none. */
export function begun<T>(items: Iterable<T>, look?: (first: T | undefined) => void): IterableIterator<T> {
  let first: IteratorResult<T> | undefined;
  const all = stepwise(items, (next) => {
    const result = first ?? next();
    first = undefined;
    return result;
  });
  first = all.next();
  look?.(first.done === true ? undefined : first.value);
  return all;
}

/** Work in steps, each of which ends with a `yield`, and what comes of it. */
export type Steps<T> = Generator<void, T, void>;

/** All steps at once. */
export function finished<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
