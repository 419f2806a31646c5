import { join } from 'node:path';
import type { DiskRoom } from '../replica/index.js';
import { DataDirectoryError } from './directory.js';
import { type FileSystem, syncDirectory, writeFullySync } from './file-system.js';

const RESERVE = 'reserve';
/** Stays when the disk gets scarce: what a start and a change of the identity write. */
const LAST_RESERVE = 'reserve-last';
const LAST_RESERVE_BYTES = 64 * 1024;
/** How long the answer of the system is used. Milliseconds. */
const FRESH_MS = 100;

export interface RoomKeeperOptions {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  /** What the log takes at once when it grows. Bytes. */
  readonly growthBytes: number;
  /** The size of the largest snapshot there is. Bytes. */
  readonly snapshotBytes: () => number;
  /** The size of the log. Bytes. */
  readonly logBytes: () => number;
}

/**
 * Keeps the log from meeting a full disk. A file holds some space back; it goes as soon as the disk gets scarce, and comes
 * back when there is room again. Meanwhile proposals are refused, and what is left is for what was proposed already, for
 * promises and for a compaction.
 */
export class RoomKeeper {
  readonly #options: RoomKeeperOptions;
  #room: DiskRoom = 'enough';
  #askedAt = Number.NEGATIVE_INFINITY;
  #logBytesThen = 0;
  #reserved = false;

  constructor(options: RoomKeeperOptions) {
    this.#options = options;
    this.#reserved = options.fileSystem.existsSync(this.#path);
    this.room();
    this.#keepLast();
  }

  get #path(): string {
    return join(this.#options.directory, RESERVE);
  }

  room(): DiskRoom {
    const now = performance.now();
    const { growthBytes, snapshotBytes } = this.#options;
    const logBytes = this.#options.logBytes();
    const fresh = now - this.#askedAt < FRESH_MS && logBytes - this.#logBytesThen < growthBytes / 2;
    if (fresh) return this.#room;
    this.#askedAt = now;
    this.#logBytesThen = logBytes;
    const free = this.#freeBytes();
    // A compaction writes a snapshot, which may have grown, beside the old one, and a segment with what is still needed of
    // the log beside the old log.
    const compaction = 2 * snapshotBytes() + logBytes + growthBytes;
    const plenty = compaction + 2 * growthBytes;
    // With a margin between, so that a disk at the limit is not refused and served in turn.
    const enough = this.#room === 'enough' ? plenty : plenty + 2 * growthBytes;
    this.#room = free >= enough ? 'enough' : free >= compaction ? 'scarce' : 'none';
    if (this.#room !== 'enough') this.#release();
    else if (!this.#reserved && free < Number.POSITIVE_INFINITY && free >= plenty + 4 * growthBytes)
      this.#reserve();
    return this.#room;
  }

  #freeBytes(): number {
    const { fileSystem, directory } = this.#options;
    try {
      const found = fileSystem.statfsSync?.(directory);
      return found === undefined ? Number.POSITIVE_INFINITY : found.bavail * found.bsize;
    } catch {
      // A system that cannot say: then a full disk stops the replica, as any failed write does.
      return Number.POSITIVE_INFINITY;
    }
  }

  /** Runs what has to be written on a full disk, too, and gives back no more than it writes. */
  withLastReserve(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#options.fileSystem.rmSync(join(this.#options.directory, LAST_RESERVE), { force: true });
      action();
      this.#keepLast();
    }
  }

  #keepLast(): void {
    const { fileSystem, directory } = this.#options;
    if (fileSystem.statfsSync === undefined || fileSystem.existsSync(join(directory, LAST_RESERVE))) return;
    holdBack(fileSystem, directory, LAST_RESERVE, LAST_RESERVE_BYTES);
  }

  #reserve(): void {
    const { fileSystem, directory, growthBytes } = this.#options;
    this.#reserved = holdBack(fileSystem, directory, RESERVE, growthBytes);
  }

  #release(): void {
    if (!this.#reserved) return;
    this.#reserved = false;
    this.#options.fileSystem.rmSync(this.#path, { force: true });
  }
}

export const isFull = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOSPC';

/** False when there is no room for it. */
function holdBack(fileSystem: FileSystem, directory: string, name: string, bytes: number): boolean {
  const path = join(directory, name);
  try {
    const file = fileSystem.openSync(path, 'w');
    try {
      writeFullySync(fileSystem, file, Buffer.alloc(bytes), 0);
      fileSystem.fsyncSync(file);
    } finally {
      fileSystem.closeSync(file);
    }
    syncDirectory(fileSystem, directory);
    return true;
  } catch {
    fileSystem.rmSync(path, { force: true });
    return false;
  }
}

/** Opens a directory. When the disk is full, gives back all the space that is held back, and tries once more. */
export async function withReserve<T>(
  fileSystem: FileSystem,
  directory: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!isFull(error)) throw error;
    const held = [RESERVE, LAST_RESERVE].map((name) => join(directory, name));
    const kept = held.filter((path) => fileSystem.existsSync(path));
    if (kept.length === 0) {
      throw new DataDirectoryError(
        `the disk of the data directory ${directory} is full: ${(error as Error).message}. Make room on it and start again; nothing is lost.`,
      );
    }
    for (const path of kept) fileSystem.rmSync(path);
    return await action();
  }
}
