import { InvariantError } from './assert.js';
import { textOf } from './texts.js';

/** As a global it is a getter, which Node runs at each use. */
const Memory = Buffer;
/** So short a text is written character by character: a call that does it takes longer. */
export const SHORT_TEXT = 64;

/** A buffer that grows as it is written. A subclass says what the bytes mean. */
export abstract class GrowingBytes {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes: number) {
    this.#buffer = Memory.allocUnsafe(initialBytes);
  }

  get length(): number {
    return this.#length;
  }
  /** Valid until the next `reserve`. */
  protected get buffer(): Buffer {
    return this.#buffer;
  }

  /** Forgets what was written and keeps the memory. Views from `view()` become stale. */
  reset(): void {
    this.#length = 0;
  }
  /** Forgets what was written behind the first `length` bytes. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** Makes room for the next bytes; returns where they begin. */
  protected reserve(bytes: number): number {
    const at = this.#length;
    const needed = at + bytes;
    if (needed > this.#buffer.length) {
      const grown = Memory.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.#length = needed;
    return at;
  }

  raw(value: Uint8Array): void {
    const at = this.reserve(value.length);
    this.#buffer.set(value, at);
  }
  /** What another one holds now. */
  append(other: GrowingBytes): void {
    const { length } = other;
    const at = this.reserve(length);
    other.#buffer.copy(this.#buffer, at, 0, length);
  }
  /** Overwrites four bytes written before: a length that was not known yet. */
  protected patch32(at: number, value: number): void {
    this.#buffer.writeInt32BE(value | 0, at);
  }
  /** What was written, without a copy; stale after the next write. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
  /** What was written, as a copy of its own. */
  copy(): Buffer {
    const copy = Memory.allocUnsafe(this.#length);
    this.#buffer.copy(copy, 0, 0, this.#length);
    return copy;
  }
  /** Appends a text of ASCII characters, a byte each. False: it has others, and what was appended is not it. */
  protected ascii(text: string): boolean {
    const at = this.reserve(text.length);
    const bytes = this.#buffer;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[at + i] = code;
    }
    return true;
  }
}

/** Big-endian values. Log records, peer messages and snapshots are written with it. */
export class ByteWriter extends GrowingBytes {
  constructor(initialBytes = 256) {
    super(initialBytes);
  }

  /** The fixed widths take an integer of their range, and throw InvariantError for anything else. */
  u8(value: number): void {
    if ((value & 0xff) !== value) integerWithin(value, 0, 0xff);
    const at = this.reserve(1);
    this.buffer[at] = value;
  }
  u32(value: number): void {
    integerWithin(value, 0, 0xffff_ffff);
    this.#word(value);
  }
  i32(value: number): void {
    integerWithin(value, -0x8000_0000, 0x7fff_ffff);
    this.#word(value);
  }
  #word(value: number): void {
    const at = this.reserve(4);
    const { buffer } = this;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
  }
  f64(value: number): void {
    const at = this.reserve(8);
    this.buffer.writeDoubleBE(value, at);
  }
  /**
   * Unsigned integer up to 2^53, seven bits a byte, low bits first. Anything else would be read back as something
   * different, in a log on every replica: it throws InvariantError before it gets there.
   */
  varint(value: number): void {
    if ((value & 0x7f) === value) return this.u8(value);
    if (value < 0 || !Number.isSafeInteger(value))
      throw new InvariantError(`broken invariant: a varint is an integer from 0 to 2^53, not ${value}`);
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }
  /** Signed integer up to +-2^52, zigzag. Throws InvariantError for anything else. */
  zigzag(value: number): void {
    integerWithin(value, -(2 ** 52), 2 ** 52 - 1);
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }
  string(value: string): void {
    if (value.length <= SHORT_TEXT) {
      const from = this.length;
      this.u8(value.length);
      if (this.ascii(value)) return;
      this.truncate(from);
    }
    const bytes = Memory.byteLength(value);
    this.varint(bytes);
    const at = this.reserve(bytes);
    this.buffer.write(value, at, bytes, 'utf8');
  }
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }
  patchU32(at: number, value: number): void {
    this.patch32(at, value);
  }
}

/** Whatever a codec is given and cannot keep would be read back as something else, on every replica. */
function integerWithin(value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw new InvariantError(`broken invariant: ${value} is an integer from ${min} to ${max}`);
}

/** The bytes are shorter, longer or other than their schema says. */
export class MalformedBytesError extends Error {
  override readonly name = 'MalformedBytesError';
}

/** They end too early: what was read so far may be right. */
export class EndOfBytesError extends MalformedBytesError {}

/** A place in bytes that moves on as they are read, never past their end. A subclass says what the bytes mean. */
export abstract class ByteCursor {
  readonly buffer: Buffer;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.buffer = Memory.isBuffer(bytes)
      ? bytes
      : Memory.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = offset;
    this.#end = this.buffer.length;
  }

  get offset(): number {
    return this.#at;
  }
  get remaining(): number {
    return this.#end - this.#at;
  }
  /** Goes back to where the reader has been, to read the same bytes another way. */
  rewind(offset: number): void {
    this.#at = offset;
  }

  /** What is thrown when the bytes are not what they must be. */
  abstract error(problem: string): Error;

  /** Steps over the next bytes; returns where they begin. */
  protected take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw this.error(`${bytes} bytes wanted, ${this.#end - at} left`);
    this.#at = at + bytes;
    return at;
  }
  /** A view of the next `length` bytes. */
  raw(length: number): Buffer {
    const at = this.take(length);
    return this.buffer.subarray(at, at + length);
  }
  protected text(length: number): string {
    if (length === 0) return '';
    const at = this.take(length);
    return textOf(this.buffer, at, at + length);
  }
  /** Reads exactly the next `length` bytes with `read`; neither more nor fewer. */
  bounded<T>(length: number, read: () => T): T {
    const outer = this.#end;
    if (length > outer - this.#at) throw this.error(`${length} bytes wanted, ${outer - this.#at} left`);
    this.#end = this.#at + length;
    const value = read();
    if (this.#at !== this.#end) throw this.error(`${this.#end - this.#at} bytes too many in a tagged field`);
    this.#end = outer;
    return value;
  }
}

/** Reads what ByteWriter wrote. Every method throws MalformedBytesError when the bytes end too early. */
export class ByteReader extends ByteCursor {
  constructor(bytes: Uint8Array) {
    super(bytes);
  }

  override error(problem: string): MalformedBytesError {
    return new EndOfBytesError(`${problem} (offset ${this.offset})`);
  }

  u8(): number {
    return this.buffer[this.take(1)]!;
  }
  u32(): number {
    return this.buffer.readUInt32BE(this.take(4));
  }
  i32(): number {
    return this.buffer.readInt32BE(this.take(4));
  }
  f64(): number {
    return this.buffer.readDoubleBE(this.take(8));
  }
  varint(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 0x80;
    for (let i = 1; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new MalformedBytesError('a varint of more than eight bytes');
  }
  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
  string(): string {
    return this.text(this.varint());
  }
  /** A view into the source, not a copy. */
  bytes(): Buffer {
    return this.raw(this.varint());
  }
  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw new MalformedBytesError(`${this.remaining} bytes too many`);
  }
}
