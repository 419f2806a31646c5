import { crc32c } from '../kernel/index.js';

/**
 * A shard's state as HTTP carries it: chunks, each behind its length (u32), then a length of 0 and the CRC-32C (u32) of all chunks.
 * Little-endian. What ends without that has been cut off.
 */
const LENGTH_BYTES = 4;
const CHUNK_BYTES_MAX = 64 * 1024 * 1024;

export function* framed(chunks: Iterable<Uint8Array>): Iterable<Buffer> {
  let crc = 0;
  for (const chunk of chunks) {
    if (chunk.length === 0) continue;
    crc = crc32c(chunk, crc);
    const frame = Buffer.allocUnsafe(LENGTH_BYTES + chunk.length);
    frame.writeUInt32LE(chunk.length, 0);
    frame.set(chunk, LENGTH_BYTES);
    yield frame;
  }
  const end = Buffer.alloc(2 * LENGTH_BYTES);
  end.writeUInt32LE(crc, LENGTH_BYTES);
  yield end;
}

/** The chunks again. Throws unless all of them have come. */
export async function* unframed(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let held = Buffer.alloc(0);
  let crc = 0;
  for await (const part of bytes) {
    held = held.length === 0 ? Buffer.from(part) : Buffer.concat([held, part]);
    while (held.length >= LENGTH_BYTES) {
      const length = held.readUInt32LE(0);
      if (length > CHUNK_BYTES_MAX) throw new Error(`a chunk of ${length} bytes`);
      if (length === 0) {
        if (held.length < 2 * LENGTH_BYTES) break;
        if (held.length > 2 * LENGTH_BYTES) throw new Error('more than was announced');
        if (held.readUInt32LE(LENGTH_BYTES) !== crc) throw new Error('what came is not what was sent');
        return;
      }
      if (held.length < LENGTH_BYTES + length) break;
      const chunk = held.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
      crc = crc32c(chunk, crc);
      yield chunk;
      held = held.subarray(LENGTH_BYTES + length);
    }
  }
  throw new Error('it was cut off');
}
