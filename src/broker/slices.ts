import type { Clock } from '../replica/index.js';

/** So long a slice works. Milliseconds. */
const SLICE_MS = 5;
/** So many items are done between two looks at the clock. */
const ITEMS_A_LOOK = 64;

/** Does something with each item, in slices: others are served in between. What changes meanwhile may be seen or not. */
export function inSlices<T>(
  clock: Pick<Clock, 'monotonic' | 'endOfTurn'>,
  items: Iterable<T>,
  each: (item: T) => void,
  done: () => void,
): void {
  const iterator = items[Symbol.iterator]();
  const slice = (): void => {
    const until = clock.monotonic() + SLICE_MS;
    do {
      for (let i = 0; i < ITEMS_A_LOOK; i++) {
        const next = iterator.next();
        if (next.done === true) return done();
        each(next.value);
      }
    } while (clock.monotonic() < until);
    clock.endOfTurn(slice);
  };
  slice();
}
