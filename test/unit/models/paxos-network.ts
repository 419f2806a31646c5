import type { Message } from '../../../src/paxos/index.js';
import { canonical } from './canonical.js';

export const WORD = 32;
const NOTHING = new Set<string>();

export function* lettersIn(bits: Uint32Array): Iterable<number> {
  for (let at = 0; at < bits.length; at++)
    for (let word = bits[at]!; word !== 0; word &= word - 1) yield at * WORD + 31 - Math.clz32(word & -word);
}

/**
 * From one replica to another: what was sent stays, and may arrive at any time, in any order, often or never. That is loss,
 * doubling and reordering in one. Letters and sets of letters have numbers.
 */
export class Channel {
  readonly messages: Message[] = [];
  readonly #numbers = new Map<string, number>();
  /** Set 0 is empty. */
  readonly #sets: Uint32Array[] = [new Uint32Array(0)];
  readonly #setNumbers = new Map<string, number>([['', 0]]);
  readonly #with = new Map<number, number>();

  get size(): number {
    return this.messages.length;
  }

  numberOf(message: Message): number {
    const text = canonical(message, NOTHING);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.messages.push(message) - 1;
    this.#numbers.set(text, number);
    return number;
  }

  lettersOf(set: number): Uint32Array {
    return this.#sets[set]!;
  }

  with(set: number, letter: number): number {
    const key = set * 2 ** 20 + letter;
    const known = this.#with.get(key);
    if (known !== undefined) return known;
    const at = Math.floor(letter / WORD);
    const old = this.#sets[set]!;
    const bits = new Uint32Array(Math.max(old.length, at + 1));
    bits.set(old);
    bits[at]! |= 1 << (letter % WORD);
    const number = this.#intern(bits);
    this.#with.set(key, number);
    return number;
  }

  has(set: number, letter: number): boolean {
    return ((this.#sets[set]![Math.floor(letter / WORD)] ?? 0) & (1 << (letter % WORD))) !== 0;
  }

  /** The letters that remain. */
  filter(set: number, remains: (letter: number, message: Message) => boolean): number {
    const bits = this.#sets[set]!.slice();
    let same = true;
    for (const letter of lettersIn(bits)) {
      if (remains(letter, this.messages[letter]!)) continue;
      bits[Math.floor(letter / WORD)]! &= ~(1 << (letter % WORD));
      same = false;
    }
    return same ? set : this.#intern(bits);
  }

  #intern(bits: Uint32Array): number {
    let words = bits.length;
    while (words > 0 && bits[words - 1] === 0) words--;
    const text = bits.subarray(0, words).join();
    let number = this.#setNumbers.get(text);
    if (number === undefined) {
      number = this.#sets.push(bits.slice(0, words)) - 1;
      this.#setNumbers.set(text, number);
    }
    return number;
  }
}
