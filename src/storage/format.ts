import { crc32c, crc32cWord, type ShardId, shardId } from '../kernel/index.js';
import type { LogRecord } from '../replica/index.js';

/**
 * The bytes of the write-ahead log. All integers are little-endian; every record begins at a multiple of 8.
 *
 *   segment = header (64 bytes), then records, then zeros
 *   header  = magic | u32 format | u32 0 | f64 first sequence number | u32 chain | 32 bytes incarnation | u32 crc
 *   record  = u32 length of the payload | u32 crc | u8 type | u8 0 | u16 shard | u32 low half of the sequence number |
 *             payload | zeros up to a multiple of 8
 *
 * `crc` is CRC-32C over everything behind it (padding excluded), continued from the crc of the record before it, across
 * segments: a record is only valid where it was written. A group (what one sync made durable) ends with a marker, twice:
 * one of the copies is enough, so that a single damaged byte cannot make an acknowledged group look unfinished.
 */
const MAGIC = Buffer.from('QUORWAL1', 'latin1');
export const HEADER_BYTES = 64;
const RECORD_HEADER_BYTES = 16;
export const MARKER = 255;
/** Format 1 has no incarnation. */
const FORMAT_VERSION = 2;
const INCARNATION_AT = 28;
const INCARNATION_BYTES = 32;
export const RECORD_TYPE_MAX = 127;
/** Disks write no less than this as a whole. Bytes. */
export const SECTOR_BYTES = 512;
/** The shard of a marker: no record has it. */
export const MARKER_SHARD = 0xffff;

export interface SegmentHeader {
  readonly firstSequence: number;
  /** The chain as the previous segment left it. */
  readonly chain: number;
  /** The disk that it was written on: `DiskIdentity.incarnation`. Undefined in format 1, which does not say. */
  readonly incarnation: string | undefined;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(FORMAT_VERSION, 8);
  bytes.writeDoubleLE(header.firstSequence, 16);
  bytes.writeUInt32LE(header.chain, 24);
  // 32 bytes: a UUID without its dashes.
  bytes.write((header.incarnation ?? '').replaceAll('-', ''), INCARNATION_AT, INCARNATION_BYTES, 'latin1');
  bytes.writeUInt32LE(crc32c(bytes, 0, 0, 60), 60);
  return bytes;
}

export type HeaderReading =
  | { readonly kind: 'header'; readonly header: SegmentHeader }
  | { readonly kind: 'torn' }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'broken' };

export function decodeHeader(bytes: Buffer): HeaderReading {
  if (bytes.length < HEADER_BYTES || isZero(bytes, 0, HEADER_BYTES)) return { kind: 'torn' };
  if (bytes.readUInt32LE(60) !== crc32c(bytes, 0, 0, 60)) return { kind: 'broken' };
  const version = bytes.readUInt32LE(8);
  if (!bytes.subarray(0, 8).equals(MAGIC)) return { kind: 'broken' };
  if (version > FORMAT_VERSION) return { kind: 'newer', version };
  return {
    kind: 'header',
    header: {
      firstSequence: bytes.readDoubleLE(16),
      chain: bytes.readUInt32LE(24),
      incarnation: version === 1 ? undefined : readIncarnation(bytes),
    },
  };
}

function readIncarnation(bytes: Buffer): string {
  const digits = bytes.toString('latin1', INCARNATION_AT, INCARNATION_AT + INCARNATION_BYTES);
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export const paddedBytes = (payload: number): number => RECORD_HEADER_BYTES + ((payload + 7) & ~7);

/** Writes a record at `at` (the caller has made room); returns its crc. */
export function writeRecord(
  into: Buffer,
  at: number,
  chain: number,
  sequence: number,
  record: LogRecord,
): number {
  const { payload } = record;
  into.writeUInt32LE(payload.length, at);
  into[at + 8] = record.type;
  into[at + 9] = 0;
  into.writeUInt16LE(record.shard, at + 10);
  into.writeUInt32LE(sequence >>> 0, at + 12);
  into.set(payload, at + RECORD_HEADER_BYTES);
  const end = at + paddedBytes(payload.length);
  for (let i = at + RECORD_HEADER_BYTES + payload.length; i < end; i++) into[i] = 0;
  const crc = recordCrc(into, at, payload.length, chain);
  into.writeUInt32LE(crc, at + 4);
  return crc;
}

function recordCrc(bytes: Buffer, at: number, length: number, chain: number): number {
  return crc32c(bytes, crc32cWord(length, chain), at + 8, at + RECORD_HEADER_BYTES + length);
}

export interface RecordReading {
  readonly type: number;
  readonly shard: ShardId;
  readonly crc: number;
  readonly payloadAt: number;
  readonly payloadLength: number;
  readonly next: number;
}

/** The record at `at` if there is one that continues the chain; undefined otherwise. */
export function readRecord(
  bytes: Buffer,
  at: number,
  chain: number,
  sequence: number,
): RecordReading | undefined {
  if (at + RECORD_HEADER_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32LE(at);
  if (at + RECORD_HEADER_BYTES + length > bytes.length) return undefined;
  const crc = bytes.readUInt32LE(at + 4);
  const type = bytes[at + 8]!;
  if (type === 0 && length === 0 && crc === 0) return undefined;
  if (bytes.readUInt32LE(at + 12) !== sequence >>> 0 || recordCrc(bytes, at, length, chain) !== crc)
    return undefined;
  const payloadAt = at + RECORD_HEADER_BYTES;
  const next = at + paddedBytes(length);
  // Padding is covered by no checksum, so it must be what was written.
  if (!isZero(bytes, payloadAt + length, Math.min(next, bytes.length))) return undefined;
  return { type, shard: shardId(bytes.readUInt16LE(at + 10)), crc, payloadAt, payloadLength: length, next };
}

/** A record that readRecord has found there. Its payload is a view. */
export function recordAt(bytes: Buffer, at: number): LogRecord & { readonly payload: Buffer } {
  const payloadAt = at + RECORD_HEADER_BYTES;
  return {
    shard: shardId(bytes.readUInt16LE(at + 10)),
    type: bytes[at + 8]!,
    payload: bytes.subarray(payloadAt, payloadAt + bytes.readUInt32LE(at)),
  };
}

export interface MarkerFound {
  readonly at: number;
  /** Where the group begins that it closes. */
  readonly groupAt: number;
}

/**
 * The markers behind `at`, where a group begins whose chain cannot be followed: known by their fixed bytes (type, shard,
 * length, a later sequence number and the seal). How many bytes a marker closes says where its group begins.
 */
export function* markersBehind(bytes: Buffer, at: number, sequence: number): Iterable<MarkerFound> {
  for (let i = at; i + RECORD_HEADER_BYTES + 8 <= bytes.length; i += 8) {
    if (bytes[i + 8] !== MARKER || bytes[i + 9] !== 0 || bytes.readUInt16LE(i + 10) !== MARKER_SHARD)
      continue;
    if (bytes.readUInt32LE(i) !== 8) continue;
    const behind = (bytes.readUInt32LE(i + 12) - (sequence >>> 0)) >>> 0;
    const seal = bytes.readUInt32LE(i + 20);
    if (behind >= 0x8000_0000 || (seal !== MARKER_SEAL && seal !== BASE_SEAL)) continue;
    yield { at: i, groupAt: i - bytes.readUInt32LE(i + 16) };
  }
}

/** The second half of every marker's payload. */
const MARKER_SEAL = 0x51_4d_52_4b;
/** The same, of a group with which the log begins anew: nothing before it is needed any more. Version 0.1.0 does not tell them apart. */
const BASE_SEAL = 0x51_4d_42_53;
export const MARKER_BYTES = paddedBytes(8);

export function markerRecord(groupBytes: number, isBase: boolean): LogRecord {
  const payload = Buffer.alloc(8);
  payload.writeUInt32LE(groupBytes, 0);
  payload.writeUInt32LE(isBase ? BASE_SEAL : MARKER_SEAL, 4);
  return { shard: shardId(MARKER_SHARD), type: MARKER, payload };
}

/** Of a marker that has been read. */
export const closesBase = (bytes: Buffer, { payloadAt }: RecordReading): boolean =>
  bytes.readUInt32LE(payloadAt + 4) === BASE_SEAL;

export function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
