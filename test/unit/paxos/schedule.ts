interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** The simulated time of a run, and what is to happen in it: by time, and in the order of insertion at the same time. */
export class Schedule {
  readonly #heap: Event[] = [];
  #order = 0;
  #now = 0;

  /** Milliseconds since the start of the run. */
  get now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): void {
    push(this.#heap, { at: this.#now + delayMs, order: this.#order++, run });
  }

  /** Runs the next event. Without one until `end`, time goes on to `end` and the answer is false. */
  runNext(end: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.at > end) {
      this.#now = end;
      return false;
    }
    pop(this.#heap);
    this.#now = next.at;
    next.run();
    return true;
  }
}

// ---- a binary heap ----

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let i = heap.length;
  heap.push(event);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (before(heap[parent]!, event)) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = event;
}

function pop(heap: Event[]): Event {
  const top = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (before(last, heap[child]!)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}
