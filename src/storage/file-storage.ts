import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { HistogramReading, ShardId, Slot } from '../kernel/index.js';
import {
  type DiskCondition,
  type DiskIdentity,
  type DiskRoom,
  isMember,
  type LogRecord,
  type OpenedStorage,
  type OpenSnapshot,
  type Storage,
} from '../replica/index.js';
import { prepareDirectory, refuseUnfinished, writeIdentity } from './directory.js';
import { assertOwner, type DirectoryLock, lockDirectory } from './directory-lock.js';
import { RoomKeeper, withReserve } from './disk-room.js';
import { examine, type Found, recordsIn, sinceBase } from './examine.js';
import { type FileSystem, nodeFileSystem, syncDirectory, writeFullySync } from './file-system.js';
import { SnapshotFiles } from './snapshot-files.js';
import { type LogOptions, WriteAheadLog } from './write-ahead-log.js';

export interface FileStorageOptions {
  readonly directory: string;
  /** Default 64 MiB. */
  readonly segmentBytes?: number;
  /** Default 1 MiB. */
  readonly zeroAheadBytes?: number;
  /** A seam for tests and the simulator, as are those below. */
  readonly fileSystem?: FileSystem;
  /** Calls back at the end of this turn of the loop. */
  readonly soon?: (run: () => void) => void;
  /** Milliseconds, from any point; only measured with. */
  readonly now?: () => number;
  /** Makes sure that the directory can be used, and that nobody else uses it. */
  readonly claimDirectory?: (directory: string) => DirectoryLock | Promise<DirectoryLock>;
  /** The directory is being filled (fillDirectory). */
  readonly isFilled?: boolean;
  /** Makes the incarnation of a new disk. */
  readonly uuid?: () => string;
}

/**
 * Opens a data directory: checks every record of the log, erases a torn tail, sets a corrupt log aside.
 * Throws DataDirectoryError when the directory is in use, unusable, or written by a newer version.
 */
export function openFileStorage(options: FileStorageOptions): Promise<OpenedStorage> {
  const { directory, fileSystem = nodeFileSystem, claimDirectory = claimForThisProcess } = options;
  return withReserve(fileSystem, directory, async () => open(options, await claimDirectory(directory)));
}

function open(options: FileStorageOptions, lock: DirectoryLock): OpenedStorage {
  const { directory, fileSystem = nodeFileSystem, soon = setImmediate } = options;
  try {
    if (options.isFilled !== true) refuseUnfinished(fileSystem, directory);
    const found = claim(directory, fileSystem, options.uuid ?? randomUUID);
    const { identity, incarnation, condition, usable } = found;
    const log: LogOptions = {
      directory,
      segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
      zeroAheadBytes: options.zeroAheadBytes ?? 1024 * 1024,
      fileSystem,
      soon,
      now: options.now ?? (() => performance.now()),
      incarnation,
      mayWrite: () => lock.holds(),
    };
    const snapshots = new SnapshotFiles({
      directory,
      fileSystem,
      soon,
      assertOwner: () => assertOwner(lock, directory),
    });
    const segments = usable.map(({ segment }) => segment);
    const end = usable.at(-1)?.end;
    if (end === undefined) segments.push(WriteAheadLog.createSegment(log, 1, 1, 0));
    else if (condition.kind === 'intact' && condition.droppedBytes > 0)
      eraseTail(fileSystem, segments.at(-1)!.path, end.offset);
    const writer = new WriteAheadLog(
      log,
      segments,
      end ?? { offset: segments[0]!.used, chain: 0, sequence: 1 },
    );
    return {
      storage: new FileStorage(log, writer, snapshots, lock),
      identity,
      incarnation,
      condition,
      records: recordsIn(sinceBase(usable)),
      snapshots: snapshots.newest,
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function claimForThisProcess(directory: string): Promise<DirectoryLock> {
  prepareDirectory(directory);
  return lockDirectory(directory);
}

/**
 * Reads identity and log. A disk that has lost acknowledged records is another disk from now on: that is durable before
 * the log is touched, so that no later start can take what is left for everything this replica ever promised.
 */
function claim(
  directory: string,
  fileSystem: FileSystem,
  uuid: () => string,
): {
  readonly identity: DiskIdentity | undefined;
  readonly incarnation: string;
  readonly condition: DiskCondition;
  readonly usable: readonly Found[];
} {
  const { identity, found, condition, unfinished } = examine(fileSystem, directory);
  for (const path of unfinished) fileSystem.rmSync(path);
  if (unfinished.length > 0) syncDirectory(fileSystem, directory);
  if (condition.kind !== 'corrupt') {
    const incarnation = identity?.incarnation ?? found.at(-1)?.header.incarnation ?? uuid();
    return { identity, incarnation, condition, usable: found };
  }
  const incarnation = uuid();
  const renamed = identity === undefined ? undefined : { ...identity, incarnation };
  if (renamed !== undefined) writeIdentity(fileSystem, directory, renamed);
  setAside(fileSystem, directory);
  return { identity: renamed, incarnation, condition, usable: [] };
}

/** The rest of an unfinished group must go: once valid records follow it, the next start would call it corrupt. */
function eraseTail(fileSystem: FileSystem, path: string, from: number): void {
  const file = fileSystem.openSync(path, 'r+');
  try {
    const { size } = fileSystem.fstatSync(file);
    writeFullySync(fileSystem, file, Buffer.alloc(size - from), from);
    fileSystem.fdatasyncSync(file);
  } finally {
    fileSystem.closeSync(file);
  }
}

/** Keeps a corrupt log for inspection. The replica starts a new one. */
function setAside(fileSystem: FileSystem, directory: string): void {
  let number = 1;
  while (fileSystem.existsSync(join(directory, `corrupt-${number}`))) number++;
  const aside = join(directory, `corrupt-${number}`);
  fileSystem.mkdirSync(aside);
  for (const name of fileSystem.readdirSync(directory)) {
    if (name.endsWith('.wal')) fileSystem.renameSync(join(directory, name), join(aside, name));
  }
  syncDirectory(fileSystem, directory);
}

class FileStorage implements Storage {
  readonly #directory: string;
  readonly #fileSystem: FileSystem;
  readonly #log: WriteAheadLog;
  readonly #snapshots: SnapshotFiles;
  readonly #lock: DirectoryLock;
  readonly #roomKeeper: RoomKeeper;
  #saved: Promise<void> = Promise.resolve();
  #onFailure: ((error: Error) => void) | undefined;

  constructor(options: LogOptions, log: WriteAheadLog, snapshots: SnapshotFiles, lock: DirectoryLock) {
    this.#directory = options.directory;
    this.#fileSystem = options.fileSystem;
    this.#log = log;
    this.#snapshots = snapshots;
    this.#lock = lock;
    this.#roomKeeper = new RoomKeeper({
      directory: options.directory,
      fileSystem: options.fileSystem,
      growthBytes: options.zeroAheadBytes,
      snapshotBytes: () => snapshots.largestBytes,
      logBytes: () => log.bytes(),
    });
  }

  append(records: readonly LogRecord[], sync: boolean, done?: () => void): void {
    this.#log.append(records, sync, done);
  }

  writeSnapshot(shard: ShardId, through: Slot, chunks: Iterable<Uint8Array>, done: () => void): void {
    const ended = (error: Error | null): void => {
      if (error === null) return done();
      const message = `cannot write a snapshot of shard ${shard} in ${this.#directory}: ${error.message}`;
      this.#onFailure?.(new Error(message, { cause: error }));
    };
    this.#snapshots.write({ shard, through, chunks, done: ended });
  }

  readSnapshot(
    shard: ShardId,
  ): Promise<{ readonly through: Slot; readonly chunks: AsyncIterable<Uint8Array> } | undefined> {
    return this.#snapshots.read(shard);
  }

  openSnapshot(shard: ShardId): Promise<OpenSnapshot | undefined> {
    return this.#snapshots.open(shard);
  }

  rebase(records: () => readonly LogRecord[], done: () => void): void {
    this.#log.rebase(records, done);
  }
  room(): DiskRoom {
    return this.#roomKeeper.room();
  }
  writeSeconds(): HistogramReading {
    return this.#log.writeSeconds.read();
  }
  logBytes(): number {
    return this.#log.bytes();
  }
  position(): number {
    return this.#log.position();
  }
  /** One after the other: each holds all that the ones before it said. */
  saveIdentity(identity: DiskIdentity): Promise<void> {
    const saved = this.#saved.then(() => this.#saveIdentity(identity));
    this.#saved = saved.catch(() => undefined);
    return saved;
  }
  async #saveIdentity(identity: DiskIdentity): Promise<void> {
    // Pair: `examine` takes an empty log of a replica that has a vote in its cluster for a lost one.
    if (isMember(identity) && this.#log.empty)
      await new Promise<void>((written) => this.#log.append([], true, written));
    assertOwner(this.#lock, this.#directory);
    this.#roomKeeper.withLastReserve(() => writeIdentity(this.#fileSystem, this.#directory, identity));
  }
  onFailure(handler: (error: Error) => void): void {
    this.#onFailure = handler;
    this.#log.onFailure(handler);
  }
  async close(): Promise<void> {
    await Promise.all([this.#log.close(), this.#snapshots.close()]);
    this.#lock.release();
  }
}
