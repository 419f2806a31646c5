/** So many commands of one request are under way at a time: a long list is no reason for "overloaded". */
const UNDER_WAY_MAX = 200;

/** Starts each item, in their order; the next ones wait until earlier ones have settled. */
export function fewAtATime<T>(items: readonly T[], start: (item: T, settled: () => void) => void): void {
  let started = 0;
  let underWay = 0;
  let starting = false;
  const startMore = (): void => {
    // An outcome may come within the call that asked for it: the loop goes on, not the stack.
    if (starting) return;
    starting = true;
    while (underWay < UNDER_WAY_MAX && started < items.length) {
      underWay++;
      start(items[started++]!, () => {
        underWay--;
        startMore();
      });
    }
    starting = false;
  };
  startMore();
}
