import { GrowingBytes, type Int64, isInt64, SHORT_TEXT } from '../kernel/index.js';
import { WireError } from './wire-error.js';

/** Kafka: a string has at most so many bytes, in both encodings. */
const STRING_BYTES_MAX = 0x7fff;

/** Whether a text can be sent whole. Bytes that are not UTF-8 became U+FFFD when they were read, three bytes each. */
export function fitsString(text: string): boolean {
  return text.length * 3 <= STRING_BYTES_MAX || Buffer.byteLength(text) <= STRING_BYTES_MAX;
}
/** As much of a text as can be sent with `reserved` bytes beside it; no character is cut in two. */
export function cutToString(text: string, reserved = 0): string {
  const room = STRING_BYTES_MAX - reserved;
  if (text.length * 3 <= room || Buffer.byteLength(text) <= room) return text;
  const bytes = Buffer.from(text);
  let end = room;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/**
 * Kafka's primitive types, written into growing bytes. Numbers that do not fit their type throw WireError; of a
 * text that is too long as much is written as fits, so that one odd name never ends a connection.
 */
export class WireWriter extends GrowingBytes {
  constructor(initialBytes = 512) {
    super(initialBytes);
  }

  boolean(value: boolean): void {
    const at = this.reserve(1);
    this.buffer[at] = value ? 1 : 0;
  }
  int8(value: number): void {
    if (value !== (value << 24) >> 24) throw new WireError(`${value} is out of range for an int8`);
    const at = this.reserve(1);
    this.buffer[at] = value;
  }
  int16(value: number): void {
    if (value !== (value << 16) >> 16) throw new WireError(`${value} is out of range for an int16`);
    const at = this.reserve(2);
    const b = this.buffer;
    b[at] = value >> 8;
    b[at + 1] = value;
  }
  int32(value: number): void {
    if (value !== (value | 0)) throw new WireError(`${value} is out of range for an int32`);
    const at = this.reserve(4);
    const b = this.buffer;
    b[at] = value >> 24;
    b[at + 1] = value >> 16;
    b[at + 2] = value >> 8;
    b[at + 3] = value;
  }
  int64(value: Int64): void {
    if (!isInt64(value)) throw new WireError(`${value} is out of range for an int64`);
    if (typeof value === 'bigint') {
      this.int32(Number(value >> 32n));
      this.int32(Number(BigInt.asIntN(32, value)));
      return;
    }
    const high = Math.floor(value / 4294967296);
    this.int32(high);
    this.int32((value - high * 4294967296) | 0);
  }
  /** From canonical text form. */
  uuid(value: string): void {
    const hex = value.replaceAll('-', '');
    if (value.length !== 36 || !/^[0-9a-fA-F]{32}$/.test(hex))
      throw new WireError(`"${value}" is not a UUID`);
    const at = this.reserve(16);
    this.buffer.write(hex, at, 16, 'hex');
  }
  /** Unsigned, below 2^32. */
  uvarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      const at = this.reserve(1);
      this.buffer[at] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    const at = this.reserve(1);
    this.buffer[at] = rest;
  }

  string(value: string, compact: boolean): void {
    if (value.length <= SHORT_TEXT) {
      const from = this.length;
      if (compact) this.int8(value.length + 1);
      else this.int16(value.length);
      if (this.ascii(value)) return;
      this.truncate(from);
    }
    const bytes = Buffer.byteLength(value);
    if (bytes > STRING_BYTES_MAX) return this.string(cutToString(value), compact);
    if (compact) this.uvarint(bytes + 1);
    else this.int16(bytes);
    if (bytes === 0) return;
    const at = this.reserve(bytes);
    this.buffer.write(value, at, bytes, 'utf8');
  }
  nullableString(value: string | null, compact: boolean): void {
    if (value !== null) this.string(value, compact);
    else if (compact) this.uvarint(0);
    else this.int16(-1);
  }
  bytes(value: Uint8Array, compact: boolean): void {
    if (compact) this.uvarint(value.length + 1);
    else this.int32(value.length);
    this.raw(value);
  }
  nullableBytes(value: Uint8Array | null, compact: boolean): void {
    if (value !== null) this.bytes(value, compact);
    else if (compact) this.uvarint(0);
    else this.int32(-1);
  }
  /** -1 for a null array. */
  arrayLength(length: number, compact: boolean): void {
    if (compact) this.uvarint(length + 1);
    else this.int32(length);
  }

  /** Overwrites four bytes written before: a length that was not known yet. */
  patchInt32(at: number, value: number): void {
    this.patch32(at, value);
  }
}
