import type { Random } from '../kernel/index.js';
import type { FileSystem, OpenFlags } from '../storage/index.js';
import { type DiskTrouble, noTrouble } from './disk-trouble.js';
import { grown } from './growing-buffer.js';
import { flush, flushSector, type Inode, sectors } from './inode.js';

/** Zeros in the place of what the system took of a sector, perhaps, and the rest. */
const MENDING_WRITES = 2;

type Entry = { readonly inode: Inode } | 'directory';

/** Files and directories by their names. */
export type DiskImage = ReadonlyMap<string, Buffer | 'directory'>;

/** How one process reaches its disk: `effect` is asked before each change, and throws once the process is dead. */
export interface DiskSession {
  readonly effect: (what: string) => void;
  /** Runs in the process, if it lives then. */
  readonly later: (delayMs: number, run: () => void) => void;
  /** The process does nothing else for so long. */
  readonly blocks: (ms: number) => void;
  /** Hears which write is under way: of its sectors any may be on the medium. */
  readonly underWay?: (what: UnderWay) => void;
}
export type UnderWay = "write's end" | "cut write's end";

/**
 * A disk that forgets: what was not synced is lost in any subset of its sectors when the power goes, and of the changes
 * of its directory only the first so many are there.
 */
export class SimulatedDisk {
  trouble: DiskTrouble = noTrouble();
  #names = new Map<string, Entry>();
  #durableNames = new Map<string, Entry>();
  #changes: ((names: Map<string, Entry>) => void)[] = [];
  readonly #files = new Map<number, Inode | 'directory'>();
  /** Opened so that what is written is durable. */
  readonly #writeThrough = new Set<number>();
  /** Of a write the system took a part only: how many of the writes that mend that are to come. */
  readonly #cut = new Map<number, number>();
  #nextFile = 1;
  readonly #random: Random;
  readonly #cuts: number;
  /** What does not end while the disk hangs. */
  #held: (() => void)[] = [];

  /** `cuts`: of so many writes the system takes a part only. */
  constructor(random: Random, cuts = 0.02) {
    this.#random = random;
    this.#cuts = cuts;
  }

  /** No trouble any more; what hung goes on. */
  mend(): void {
    this.trouble = noTrouble();
    for (const end of this.#held.splice(0)) end();
  }

  /** The power goes. Returns how many sectors were lost. */
  crash(): number {
    const { image, lost } = this.afterPowerFailure(this.#random);
    this.restore(image);
    this.#files.clear();
    return lost;
  }

  /** What would be on the medium if the power went now, and how many sectors would be lost. Changes nothing. */
  afterPowerFailure(random: Random): { readonly image: DiskImage; readonly lost: number } {
    const kept = random.below(this.#changes.length + 1);
    const names = new Map(this.#durableNames);
    for (const change of this.#changes.slice(0, kept)) change(names);
    const mode = random.below(3);
    const image = new Map<string, Buffer | 'directory'>();
    let lost = 0;
    for (const [name, entry] of names) {
      if (entry === 'directory') {
        image.set(name, entry);
        continue;
      }
      const { bytes, durable, unsynced } = entry.inode;
      const medium = { bytes, durable: Buffer.from(durable) };
      for (const sector of unsynced) {
        const survives = mode === 0 ? false : mode === 1 ? true : random.chance(0.5);
        if (survives) flushSector(medium, sector);
        else lost++;
      }
      image.set(name, medium.durable);
    }
    return { image, lost };
  }

  /** The names of all files and directories. */
  get names(): Iterable<string> {
    return this.#names.keys();
  }
  get durableNames(): Iterable<string> {
    return this.#durableNames.keys();
  }
  get blank(): boolean {
    return this.#names.size === 0;
  }
  wipe(): void {
    this.restore(new Map());
  }

  /** All that a copy of the disk would hold now. */
  image(): DiskImage {
    return new Map(
      [...this.#names].map(([name, entry]) => [
        name,
        entry === 'directory' ? entry : Buffer.from(entry.inode.bytes),
      ]),
    );
  }
  /** A file as it stands on the medium. */
  durable(path: string): Buffer | undefined {
    const entry = this.#durableNames.get(path);
    return entry === undefined || entry === 'directory' ? undefined : entry.inode.durable;
  }
  /** The disk holds what the image holds, and all of it is durable. */
  restore(image: DiskImage): void {
    this.#durableNames = new Map(
      [...image].map(([name, found]): [string, Entry] => {
        if (found === 'directory') return [name, found];
        const bytes = Buffer.from(found);
        return [name, { inode: { bytes, durable: Buffer.from(bytes), unsynced: new Set() } }];
      }),
    );
    this.#names = new Map(this.#durableNames);
    this.#changes = [];
  }

  /** The newest segment of the log holds zeros, or, `cut`, nothing. */
  zeroLog(cut: boolean): void {
    const name = [...this.#names.keys()]
      .filter((each) => each.endsWith('.wal'))
      .sort()
      .at(-1);
    if (name === undefined) return;
    const { inode } = this.#names.get(name) as { readonly inode: Inode };
    inode.durable = Buffer.alloc(cut ? 0 : inode.durable.length);
    inode.bytes = Buffer.from(inode.durable);
  }

  /** Flips one bit of a file at rest. Returns the file's name. */
  rot(): string | undefined {
    const files = [...this.#names].filter(([, entry]) => entry !== 'directory');
    const usable = files.filter(([name]) => name.endsWith('.wal') || name.includes('snapshot-'));
    if (usable.length === 0) return undefined;
    const [name, entry] = this.#random.pick(usable);
    const { inode } = entry as { readonly inode: Inode };
    let used = inode.durable.length;
    while (used > 0 && inode.durable[used - 1] === 0) used--;
    if (used === 0) return undefined;
    const at = this.#random.below(used);
    inode.durable[at] = inode.durable[at]! ^ (1 << this.#random.below(8));
    inode.bytes = Buffer.from(inode.durable);
    return name;
  }

  /** The disk as one process uses it. */
  fileSystem(session: DiskSession): FileSystem {
    const change = (apply: (names: Map<string, Entry>) => void): void => {
      session.effect('directory');
      apply(this.#names);
      this.#changes.push(apply);
    };
    return {
      ...this.#directory(change),
      ...this.#readers(),
      openSync: (path, flags) => this.#open(path, flags, change),
      closeSync: (file) => void this.#files.delete(file),
      fsyncSync: (file) => {
        this.#blocking(session);
        const inode = this.#files.get(file);
        if (inode === 'directory') this.#syncNames();
        else flush(this.#inode(file));
      },
      fdatasyncSync: (file) => {
        this.#blocking(session);
        flush(this.#inode(file));
      },
      writeSync: (file, bytes, position) => {
        session.effect('write');
        this.#failing();
        return this.#write(this.#inode(file), this.#part(bytes), position);
      },
      write: (file, bytes, position, done) => this.#writeLater(session, file, bytes, position, done),
      read: (file, into, position, done) => this.#readLater(session, file, into, position, done),
      fsync: (file, done) => this.#syncNamesLater(session, file, done),
    };
  }

  #directory(
    change: (apply: (names: Map<string, Entry>) => void) => void,
  ): Pick<FileSystem, 'renameSync' | 'rmSync' | 'unlinkSync' | 'mkdirSync'> {
    return {
      renameSync: (from, to) => {
        const entry = this.#entry(from);
        change((names) => {
          names.delete(from);
          names.set(to, entry);
        });
      },
      rmSync: (path, options) => {
        if (!this.#names.has(path) && options?.force === true) return;
        this.#entry(path);
        change((names) => names.delete(path));
      },
      unlinkSync: (path) => {
        this.#entry(path);
        change((names) => names.delete(path));
      },
      mkdirSync: (path) => change((names) => names.set(path, 'directory')),
    };
  }

  #readers(): Pick<FileSystem, 'existsSync' | 'readdirSync' | 'readFileSync' | 'readSync' | 'fstatSync'> {
    return {
      existsSync: (path) => this.#names.has(path),
      readdirSync: (path) =>
        [...this.#names.keys()]
          .filter((name) => name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes('/'))
          .map((name) => name.slice(path.length + 1))
          .sort(),
      readFileSync: (path) => Buffer.from(this.#fileAt(path).bytes),
      readSync: (file, into, offset, length, position) => {
        const part = this.#inode(file).bytes.subarray(position, position + length);
        into.set(part, offset);
        return part.length;
      },
      fstatSync: (file) => ({ size: this.#inode(file).bytes.length }),
    };
  }

  #open(
    path: string,
    flags: OpenFlags,
    change: (apply: (names: Map<string, Entry>) => void) => void,
  ): number {
    const file = this.#nextFile++;
    let entry = this.#names.get(path);
    if (flags.startsWith('w')) {
      const inode: Inode = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: new Set() };
      const made = { inode };
      change((names) => names.set(path, made));
      entry = made;
    }
    // The data directory itself has no entry.
    const isDirectory = entry === 'directory' || (entry === undefined && flags === 'r');
    if (flags.endsWith('d')) this.#writeThrough.add(file);
    this.#files.set(file, isDirectory ? 'directory' : this.#fileOf(path, entry));
    return file;
  }

  #writeLater(
    session: DiskSession,
    file: number,
    bytes: Uint8Array,
    position: number,
    done: (error: Error | null, written: number) => void,
  ): void {
    session.effect('write');
    const inode = this.#inode(file);
    const part = this.#part(bytes);
    let written = 0;
    let failure: Error | null = null;
    try {
      this.#failing();
      written = this.#write(inode, part, position);
    } catch (error) {
      failure = error as Error;
    }
    const mending = this.#cut.get(file) ?? 0;
    this.#cut.set(file, written < bytes.length ? MENDING_WRITES : Math.max(0, mending - 1));
    if (failure === null) session.underWay?.(mending > 0 ? "cut write's end" : "write's end");
    const covered = sectors(position, written);
    this.#end(session, () => {
      if (failure !== null || !this.#writeThrough.has(file)) return done(failure, written);
      try {
        this.#failing();
      } catch (error) {
        return done(error as Error, written);
      }
      for (const sector of covered) if (inode.unsynced.delete(sector)) flushSector(inode, sector);
      session.effect('synced');
      done(null, written);
    });
  }

  #readLater(
    session: DiskSession,
    file: number,
    into: Uint8Array,
    position: number,
    done: (error: Error | null, read: number) => void,
  ): void {
    const inode = this.#inode(file);
    this.#end(session, () => {
      const part = inode.bytes.subarray(position, position + into.length);
      into.set(part);
      done(null, part.length);
    });
  }

  #syncNamesLater(session: DiskSession, file: number, done: (error: Error | null) => void): void {
    session.effect('sync');
    if (this.#files.get(file) !== 'directory') throw failure('EBADF', 'not a directory');
    const covered = new Set(this.#changes);
    this.#end(session, () => {
      try {
        this.#failing();
      } catch (error) {
        return done(error as Error);
      }
      for (const change of covered) if (this.#changes.includes(change)) change(this.#durableNames);
      this.#changes = this.#changes.filter((change) => !covered.has(change));
      session.effect('synced');
      done(null);
    });
  }

  /** A system may write less than it was asked to. */
  #part(bytes: Uint8Array): Uint8Array {
    return bytes.subarray(0, this.#random.chance(this.#cuts) ? Math.ceil(bytes.length / 2) : bytes.length);
  }

  #blocking(session: DiskSession): void {
    session.effect('sync');
    this.#failing();
    session.blocks(0.1 + this.#random.next() + this.trouble.slowMs);
  }

  #write(inode: Inode, bytes: Uint8Array, position: number): number {
    const grows = Math.max(0, position + bytes.length - inode.bytes.length);
    const fits = Math.min(bytes.length, bytes.length - grows + Math.max(0, this.trouble.room));
    if (fits === 0 && bytes.length > 0) throw failure('ENOSPC', 'no space left on device');
    this.trouble.room -= Math.max(0, position + fits - inode.bytes.length);
    const end = position + fits;
    if (end > inode.bytes.length) inode.bytes = grown(inode.bytes, end);
    inode.bytes.set(bytes.subarray(0, fits), position);
    for (const sector of sectors(position, fits)) inode.unsynced.add(sector);
    return fits;
  }

  /** Ends after a while, and not while the disk hangs. */
  #end(session: DiskSession, end: () => void): void {
    const later = (): void => {
      if (this.trouble.hangs) this.#held.push(() => void session.later(0.1, later));
      else end();
    };
    session.later(0.1 + this.#random.next() + this.trouble.slowMs, later);
  }
  #failing(): void {
    if (this.trouble.failsAfter-- <= 0 && this.trouble.failures-- > 0) throw failure('EIO', 'i/o error');
  }
  #syncNames(): void {
    for (const change of this.#changes) change(this.#durableNames);
    this.#changes = [];
  }
  #entry(path: string): Entry {
    const entry = this.#names.get(path);
    if (entry === undefined) throw failure('ENOENT', `no such file: ${path}`);
    return entry;
  }
  #fileAt(path: string): Inode {
    return this.#fileOf(path, this.#entry(path));
  }
  #fileOf(path: string, entry: Entry | undefined): Inode {
    if (entry === undefined || entry === 'directory') throw failure('ENOENT', `no such file: ${path}`);
    return entry.inode;
  }
  #inode(file: number): Inode {
    const inode = this.#files.get(file);
    if (inode === undefined || inode === 'directory') throw failure('EBADF', 'bad file descriptor');
    return inode;
  }
}

const failure = (code: string, text: string): Error => Object.assign(new Error(`${code}: ${text}`), { code });
