export * from './ids.js';
export { assert, assertNever, errorText, InvariantError } from './assert.js';
export { seededRandom, type Random } from './random.js';
export { int64, isInt64, type Int64 } from './int64.js';
export { crc32c, crc32cWord } from './crc32c.js';
export { ByteCursor, ByteReader, ByteWriter, GrowingBytes, MalformedBytesError } from './bytes.js';
export * as codec from './codec.js';
export type { Codec } from './codec.js';
export type { Log, LogFacts } from './log.js';
