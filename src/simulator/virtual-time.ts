import { promiseHooks } from 'node:v8';

interface Event {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** Time of a simulated world: nothing happens but what was scheduled, by time and then in the order of scheduling. */
export class VirtualTime {
  now = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  /** Returns what takes it back. */
  after(delayMs: number, run: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, delayMs), order: this.#order++, run };
    this.#push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** Runs all that falls due through `end`. Promises settle between two instants. */
  async runThrough(end: number, stop: () => boolean): Promise<void> {
    const promises = watchPromises();
    try {
      while (this.#heap.length > 0 && this.#heap[0]!.at <= end && !stop()) {
        const { at } = this.#heap[0]!;
        this.now = at;
        // What an event schedules for its own instant comes after all that was there before.
        const last = this.#order;
        while (this.#heap.length > 0 && this.#heap[0]!.at === at && this.#heap[0]!.order < last)
          this.#pop().run?.();
        // A turn of the event loop costs as much as ten events: only where somebody waits for a promise.
        if (!promises.touched) continue;
        await new Promise<void>((resolve) => setImmediate(resolve));
        promises.touched = false;
      }
    } finally {
      promises.end();
    }
    if (!stop()) this.now = end;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!earlier(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1]!, heap[child]!)) child++;
      if (!earlier(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

const earlier = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** `touched` is set as soon as a promise is made or settled. */
function watchPromises(): { touched: boolean; readonly end: () => void } {
  const touch = (): void => {
    watch.touched = true;
  };
  const ends = [promiseHooks.onInit(touch), promiseHooks.onSettled(touch)] as (() => void)[];
  const watch = {
    touched: true,
    end: () => {
      for (const end of ends) end();
    },
  };
  return watch;
}
