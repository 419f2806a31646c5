/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), eight bytes a step. Check value of "123456789": 0xe3069283. */
const TABLES = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let table = 1; table < 8; table++) {
      const previous = tables[(table - 1) * 256 + byte]!;
      tables[table * 256 + byte] = (previous >>> 8) ^ tables[previous & 0xff]!;
    }
  }
  return tables;
}

/**
 * The CRC-32C of `bytes[start, end)`, continuing from `previous` (the value an earlier call returned; 0 to begin).
 * Returns an unsigned 32-bit integer.
 */
export function crc32c(bytes: Uint8Array, previous = 0, start = 0, end = bytes.length): number {
  const t = TABLES;
  let crc = ~previous;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const low = crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    crc =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}

/** Mixes one unsigned 32-bit word into a running CRC-32C, as if its four little-endian bytes had been fed to it. */
export function crc32cWord(word: number, previous = 0): number {
  const t = TABLES;
  const mixed = ~previous ^ word;
  const crc =
    t[768 + (mixed & 0xff)]! ^
    t[512 + ((mixed >>> 8) & 0xff)]! ^
    t[256 + ((mixed >>> 16) & 0xff)]! ^
    t[mixed >>> 24]!;
  return ~crc >>> 0;
}

/** The CRC-32C of a text in UTF-8. */
export function crc32cText(text: string): number {
  let crc = ~0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) return crc32c(Buffer.from(text));
    crc = (crc >>> 8) ^ TABLES[(crc ^ code) & 0xff]!;
  }
  return ~crc >>> 0;
}
