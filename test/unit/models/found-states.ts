/** States of a few whole numbers each, in the order in which they were found, with the state that each was found from. */
export class FoundStates {
  readonly #width: number;
  #parts: Int32Array;
  #table = new Int32Array(2 ** 16).fill(-1);
  count = 0;

  constructor(width: number) {
    this.#width = width;
    this.#parts = new Int32Array((width + 1) * 2 ** 14);
  }

  part(state: number, at: number): number {
    return this.#parts[(this.#width + 1) * state + at]!;
  }

  /** -1 for the first one. */
  foundFrom(state: number): number {
    return this.part(state, this.#width);
  }

  /** False when it was known. */
  add(parts: Int32Array, from: number): boolean {
    const mask = this.#table.length - 1;
    let at = this.#hash(parts, 0) & mask;
    for (let known = this.#table[at]!; known >= 0; known = this.#table[at]!) {
      if (this.#equals(known, parts)) return false;
      at = (at + 1) & mask;
    }
    this.#table[at] = this.count;
    this.#append(parts, from);
    if (this.count * 2 > this.#table.length) this.#rehash();
    return true;
  }

  #equals(state: number, parts: Int32Array): boolean {
    const place = (this.#width + 1) * state;
    for (let i = 0; i < this.#width; i++) if (this.#parts[place + i] !== parts[i]) return false;
    return true;
  }

  #append(parts: Int32Array, from: number): void {
    const place = (this.#width + 1) * this.count++;
    if (place === this.#parts.length) {
      const larger = new Int32Array(2 * this.#parts.length);
      larger.set(this.#parts);
      this.#parts = larger;
    }
    this.#parts.set(parts, place);
    this.#parts[place + this.#width] = from;
  }

  #hash(parts: Int32Array, from: number): number {
    let hash = 0;
    for (let i = 0; i < this.#width; i++) {
      hash = Math.imul(hash ^ parts[from + i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0x2c1b3c6d);
    return hash ^ (hash >>> 13);
  }

  #rehash(): void {
    this.#table = new Int32Array(this.#table.length * 2).fill(-1);
    const mask = this.#table.length - 1;
    for (let state = 0; state < this.count; state++) {
      let at = this.#hash(this.#parts, (this.#width + 1) * state) & mask;
      while (this.#table[at]! >= 0) at = (at + 1) & mask;
      this.#table[at] = state;
    }
  }
}
