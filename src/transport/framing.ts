import { crc32c } from '../kernel/index.js';

/** u32 length of the payload | u32 CRC-32C of it | payload. Big-endian. */
export const FRAME_HEADER_BYTES = 8;

/** A frame whose payload is one byte that says what it is, and the body behind it. */
export function frameOf(kind: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + 1 + body.length);
  frame.writeUInt32BE(1 + body.length, 0);
  frame[FRAME_HEADER_BYTES] = kind;
  frame.set(body, FRAME_HEADER_BYTES + 1);
  frame.writeUInt32BE(crc32c(frame, 0, FRAME_HEADER_BYTES), 4);
  return frame;
}

/** The bytes are not a valid frame: the link must end. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
}

/** Splits a stream of chunks into frames. A frame within one chunk is not copied. */
export class FrameReader {
  /** The longest payload accepted. May change between frames. */
  frameBytesMax: number;
  #parts: Buffer[] = [];
  #held = 0;
  /** Total bytes of the frame being received; 0 while its header is incomplete. */
  #needed = 0;

  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  /** Calls back for each complete frame; the payload is valid during the call. Throws FramingError. */
  push(chunk: Buffer, onFrame: (payload: Buffer) => void): void {
    let bytes = chunk;
    if (this.#held > 0) {
      this.#parts.push(chunk);
      this.#held += chunk.length;
      // Joined only when the frame is complete: a big frame in many chunks is copied once, not once per chunk.
      if (this.#held < Math.max(this.#needed, FRAME_HEADER_BYTES)) return;
      bytes = Buffer.concat(this.#parts, this.#held);
      this.#parts = [];
      this.#held = 0;
    }
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length > this.frameBytesMax)
        throw new FramingError(`a frame of ${length} bytes; at most ${this.frameBytesMax} are allowed`);
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > bytes.length) break;
      const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
      if (crc32c(payload) !== bytes.readUInt32BE(at + 4))
        throw new FramingError('a frame with a wrong checksum');
      at = end;
      onFrame(payload);
    }
    const rest = bytes.length - at;
    this.#needed = rest >= FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES + bytes.readUInt32BE(at) : 0;
    if (rest === 0) return;
    // The rest is copied, so that a tail of eight bytes does not keep a chunk of 64 KiB alive.
    this.#parts = [Buffer.from(bytes.subarray(at))];
    this.#held = rest;
  }
}
