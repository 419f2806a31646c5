/** An item of the heap: it knows its own place, so that taking it out needs no search. */
export interface Due {
  readonly deadline: number;
  /** -1 while it is not in a heap. */
  place: number;
}

/** A binary heap by deadline. Adding and taking out any item cost O(log n). */
export class DeadlineHeap<T extends Due> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }
  first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.#rise(item);
  }

  remove(item: T): void {
    const place = item.place;
    if (place < 0) return;
    item.place = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    last.place = place;
    this.#items[place] = last;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(item: T): void {
    while (item.place > 0) {
      const parent = this.#items[(item.place - 1) >> 1]!;
      if (parent.deadline <= item.deadline) return;
      this.#swap(item, parent);
    }
  }
  #sink(item: T): void {
    for (;;) {
      const left = this.#items[2 * item.place + 1];
      const right = this.#items[2 * item.place + 2];
      if (left === undefined) return;
      const child = right !== undefined && right.deadline < left.deadline ? right : left;
      if (item.deadline <= child.deadline) return;
      this.#swap(child, item);
    }
  }
  #swap(up: T, down: T): void {
    const place = up.place;
    up.place = down.place;
    down.place = place;
    this.#items[up.place] = up;
    this.#items[down.place] = down;
  }
}
