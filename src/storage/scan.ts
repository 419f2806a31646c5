import { assert } from '../kernel/index.js';
import type { FileSystem } from './file-system.js';
import {
  closesBase,
  decodeHeader,
  HEADER_BYTES,
  isZero,
  MARKER,
  MARKER_BYTES,
  markersBehind,
  readRecord,
  recordAt,
  RECORD_TYPE_MAX,
  SECTOR_BYTES,
  type SegmentHeader,
} from './format.js';
import type { LogRecord } from '../replica/index.js';

/** Where the log continues. */
export interface LogEnd {
  readonly offset: number;
  readonly chain: number;
  readonly sequence: number;
}

export interface ScannedSegment {
  readonly header: SegmentHeader;
  readonly end: LogEnd;
  /** The log begins anew with it: no segment before it is needed. */
  readonly isBase: boolean;
  /** The whole file, as it was checked. */
  readonly bytes: Buffer;
  /** Where the records of its complete groups begin, and one copy of each marker. */
  readonly recordsAt: readonly number[];
}

export type SegmentScan =
  /** Valid up to `end`; `dropped` bytes behind it were never acknowledged. */
  | ({ readonly kind: 'valid'; readonly dropped: number } & ScannedSegment)
  /** A file that was being created when the process died. */
  | { readonly kind: 'incomplete' }
  /** `readable`: what is before the damage, where the header is sound. */
  | {
      readonly kind: 'corrupt';
      readonly offset: number;
      readonly detail: string;
      readonly readable?: ScannedSegment;
    }
  | { readonly kind: 'newer'; readonly version: number };

/** Checks one segment. `before` is the previous one; undefined for the first one there is. */
export function scanSegment(bytes: Buffer, before: ScannedSegment | undefined, isLast: boolean): SegmentScan {
  const expected = before?.end;
  const reading = decodeHeader(bytes);
  if (reading.kind === 'newer') return reading;
  if (reading.kind !== 'header') {
    const empty = isZero(bytes, 0, bytes.length) || bytes.length < HEADER_BYTES;
    // Format 1 gave a segment its name before it had a header. A later one that has none has lost it.
    if (isLast && empty && before?.header.incarnation === undefined) return { kind: 'incomplete' };
    return { kind: 'corrupt', offset: 0, detail: 'the header of the segment is damaged' };
  }
  const { header } = reading;
  if (
    expected !== undefined &&
    (header.chain !== expected.chain || header.firstSequence !== expected.sequence)
  ) {
    return { kind: 'corrupt', offset: 0, detail: 'the segment does not continue the one before it' };
  }
  const scanned = { header, bytes, ...followChain(bytes, header) };
  const { end } = scanned;
  if (isZero(bytes, end.offset, bytes.length)) return { kind: 'valid', ...scanned, dropped: 0 };
  const detail = isLast ? damage(bytes, end) : 'acknowledged records follow bytes that cannot be read';
  if (detail !== undefined) return { kind: 'corrupt', offset: end.offset, detail, readable: scanned };
  return { kind: 'valid', ...scanned, dropped: lastNonZero(bytes) + 1 - end.offset };
}

/**
 * Why the group that begins at the end of the chain is damaged; undefined when a crash tore it off before it was
 * acknowledged. The log is written over zeros, and sectors of one write reach the disk in any order: a torn group lacks its
 * marker, or one of its sectors is blank. Whole sectors, the marker among them, that cannot be read were damaged later. So
 * were bytes that the marker of a later group follows: a group is written when the one before it is durable.
 */
function damage(bytes: Buffer, { offset, sequence }: LogEnd): string | undefined {
  for (const marker of markersBehind(bytes, offset, sequence)) {
    const isOwn = [offset, offset + MARKER_BYTES].includes(marker.groupAt);
    if (!isOwn) return 'acknowledged records follow bytes that cannot be read';
    if (!hasBlankSector(bytes, offset, marker.at + MARKER_BYTES))
      return 'a group of records that was written as a whole cannot be read';
  }
  return undefined;
}

/** The parts of sectors at both ends count as well. */
function hasBlankSector(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from, next; at < to; at = next) {
    next = Math.min(to, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (isZero(bytes, at, next)) return true;
  }
  return false;
}

/** Follows the chain to the end of the last complete group. A base is the first group of its segment. */
function followChain(
  bytes: Buffer,
  header: SegmentHeader,
): Pick<ScannedSegment, 'end' | 'isBase' | 'recordsAt'> {
  let isBase = false;
  const recordsAt: number[] = [];
  let inCompleteGroups = 0;
  let complete: LogEnd = { offset: HEADER_BYTES, chain: header.chain, sequence: header.firstSequence };
  let { offset, chain, sequence } = complete;
  for (;;) {
    const record = readRecord(bytes, offset, chain, sequence);
    if (record !== undefined && record.type !== MARKER) {
      recordsAt.push(offset);
      offset = record.next;
      chain = record.crc;
      sequence++;
      continue;
    }
    const marker = record ?? secondCopy(bytes, offset, chain, sequence);
    if (marker === undefined) {
      recordsAt.length = inCompleteGroups;
      return { end: complete, isBase, recordsAt };
    }
    if (complete.offset === HEADER_BYTES) isBase = closesBase(bytes, marker);
    inCompleteGroups = recordsAt.push(record === undefined ? offset + MARKER_BYTES : offset);
    offset += 2 * MARKER_BYTES;
    chain = marker.crc;
    sequence++;
    complete = { offset, chain, sequence };
  }
}

function secondCopy(
  bytes: Buffer,
  offset: number,
  chain: number,
  sequence: number,
): ReturnType<typeof readRecord> {
  const copy = readRecord(bytes, offset + MARKER_BYTES, chain, sequence);
  return copy?.type === MARKER ? copy : undefined;
}

function lastNonZero(bytes: Buffer): number {
  let i = bytes.length - 1;
  while (i >= 0 && bytes[i] === 0) i--;
  return i;
}

/** The records of a segment, where the scan found them. Payloads are views of its bytes. */
export function* recordsOf(path: string, { bytes, recordsAt }: ScannedSegment): Iterable<LogRecord> {
  let groupAt = HEADER_BYTES;
  for (const at of recordsAt) {
    const { type, shard, payload } = recordAt(bytes, at);
    if (type !== MARKER) {
      assert(type <= RECORD_TYPE_MAX, `the type ${type} of a record in ${path} is 1..127`);
      yield { shard, type, payload };
      continue;
    }
    // Pair: WriteAheadLog writes into each marker how many bytes it closes.
    const closes = payload.readUInt32LE(0);
    const endsAt = groupAt + closes;
    // Of its two copies this may be the second.
    assert(
      endsAt === at || endsAt === at - MARKER_BYTES,
      `the group at ${groupAt} of ${path} has ${closes} bytes`,
    );
    groupAt += closes + 2 * MARKER_BYTES;
  }
}

export const readSegment = (fileSystem: FileSystem, path: string): Buffer => fileSystem.readFileSync(path);
