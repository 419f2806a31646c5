import { join } from 'node:path';
import { crc32c, type ShardId, shardId, type Slot, slot } from '../kernel/index.js';
import type { OpenSnapshot } from '../replica/index.js';
import type { FileSystem } from './file-system.js';
import { PiecewiseReader, replaceFileInPieces } from './piecewise-file.js';

const MAGIC = Buffer.from('QUORSNP1', 'latin1');
const HEADER_BYTES = 24;

interface SnapshotJob {
  readonly shard: ShardId;
  readonly through: Slot;
  readonly chunks: Iterable<Uint8Array>;
  readonly done: (error: Error | null) => void;
}

interface SnapshotFilesOptions {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly soon: (run: () => void) => void;
  /** Called again and again: throws when another process has taken the directory over. */
  readonly assertOwner: () => void;
}

/** Snapshots, a file each: header (magic, crc of the body, slot), body. Replaced atomically; the newest valid one counts. */
export class SnapshotFiles {
  readonly #directory: string;
  readonly #fileSystem: FileSystem;
  readonly newest = new Map<ShardId, Slot>();
  readonly #bytes = new Map<ShardId, number>();
  readonly #soon: (run: () => void) => void;
  readonly #assertOwner: () => void;
  readonly #jobs: SnapshotJob[] = [];
  #writing = false;
  #closed = false;
  #onIdle: (() => void)[] = [];

  constructor({ directory, fileSystem, soon, assertOwner }: SnapshotFilesOptions) {
    this.#directory = directory;
    this.#fileSystem = fileSystem;
    this.#soon = soon;
    this.#assertOwner = assertOwner;
    for (const name of fileSystem.readdirSync(directory))
      if (name.endsWith('.tmp')) fileSystem.rmSync(join(directory, name));
    for (const [shard, through] of newestSnapshots(fileSystem, directory)) {
      this.newest.set(shard, through);
      this.#bytes.set(shard, this.#size(snapshotName(shard, through)));
    }
  }

  get largestBytes(): number {
    return Math.max(0, ...this.#bytes.values());
  }

  #size(name: string): number {
    const file = this.#fileSystem.openSync(join(this.#directory, name), 'r');
    try {
      return this.#fileSystem.fstatSync(file).size;
    } finally {
      this.#fileSystem.closeSync(file);
    }
  }

  #path(shard: ShardId, through: Slot): string {
    return join(this.#directory, snapshotName(shard, through));
  }

  /**
   * One after the other. Does nothing when a newer one is there: a snapshot from a peer may have overtaken a compaction of our
   * own, and the log before the newer one may be gone. `done` comes in a later turn, and not after `close`.
   */
  write(job: SnapshotJob): void {
    this.#jobs.push(job);
    if (!this.#writing) this.#next();
  }

  #next(): void {
    const job = this.#jobs.shift();
    this.#writing = job !== undefined;
    if (job === undefined) return this.#idle();
    const pieces = job.chunks[Symbol.iterator]();
    const older = this.newest.get(job.shard);
    if (this.#closed || (older !== undefined && job.through < older)) {
      pieces.return?.();
      return this.#soon(() => this.#ended(job, null, undefined));
    }
    const { shard, through } = job;
    const file = {
      directory: this.#directory,
      name: snapshotName(shard, through),
      pieces,
      headerBytes: HEADER_BYTES,
      header: (crc: number) => headerOf(through, crc),
      goesOn: () => {
        this.#assertOwner();
        return !this.#closed;
      },
    };
    replaceFileInPieces(this.#fileSystem, file, (error, bytes) => this.#ended(job, error, bytes));
  }

  #ended({ shard, through, done }: SnapshotJob, error: Error | null, bytes: number | undefined): void {
    const older = this.newest.get(shard);
    if (bytes !== undefined && error === null) {
      this.newest.set(shard, through);
      this.#bytes.set(shard, bytes);
      if (older !== undefined && older !== through)
        this.#fileSystem.rmSync(this.#path(shard, older), { force: true });
    }
    if (!this.#closed) done(error);
    if (error !== null) this.#closed = true;
    this.#next();
  }

  /** Ends what is under way without a new snapshot, unless it has its name already. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#writing) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }
  #idle(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  read(shard: ShardId): Promise<SnapshotFile | undefined> {
    const through = this.newest.get(shard);
    return Promise.resolve(
      through === undefined ? undefined : readSnapshotFile(this.#fileSystem, this.#directory, shard, through),
    );
  }

  async open(shard: ShardId): Promise<OpenSnapshot | undefined> {
    const through = this.newest.get(shard);
    if (through === undefined) return undefined;
    const { reader, crc } = await verified(this.#fileSystem, this.#directory, shard, through);
    return {
      through,
      size: reader.bytes - HEADER_BYTES,
      crc,
      read: (offset) => reader.at(HEADER_BYTES + offset),
      close: () => reader.close(),
    };
  }
}

interface SnapshotFile {
  readonly through: Slot;
  readonly chunks: AsyncIterable<Buffer>;
}

/** The newest snapshot of each shard. */
export function newestSnapshots(fileSystem: FileSystem, directory: string): ReadonlyMap<ShardId, Slot> {
  const newest = new Map<ShardId, Slot>();
  for (const name of fileSystem.readdirSync(directory)) {
    const match = /^snapshot-(\d+)-(\d+)$/.exec(name);
    if (match === null) continue;
    const shard = shardId(Number(match[1]));
    const through = slot(Number(match[2]));
    if (through > (newest.get(shard) ?? 0)) newest.set(shard, through);
  }
  return newest;
}

/** The body. Its last chunk has come when the iteration ends without an error: it throws at the end when the file is damaged. */
export function readSnapshotFile(
  fileSystem: FileSystem,
  directory: string,
  shard: ShardId,
  through: Slot,
): SnapshotFile {
  const path = join(directory, snapshotName(shard, through));
  return { through, chunks: bodyOf(new PiecewiseReader(fileSystem, path), through, path) };
}

async function* bodyOf(reader: PiecewiseReader, through: Slot, path: string): AsyncIterable<Buffer> {
  try {
    const header = await reader.at(0, HEADER_BYTES);
    let crc = 0;
    for await (const part of reader.from(HEADER_BYTES)) {
      crc = crc32c(part, crc);
      yield part;
    }
    if (!header.equals(headerOf(through, crc))) throw damaged(path);
  } finally {
    reader.close();
  }
}

const damaged = (path: string): Error => new Error(`the snapshot ${path} is damaged`);

async function verified(
  fileSystem: FileSystem,
  directory: string,
  shard: ShardId,
  through: Slot,
): Promise<{ readonly reader: PiecewiseReader; readonly crc: number }> {
  const path = join(directory, snapshotName(shard, through));
  // The file may lose its name while it is read, to a newer snapshot.
  const reader = new PiecewiseReader(fileSystem, path);
  try {
    const header = await reader.at(0, HEADER_BYTES);
    let crc = 0;
    for await (const part of reader.from(HEADER_BYTES)) crc = crc32c(part, crc);
    if (!header.equals(headerOf(through, crc))) throw damaged(path);
    return { reader, crc };
  } catch (error) {
    reader.close();
    throw error;
  }
}

function headerOf(through: Slot, crc: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(crc, 8);
  header.writeDoubleLE(through, 16);
  return header;
}

const snapshotName = (shard: ShardId, through: Slot): string => `snapshot-${shard}-${through}`;
