import { join } from 'node:path';
import { assert, broken, DURATION_BOUNDS, Histogram } from '../kernel/index.js';
import type { LogRecord } from '../replica/index.js';
import { takenOver } from './directory-lock.js';
import { isFull } from './disk-room.js';
import { type FileSystem, syncDirectory, writeFully, writeFullySync } from './file-system.js';
import {
  encodeHeader,
  HEADER_BYTES,
  MARKER_BYTES,
  MARKER_SHARD,
  markerRecord,
  paddedBytes,
  RECORD_TYPE_MAX,
  writeRecord,
} from './format.js';
import type { LogEnd } from './scan.js';
import { writeWholeSectors } from './whole-sectors.js';

/** How long no zeros are tried after there was no room for them. Milliseconds. */
const ZEROS_AGAIN_MS = 10_000;

export interface LogOptions {
  readonly directory: string;
  /** The log starts a new segment when a group does not fit into this. Bytes. */
  readonly segmentBytes: number;
  /** How far ahead of the end a segment is filled with zeros. Bytes. */
  readonly zeroAheadBytes: number;
  readonly fileSystem: FileSystem;
  /** Calls back at the end of this turn of the loop. */
  readonly soon: (run: () => void) => void;
  /** Asked before each group: false when another process has taken the directory over. */
  readonly mayWrite: () => boolean;
  /** Milliseconds, from any point. */
  readonly now: () => number;
  /** Of this disk; written into the header of each segment. */
  readonly incarnation: string;
}

export interface Segment {
  readonly number: number;
  readonly path: string;
  /** Bytes in use. */
  used: number;
}

export const segmentName = (number: number): string => `log-${String(number).padStart(10, '0')}.wal`;

/** So much is written though nobody waits for it: who has no vote may never ask for a sync. Bytes. */
const UNASKED_BYTES = 64 * 1024;

/**
 * The writing half: groups of records, one durable write each. All that arrives while a write runs goes into the
 * next group. Only the creation of a segment blocks the event loop.
 */
export class WriteAheadLog {
  readonly #options: LogOptions;
  readonly #segments: Segment[];
  #file: number;
  #end: LogEnd;
  /** The sequence number behind what is on disk. */
  #durable: number;
  #zeroedThrough: number;
  #zeroing = false;
  /** No zeros before, where there was no room for them. */
  #noZerosUntil = Number.NEGATIVE_INFINITY;
  #group = Buffer.allocUnsafe(64 * 1024);
  #spare = Buffer.allocUnsafe(64 * 1024);
  #groupBytes = 0;
  #groupRecords = 0;
  /** Chain and sequence behind the last record of the group being gathered. */
  #tail: { readonly chain: number; readonly sequence: number } | undefined;
  #waiting: (() => void)[] = [];
  readonly writeSeconds = new Histogram(DURATION_BOUNDS);
  #wanted = false;
  #scheduled = false;
  #writing = false;
  #dead = false;
  #onFailure: ((error: Error) => void) | undefined;
  #onIdle: (() => void)[] = [];
  /** Waits for a group of its own. */
  #base: { readonly records: () => readonly LogRecord[]; readonly done: () => void } | undefined;
  /** The group being gathered begins with a base: it begins a segment. */
  #basing = false;
  /** The segment that began with the last base. */
  #baseSegment = 0;
  #rebasing = false;

  /** `segments` in order; the last one is open for writing at `end`. */
  constructor(options: LogOptions, segments: Segment[], end: LogEnd) {
    this.#options = options;
    this.#segments = segments;
    this.#end = end;
    this.#durable = end.sequence;
    const last = segments.at(-1)!;
    this.#file = options.fileSystem.openSync(last.path, 'r+d');
    this.#zeroedThrough = options.fileSystem.fstatSync(this.#file).size;
  }

  /**
   * Creates a segment on disk, header and first zeros included, durable with its directory entry. It gets its name when
   * it is whole: a segment without a header has lost it.
   */
  static createSegment(options: LogOptions, number: number, firstSequence: number, chain: number): Segment {
    const { directory, fileSystem, incarnation } = options;
    const path = join(directory, segmentName(number));
    const temporary = `${path}.tmp`;
    const file = fileSystem.openSync(temporary, 'w');
    try {
      const zeros = Math.max(0, Math.min(options.zeroAheadBytes, options.segmentBytes) - HEADER_BYTES);
      writeFullySync(fileSystem, file, encodeHeader({ firstSequence, chain, incarnation }), 0);
      writeFullySync(fileSystem, file, Buffer.alloc(zeros), HEADER_BYTES);
      fileSystem.fsyncSync(file);
      fileSystem.renameSync(temporary, path);
    } catch (error) {
      fileSystem.rmSync(temporary, { force: true });
      throw error;
    } finally {
      fileSystem.closeSync(file);
    }
    syncDirectory(fileSystem, directory);
    return { number, path, used: HEADER_BYTES };
  }

  position(): number {
    return this.#durable;
  }

  onFailure(handler: (error: Error) => void): void {
    this.#onFailure = handler;
  }

  append(records: readonly LogRecord[], sync: boolean, done: (() => void) | undefined): void {
    if (this.#dead) return;
    for (const record of records) this.#put(record);
    if (!sync && this.#groupBytes < UNASKED_BYTES) return;
    if (done !== undefined) this.#waiting.push(done);
    this.#want();
  }

  /**
   * Begins a segment with the records that `records` gives; once they are durable, the segments before go. It is asked
   * when all that was appended before is in an earlier segment, and nothing appended later is before it.
   */
  rebase(records: () => readonly LogRecord[], done: () => void): void {
    if (this.#dead) return;
    assert(!this.#rebasing, 'one base at a time');
    this.#rebasing = true;
    this.#base = { records, done };
    if (this.#groupRecords === 0) this.#gatherBase();
    this.#want();
  }

  #gatherBase(): void {
    if (this.#base === undefined) return;
    const { records, done } = this.#base;
    this.#base = undefined;
    this.#basing = true;
    for (const record of records()) this.#put(record);
    this.#waiting.push(() => {
      this.#rebasing = false;
      this.#releaseOlder();
      if (!this.#dead) done();
    });
    this.#wanted = true;
  }

  #want(): void {
    this.#wanted = true;
    if (this.#writing || this.#scheduled) return;
    this.#scheduled = true;
    // After all that this turn appends.
    this.#options.soon(() => {
      this.#scheduled = false;
      if (!this.#writing) this.#writeGroup();
    });
  }

  #put(record: LogRecord): void {
    // Pair: readRecord and recordsOf. A type of MARKER or a shard of the marker would end a group on the next start.
    if (!(record.type >= 1 && record.type <= RECORD_TYPE_MAX))
      broken(`the type ${record.type} of a record is 1..127`);
    if (!(record.shard >= 0 && record.shard < MARKER_SHARD))
      broken(`the shard ${record.shard} of a record is 0..65534`);
    const bytes = paddedBytes(record.payload.length);
    this.#reserve(bytes + 2 * MARKER_BYTES);
    const { crc, sequence } = this.#next();
    const written = writeRecord(this.#group, this.#groupBytes, crc, sequence, record);
    this.#groupBytes += bytes;
    this.#tail = { chain: written, sequence: sequence + 1 };
    this.#groupRecords++;
  }

  #next(): { crc: number; sequence: number } {
    return this.#tail === undefined
      ? { crc: this.#end.chain, sequence: this.#end.sequence }
      : { crc: this.#tail.chain, sequence: this.#tail.sequence };
  }

  #reserve(bytes: number): void {
    if (this.#groupBytes + bytes <= this.#group.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#group.length * 2, this.#groupBytes + bytes));
    this.#group.copy(grown, 0, 0, this.#groupBytes);
    this.#group = grown;
  }

  #writeGroup(): void {
    if (this.#dead || !this.#wanted) return this.#idle();
    if (!this.#options.mayWrite()) return this.#fail('write', takenOver(this.#options.directory));
    this.#reserve(2 * MARKER_BYTES);
    const { crc, sequence } = this.#next();
    const marker = markerRecord(this.#groupBytes, this.#basing);
    const chain = writeRecord(this.#group, this.#groupBytes, crc, sequence, marker);
    this.#group.copy(
      this.#group,
      this.#groupBytes + MARKER_BYTES,
      this.#groupBytes,
      this.#groupBytes + MARKER_BYTES,
    );
    const bytes = this.#group.subarray(0, this.#groupBytes + 2 * MARKER_BYTES);
    const waiting = this.#waiting;
    // From here on a new group gathers in the other buffer.
    const written = this.#group;
    this.#group = this.#spare;
    this.#spare = written;
    this.#groupBytes = 0;
    this.#waiting = [];
    this.#wanted = false;
    const fits = this.#end.offset + bytes.length <= this.#options.segmentBytes;
    if ((!fits || this.#basing) && this.#end.offset > HEADER_BYTES) this.#rotate();
    if (this.#basing) this.#baseSegment = this.#segments.at(-1)!.number;
    this.#basing = false;
    if (this.#dead) return;
    const at = this.#end.offset;
    assert(sequence === this.#end.sequence + this.#groupRecords, 'a group continues the sequence of the log');
    assert(at % 8 === 0 && bytes.length % 8 === 0, 'a group begins and ends at a multiple of 8');
    this.#groupRecords = 0;
    this.#end = { offset: at + bytes.length, chain, sequence: sequence + 1 };
    this.#tail = undefined;
    this.#segments.at(-1)!.used = this.#end.offset;
    this.#writing = true;
    this.#gatherBase();
    this.#toDisk(bytes, at, waiting);
  }

  #toDisk(bytes: Buffer, at: number, waiting: readonly (() => void)[]): void {
    const { fileSystem, now } = this.#options;
    const from = now();
    writeWholeSectors(fileSystem, this.#file, bytes, at, (error) => {
      if (error !== null) return this.#fail('write', error);
      this.#writing = false;
      this.writeSeconds.observe((now() - from) / 1_000);
      this.#durable = this.#end.sequence;
      this.#zeroAhead();
      if (this.#wanted && !this.#scheduled) this.#writeGroup();
      if (this.#dead) return;
      for (const done of waiting) done();
      if (!this.#writing) this.#idle();
    });
  }

  /** The zeros spare later writes from having to change the file's size (0.65 x the time of a growing file). */
  #zeroAhead(): void {
    const { zeroAheadBytes, segmentBytes, fileSystem } = this.#options;
    if (
      this.#zeroing ||
      this.#options.now() < this.#noZerosUntil ||
      this.#zeroedThrough >= segmentBytes ||
      this.#end.offset + zeroAheadBytes / 2 < this.#zeroedThrough
    )
      return;
    const from = Math.max(this.#zeroedThrough, this.#end.offset);
    const bytes = Math.min(zeroAheadBytes, segmentBytes - from);
    if (bytes <= 0 || this.#wanted) return;
    this.#zeroing = true;
    const file = this.#file;
    // While zeros are written beyond it, no group may go there.
    this.#writing = true;
    writeFully(fileSystem, file, Buffer.alloc(bytes), from, (error) => {
      // On a full disk there are none: what room is left is for groups.
      if (error !== null && !isFull(error)) return this.#fail('write', error);
      this.#zeroing = false;
      this.#writing = false;
      if (error === null) this.#zeroedThrough = from + bytes;
      else this.#noZerosUntil = this.#options.now() + ZEROS_AGAIN_MS;
      this.#writeGroup();
    });
  }

  #rotate(): void {
    const last = this.#segments.at(-1)!;
    // The group to come continues the chain of the end that it was gathered behind.
    const { sequence, chain } = this.#end;
    try {
      const segment = WriteAheadLog.createSegment(this.#options, last.number + 1, sequence, chain);
      this.#file = this.#swapFile(segment.path);
      this.#segments.push(segment);
      this.#zeroedThrough = this.#options.fileSystem.fstatSync(this.#file).size;
      this.#end = { ...this.#end, offset: HEADER_BYTES };
    } catch (error) {
      this.#fail('create', error as Error, join(this.#options.directory, segmentName(last.number + 1)));
    }
  }

  /** Opens the next segment before the old one is closed: when that fails, the log still has a file to close. */
  #swapFile(path: string): number {
    const next = this.#options.fileSystem.openSync(path, 'r+d');
    this.#options.fileSystem.closeSync(this.#file);
    return next;
  }

  #fail(what: string, error: Error, path = this.#segments.at(-1)!.path): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#idle();
    this.#onFailure?.(new Error(`cannot ${what} ${path}: ${error.message}`, { cause: error }));
  }

  /** Resolves when nothing is under way. */
  async #settled(): Promise<void> {
    if (this.#dead || !(this.#writing || this.#scheduled || this.#wanted)) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #idle(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** The base is durable: nothing before its segment is needed any more. */
  #releaseOlder(): void {
    const { fileSystem, directory } = this.#options;
    try {
      while (this.#segments[0]!.number < this.#baseSegment)
        fileSystem.unlinkSync(this.#segments.shift()!.path);
      syncDirectory(fileSystem, directory);
    } catch (error) {
      this.#fail('shorten', error as Error, directory);
    }
  }

  /** Whether no group was ever written. */
  get empty(): boolean {
    return this.#segments.length === 1 && this.#segments[0]!.used === HEADER_BYTES;
  }

  /** Bytes in use over all segments: what a restart reads. */
  bytes(): number {
    return this.#segments.reduce((sum, { used }) => sum + used, 0);
  }

  async close(): Promise<void> {
    if (!this.#dead && this.#groupBytes > 0) this.append([], true, undefined);
    await this.#settled();
    if (!this.#dead && !this.empty) {
      // An empty group: it proves that the one before it was acknowledged. Without it, all is durable nevertheless.
      this.#onFailure = undefined;
      this.append([], true, undefined);
      await this.#settled();
    }
    this.#dead = true;
    this.#options.fileSystem.closeSync(this.#file);
  }
}
