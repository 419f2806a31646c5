export * from './ids.js';
export { assert, assertNever, broken, errorText, InvariantError } from './assert.js';
export { seededRandom, type Random } from './random.js';
export { int64, isInt64, type Int64 } from './int64.js';
export { crc32c, crc32cText, crc32cWord } from './crc32c.js';
export {
  ByteCursor,
  ByteReader,
  ByteWriter,
  GrowingBytes,
  MalformedBytesError,
  SHORT_TEXT,
} from './bytes.js';
export * as codec from './codec.js';
export type { Codec, Decoded } from './codec.js';
export type { Log, LogFacts } from './log.js';
export { PartedBytes } from './parted-bytes.js';
export { LimitedLog } from './limited-log.js';
export { begun, finished, SNAPSHOT_CHUNK_BYTES, type Steps } from './iterate.js';
export { snapshotPieces, unwatched, type Work, type WorkKind } from './work.js';
export { countingSuspends } from './suspend.js';
export { type Address, addressOf, addressText } from './address.js';
export {
  DURATION_BOUNDS,
  Histogram,
  type HistogramReading,
  quantileBound,
  readingBetween,
} from './histogram.js';
