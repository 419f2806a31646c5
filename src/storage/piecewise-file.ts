import { crc32c } from '../kernel/index.js';
import { type FileSystem, writeFully } from './file-system.js';

export const READ_BYTES = 1024 * 1024;

export interface PiecewiseFile {
  readonly directory: string;
  readonly name: string;
  /** Asked for the next piece when the one before is on disk. Its `return` is called when not all is asked for. */
  readonly pieces: Iterator<Uint8Array>;
  readonly headerBytes: number;
  /** Written last: `crc` is the CRC-32C of all pieces. */
  readonly header: (crc: number) => Uint8Array;
  /** Asked before each step: false ends the work without an error, and without the file. It may throw. */
  readonly goesOn: () => boolean;
}

/** `bytes`: the length of the file; undefined when it does not go on. */
type Done = (error: Error | null, bytes: number | undefined) => void;

/**
 * Writes a whole file so that after a crash either the old or the new one is there, one piece after the other and never
 * on the event loop: the sizes do not matter to others. It is read back before it takes its name.
 */
export function replaceFileInPieces(fileSystem: FileSystem, file: PiecewiseFile, done: Done): void {
  new Replacement(fileSystem, file, done).begin();
}

class Replacement {
  readonly #fileSystem: FileSystem;
  readonly #of: PiecewiseFile;
  readonly #done: Done;
  readonly #path: string;
  #file: number | undefined;
  #crc = 0;
  #at: number;
  #all = false;

  constructor(fileSystem: FileSystem, of: PiecewiseFile, done: Done) {
    this.#fileSystem = fileSystem;
    this.#of = of;
    this.#done = done;
    this.#path = `${of.directory}/${of.name}`;
    this.#at = of.headerBytes;
  }

  begin(): void {
    this.#step(() => {
      this.#file = this.#fileSystem.openSync(`${this.#path}.tmp`, 'w+d');
      this.#next();
    });
  }

  /** Runs unless the work is called off. What it throws ends the work. */
  #step(run: () => void): void {
    try {
      if (this.#of.goesOn()) run();
      else this.#end(null, undefined);
    } catch (error) {
      this.#end(error as Error, undefined);
    }
  }

  #next(): void {
    const next = this.#of.pieces.next();
    if (next.done === true) {
      this.#all = true;
      return this.#write(this.#of.header(this.#crc), 0, () => this.#verify(0, 0));
    }
    const piece = next.value;
    this.#crc = crc32c(piece, this.#crc);
    this.#write(piece, this.#at, () => this.#next());
    this.#at += piece.length;
  }

  #write(bytes: Uint8Array, at: number, then: () => void): void {
    writeFully(this.#fileSystem, this.#file!, bytes, at, (error) => {
      if (error !== null) this.#end(error, undefined);
      else this.#step(then);
    });
  }

  /** Length and contents must be those of what was written. */
  #verify(from: number, crc: number): void {
    const { header, headerBytes } = this.#of;
    // One byte more than there should be: a file that is longer shows.
    const part = Buffer.allocUnsafe(from === 0 ? headerBytes : Math.min(READ_BYTES, this.#at - from + 1));
    this.#fileSystem.read(this.#file!, part, from, (error, length) => {
      if (error !== null) return this.#end(error, undefined);
      const found = part.subarray(0, length);
      this.#step(() => {
        if (from === 0 && !found.equals(header(this.#crc)))
          throw new Error('the header read back is not the one that was written');
        if (length > 0) return this.#verify(from + length, from === 0 ? 0 : crc32c(found, crc));
        if (from !== this.#at) throw new Error(`${this.#at} bytes were written, and the file has ${from}`);
        if (crc !== this.#crc)
          throw new Error(`the ${this.#at} bytes read back are not those that were written`);
        this.#name();
      });
    });
  }

  #name(): void {
    const fileSystem = this.#fileSystem;
    fileSystem.closeSync(this.#file!);
    this.#file = undefined;
    fileSystem.renameSync(`${this.#path}.tmp`, this.#path);
    const directory = fileSystem.openSync(this.#of.directory, 'r');
    fileSystem.fsync(directory, (error) => {
      fileSystem.closeSync(directory);
      this.#done(error, this.#at);
    });
  }

  /** The space is given back: on a full disk an unfinished file would keep the log from going on. */
  #end(error: Error | null, bytes: number | undefined): void {
    if (!this.#all) this.#of.pieces.return?.();
    if (this.#file !== undefined) {
      this.#fileSystem.closeSync(this.#file);
      this.#fileSystem.rmSync(`${this.#path}.tmp`, { force: true });
    }
    this.#done(error, bytes);
  }
}

/** The file in pieces, after a header of `headerBytes`; each is read when it is asked for. `close` when enough was read. */
export class PiecewiseReader {
  readonly #fileSystem: FileSystem;
  readonly #file: number;
  /** The length of the file. */
  readonly bytes: number;
  #reading = 0;
  #closed = false;

  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem;
    this.#file = fileSystem.openSync(path, 'r');
    this.bytes = fileSystem.fstatSync(this.#file).size;
  }

  /** Empty at the end of the file. */
  at(position: number, bytes = READ_BYTES): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new Error('the file is closed');
      const into = Buffer.allocUnsafe(Math.min(bytes, Math.max(1, this.bytes - position)));
      this.#reading++;
      this.#fileSystem.read(this.#file, into, position, (error, read) => {
        this.#reading--;
        if (this.#closed) this.#release();
        if (error === null) resolve(into.subarray(0, read));
        else reject(error);
      });
    });
  }

  async *from(position: number): AsyncGenerator<Buffer> {
    for (let at = position; ;) {
      const part = await this.at(at);
      if (part.length === 0) return;
      yield part;
      at += part.length;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }
  /** Not under a read: its number may be that of another file by then. */
  #release(): void {
    if (this.#reading === 0) this.#fileSystem.closeSync(this.#file);
  }
}
