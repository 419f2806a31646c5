import { WireError } from './wire-error.js';

const LENGTH_BYTES = 4;
const FIRST_PARTIAL_BYTES = 4096;

/**
 * Cuts the chunks of a socket into frames (four bytes of length, then so many bytes). A frame that lies within one chunk
 * is handed out as a view of it; one that spans chunks is gathered in memory of its own, which grows with what has
 * arrived and never with what was announced. Every byte is copied a bounded number of times.
 */
export class FrameSplitter {
  readonly #frameBytesMax: number;
  /** Bytes of the length seen so far, when a chunk ended within it. */
  #lengthBytes = 0;
  #length = 0;
  /** The frame being gathered; null between frames. */
  #partial: Buffer | null = null;
  #filled = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Bytes held for a frame that is not complete. */
  get pendingBytes(): number {
    return this.#lengthBytes + this.#filled;
  }

  /**
   * The frames, without their lengths, that this chunk completes. Throws WireError for a negative length or one above
   * the maximum: nothing after it can be understood, so the connection must be closed.
   */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#partial === null) {
        while (this.#lengthBytes < LENGTH_BYTES && at < chunk.length) {
          this.#length = (this.#length << 8) | chunk[at++]!;
          this.#lengthBytes++;
        }
        if (this.#lengthBytes < LENGTH_BYTES) break;
        this.#check(this.#length);
        const end = at + this.#length;
        if (end <= chunk.length) {
          frames.push(chunk.subarray(at, end));
          at = end;
          this.#next();
          continue;
        }
        this.#partial = Buffer.allocUnsafe(Math.min(this.#length, FIRST_PARTIAL_BYTES));
      }
      const taken = Math.min(this.#length - this.#filled, chunk.length - at);
      this.#gather(chunk, at, taken);
      at += taken;
      if (this.#filled === this.#length) {
        frames.push(this.#partial);
        this.#next();
      }
    }
    return frames;
  }

  #check(length: number): void {
    if (length < 0 || length > this.#frameBytesMax) {
      throw new WireError(`a frame of ${length} bytes, allowed are ${this.#frameBytesMax}`);
    }
  }
  #gather(chunk: Buffer, at: number, bytes: number): void {
    let partial = this.#partial!;
    const needed = this.#filled + bytes;
    if (needed > partial.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#length, Math.max(needed, partial.length * 2)));
      partial.copy(grown, 0, 0, this.#filled);
      this.#partial = partial = grown;
    }
    chunk.copy(partial, this.#filled, at, at + bytes);
    this.#filled = needed;
  }
  #next(): void {
    this.#lengthBytes = 0;
    this.#length = 0;
    this.#partial = null;
    this.#filled = 0;
  }
}
