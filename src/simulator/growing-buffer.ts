/** A file that grows keeps so much room behind its end that it is copied seldom. Bytes. */
const ROOM_BYTES = 16 * 1024;
/** What was made here. */
const roomy = new WeakSet<ArrayBufferLike>();

/** As long as `bytes`, and zeros behind what was there. */
export function grown(buffer: Buffer, bytes: number): Buffer {
  const { buffer: memory, byteOffset, length } = buffer;
  // Only a buffer that was made here has its memory for itself, from the first byte on.
  if (byteOffset === 0 && roomy.has(memory) && bytes <= memory.byteLength)
    return Buffer.from(memory, 0, bytes);
  const larger = new ArrayBuffer(bytes + Math.max(ROOM_BYTES, bytes));
  roomy.add(larger);
  const made = Buffer.from(larger, 0, bytes);
  buffer.copy(made, 0, 0, length);
  return made;
}
