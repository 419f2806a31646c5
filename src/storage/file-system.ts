import * as fs from 'node:fs';
import { crc32c } from '../kernel/index.js';

/**
 * What this room asks of a file system, under Node's names. Tests replace it to inject failures, the simulator to be the
 * disk. A write may be short.
 */
export interface FileSystem {
  /** With a `d`: what `write` has written is durable when it calls back. */
  openSync(path: string, flags: OpenFlags): number;
  closeSync(file: number): void;
  /** Returns how many bytes were read: 0 at the end of the file. */
  readSync(file: number, into: Uint8Array, offset: number, length: number, position: number): number;
  fstatSync(file: number): { readonly size: number };
  fsyncSync(file: number): void;
  fdatasyncSync(file: number): void;
  renameSync(from: string, to: string): void;
  rmSync(path: string, options?: { readonly force: boolean }): void;
  unlinkSync(path: string): void;
  existsSync(path: string): boolean;
  mkdirSync(path: string): void;
  readdirSync(path: string): string[];
  readFileSync(path: string): Buffer;
  /** What is free on the disk, in blocks. Without it the disk counts as endless. */
  statfsSync?(path: string): { readonly bavail: number; readonly bsize: number };
  write(
    file: number,
    bytes: Uint8Array,
    position: number,
    done: (error: Error | null, written: number) => void,
  ): void;
  read(
    file: number,
    into: Uint8Array,
    position: number,
    done: (error: Error | null, read: number) => void,
  ): void;
  /** Of a directory: its entries are durable. */
  fsync(file: number, done: (error: Error | null) => void): void;
  /** Returns how many bytes were written. */
  writeSync(file: number, bytes: Uint8Array, position: number): number;
}

export type OpenFlags = 'r' | 'r+' | 'r+d' | 'w' | 'w+' | 'w+d';

/** On Linux a write with O_DSYNC is one call for what write and fdatasync are two. Elsewhere it may leave the cache of the disk. */
export const nodeFileSystem: FileSystem =
  process.platform === 'linux' ? writingThrough(fs.constants.O_DSYNC) : syncingAfterwards();

function writingThrough(dsync: number): FileSystem {
  const { O_RDWR, O_CREAT, O_TRUNC } = fs.constants;
  const durable = { 'r+d': O_RDWR | dsync, 'w+d': O_RDWR | O_CREAT | O_TRUNC | dsync };
  return {
    ...fs,
    openSync: (path, flags) => fs.openSync(path, flags === 'r+d' || flags === 'w+d' ? durable[flags] : flags),
    write: (file, bytes, position, done) => fs.write(file, bytes, 0, bytes.length, position, done),
    writeSync: (file, bytes, position) => fs.writeSync(file, bytes, 0, bytes.length, position),
    read: (file, into, position, done) => fs.read(file, into, 0, into.length, position, done),
    fsync: (file, done) => fs.fsync(file, done),
  };
}

/** Exported for its test: it serves where the tests seldom run. */
export function syncingAfterwards(): FileSystem {
  const durable = new Set<number>();
  const plain = writingThrough(0);
  return {
    ...plain,
    openSync: (path, flags) => {
      const file = plain.openSync(path, flags);
      if (flags.endsWith('d')) durable.add(file);
      return file;
    },
    closeSync: (file) => {
      durable.delete(file);
      fs.closeSync(file);
    },
    write: (file, bytes, position, done) =>
      fs.write(file, bytes, 0, bytes.length, position, (error, written) => {
        if (error !== null || !durable.has(file)) return done(error, written);
        fs.fdatasync(file, (syncError) => done(syncError, written));
      }),
  };
}

/** The system may write fewer bytes than asked (a signal, a full disk). The rest is written, or fails with an error. */
export function writeFully(
  fileSystem: FileSystem,
  file: number,
  bytes: Uint8Array,
  position: number,
  done: (error: Error | null) => void,
): void {
  fileSystem.write(file, bytes, position, (error, written) => {
    if (error !== null || written === bytes.length) return done(error);
    if (written === 0) return done(nothingWritten(bytes.length));
    writeFully(fileSystem, file, bytes.subarray(written), position + written, done);
  });
}

/** The same, blocking. Throws when the system reports an error or writes nothing. */
export function writeFullySync(
  fileSystem: FileSystem,
  file: number,
  bytes: Uint8Array,
  position: number,
): void {
  for (let at = 0; at < bytes.length;) {
    const written = fileSystem.writeSync(file, bytes.subarray(at), position + at);
    if (written === 0) throw nothingWritten(bytes.length - at);
    at += written;
  }
}

const nothingWritten = (bytes: number): Error => new Error(`the system wrote none of ${bytes} bytes`);

/** Makes a change of a directory's entries (create, rename, remove) durable. */
export function syncDirectory(fileSystem: FileSystem, path: string): void {
  const directory = fileSystem.openSync(path, 'r');
  try {
    fileSystem.fsyncSync(directory);
  } finally {
    fileSystem.closeSync(directory);
  }
}

/**
 * Writes a whole file so that after a crash either the old or the new one is there. The new file is read back before it
 * takes the place of the old one; when it differs, the old one stays and this throws.
 */
export function replaceFile(
  fileSystem: FileSystem,
  directory: string,
  name: string,
  chunks: Iterable<Uint8Array>,
): void {
  const path = `${directory}/${name}`;
  const temporary = `${path}.tmp`;
  const file = fileSystem.openSync(temporary, 'w+');
  try {
    let bytes = 0;
    let crc = 0;
    for (const chunk of chunks) {
      writeFullySync(fileSystem, file, chunk, bytes);
      bytes += chunk.length;
      crc = crc32c(chunk, crc);
    }
    fileSystem.fdatasyncSync(file);
    verify(fileSystem, file, bytes, crc);
  } catch (error) {
    // The space is given back: on a full disk an unfinished file would keep the log from going on.
    fileSystem.rmSync(temporary, { force: true });
    throw error;
  } finally {
    fileSystem.closeSync(file);
  }
  fileSystem.renameSync(temporary, path);
  syncDirectory(fileSystem, directory);
}

const READ_BACK_BYTES = 1024 * 1024;

/** Reads the file back: length and checksum must be those of what was written. */
function verify(fileSystem: FileSystem, file: number, bytes: number, crc: number): void {
  const part = Buffer.allocUnsafe(Math.min(READ_BACK_BYTES, bytes + 1));
  let at = 0;
  let found = 0;
  for (;;) {
    const read = fileSystem.readSync(file, part, 0, part.length, at);
    if (read === 0) break;
    found = crc32c(part.subarray(0, read), found);
    at += read;
  }
  if (at !== bytes) throw new Error(`${bytes} bytes were written, and the file has ${at}`);
  if (found !== crc) throw new Error(`the ${bytes} bytes read back are not those that were written`);
}
