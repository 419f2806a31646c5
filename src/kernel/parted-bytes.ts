import { ByteReader, EndOfBytesError, MalformedBytesError } from './bytes.js';
import { SNAPSHOT_CHUNK_BYTES, type Steps } from './iterate.js';

/**
 * Bytes that come in parts, read item by item. What was read is not kept: of a large snapshot a part and the item under way are in
 * memory. Whoever runs the steps of a reader looks at `hungry` after each of them, and then gives the next part.
 */
export class PartedBytes {
  #reader = new ByteReader(Buffer.alloc(0));
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  /** With fewer bytes in all an item is not complete that was tried before. */
  #wanted = 0;
  #complete = false;
  /** What the step under way may still read. */
  #stepBytes = SNAPSHOT_CHUNK_BYTES;

  /** All of them at once. */
  static whole(bytes: Uint8Array): PartedBytes {
    const whole = new PartedBytes();
    whole.#reader = new ByteReader(bytes);
    whole.#complete = true;
    return whole;
  }

  /** The item under way goes on in bytes that have not come. */
  get hungry(): boolean {
    return !this.#complete && this.#wanted > this.#reader.remaining + this.#partsBytes;
  }
  /** The next part. It is kept as it is, not copied, until it has been read. */
  add(part: Uint8Array): void {
    this.#parts.push(part);
    this.#partsBytes += part.length;
  }
  /** That was the last one. */
  complete(): void {
    this.#complete = true;
  }

  /** What `read` makes of the next bytes. It is called again, from the same place, when they end too early for it. */
  *item<T>(read: (reader: ByteReader) => T): Steps<T> {
    let item: T | undefined;
    yield* this.list(1, (reader) => {
      item = read(reader);
    });
    return item as T;
  }

  /** Reads so many items, each by a call of `read`, which changes nothing until it has read all of its own. */
  *list(count: number, read: (reader: ByteReader) => void): Steps<void> {
    for (let left = count; left > 0;) {
      left -= this.#some(left, read);
      if (left === 0 && this.#stepBytes > 0) return;
      this.#stepBytes = SNAPSHOT_CHUNK_BYTES;
      yield;
    }
  }
  /** The same, behind their number. */
  *counted(read: (reader: ByteReader) => void): Steps<void> {
    yield* this.list(yield* this.item((reader) => reader.varint()), read);
  }

  /** As many items as the step may still have. A loop of its own: V8 makes it faster than one in a generator. */
  #some(most: number, read: (reader: ByteReader) => void): number {
    this.#join();
    const reader = this.#reader;
    const from = reader.offset;
    const until = from + this.#stepBytes;
    let at = from;
    let count = 0;
    try {
      for (; count < most && at < until; count++, at = reader.offset) read(reader);
    } catch (error) {
      if (this.#complete || !(error instanceof EndOfBytesError)) throw error;
      reader.rewind(at);
      // Twice as many, so that a large item is not read again with each part of it.
      this.#wanted = Math.max(1, 2 * reader.remaining);
    }
    this.#stepBytes -= at - from;
    return count;
  }

  #join(): void {
    if (this.#partsBytes === 0) return;
    const { remaining } = this.#reader;
    const parts = remaining === 0 ? this.#parts : [this.#reader.raw(remaining), ...this.#parts];
    this.#reader = new ByteReader(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    this.#parts = [];
    this.#partsBytes = 0;
    this.#wanted = 0;
  }

  /** Throws MalformedBytesError unless everything was read. */
  *atEnd(): Steps<void> {
    for (;;) {
      this.#join();
      const { remaining } = this.#reader;
      if (remaining > 0) throw new MalformedBytesError(`bytes are left at the end, ${remaining} or more`);
      if (this.#complete) return;
      this.#wanted = 1;
      yield;
    }
  }
}
