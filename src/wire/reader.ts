import { ByteCursor, int64, type Int64 } from '../kernel/index.js';
import { WireError } from './wire-error.js';

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A varint length that stands for null (compact types write length + 1). */
const NULL_LENGTH = -1;

/**
 * Kafka's primitive types, read from a buffer that may hold anything. Every method throws WireError when the bytes end
 * too early or say something impossible, before it allocates. Strings are copied out; byte fields are views.
 */
export class WireReader extends ByteCursor {
  /** Items of arrays that may still come: an item of one byte becomes an object of hundreds. */
  #itemsLeft: number;

  constructor(buffer: Buffer, offset = 0, itemsMax = Number.POSITIVE_INFINITY) {
    super(buffer, offset);
    this.#itemsLeft = itemsMax;
  }

  override error(problem: string): WireError {
    return new WireError(problem, this.offset);
  }

  /** Kafka reads any byte but 0 as true. */
  boolean(): boolean {
    return this.buffer[this.take(1)] !== 0;
  }
  int8(): number {
    return this.buffer.readInt8(this.take(1));
  }
  int16(): number {
    const at = this.take(2);
    return ((this.buffer[at]! << 24) >> 16) | this.buffer[at + 1]!;
  }
  int32(): number {
    const at = this.take(4);
    const b = this.buffer;
    return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
  }
  int64(): Int64 {
    const high = this.int32();
    const low = this.int32() >>> 0;
    const value = high * 4294967296 + low;
    return Number.isSafeInteger(value) ? value : int64((BigInt(high) << 32n) | BigInt(low));
  }
  /** Canonical text form, lower case. */
  uuid(): string {
    const at = this.take(16);
    const b = this.buffer;
    let text = '';
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
      text += HEX[b[at + i]!]!;
    }
    return text;
  }
  /** Unsigned, at most five bytes, below 2^32. */
  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 5; i++) {
      const byte = this.buffer[this.take(1)]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > 0xffffffff) throw this.error('a varint of more than 32 bits');
        return value;
      }
      scale *= 0x80;
    }
    throw this.error('a varint of more than five bytes');
  }

  string(compact: boolean): string {
    const length = compact ? this.uvarint() - 1 : this.int16();
    if (length < 0) throw this.error('null or a negative length where a string must be');
    return this.#text(length);
  }
  nullableString(compact: boolean): string | null {
    const length = compact ? this.uvarint() - 1 : this.int16();
    if (length === NULL_LENGTH) return null;
    if (length < 0) throw this.error(`a string of length ${length}`);
    return this.#text(length);
  }
  /** Bytes that are not UTF-8 become U+FFFD, as in Kafka. */
  #text(length: number): string {
    // Kafka: strings are bounded by a signed 16-bit length in both encodings.
    if (length > 0x7fff) throw this.error(`a string of ${length} bytes`);
    return this.text(length);
  }

  /** A view into the frame: code that keeps it beyond the request copies it. */
  bytes(compact: boolean): Buffer {
    const length = compact ? this.uvarint() - 1 : this.int32();
    if (length < 0) throw this.error('null or a negative length where bytes must be');
    return this.raw(length);
  }
  nullableBytes(compact: boolean): Buffer | null {
    const length = compact ? this.uvarint() - 1 : this.int32();
    if (length === NULL_LENGTH) return null;
    if (length < 0) throw this.error(`bytes of length ${length}`);
    return this.raw(length);
  }
  /** The length of an array whose items take at least `itemBytesMin` each; -1 for null. Refused when it cannot fit. */
  nullableArrayLength(compact: boolean, itemBytesMin: number): number {
    const length = compact ? this.uvarint() - 1 : this.int32();
    if (length === NULL_LENGTH) return length;
    if (length < 0) throw this.error(`an array of length ${length}`);
    if (length * itemBytesMin > this.remaining) {
      throw this.error(`an array of ${length} items in ${this.remaining} bytes`);
    }
    this.#itemsLeft -= length;
    if (this.#itemsLeft < 0) throw this.error(`an array of ${length} items, more than one message may have`);
    return length;
  }
  arrayLength(compact: boolean, itemBytesMin: number): number {
    const length = this.nullableArrayLength(compact, itemBytesMin);
    if (length === NULL_LENGTH) throw this.error('null where an array must be');
    return length;
  }

  /** Skips a tagged-fields section without looking (KIP-482: unknown tags are ignored). */
  skipTaggedFields(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint();
      this.take(this.uvarint());
    }
  }
}
