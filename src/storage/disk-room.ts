import { join } from 'node:path';
import type { DiskRoom } from '../replica/index.js';
import { DataDirectoryError } from './directory.js';
import { type FileSystem, syncDirectory, writeFullySync } from './file-system.js';

const RESERVE = 'reserve';
/** How long the answer of the system is used. Milliseconds. */
const FRESH_MS = 100;

export interface RoomKeeperOptions {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  /** What the log takes at once when it grows. Bytes. */
  readonly growthBytes: number;
  /** The size of the largest snapshot there is. Bytes. */
  readonly snapshotBytes: () => number;
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
  #reserved = false;

  constructor(options: RoomKeeperOptions) {
    this.#options = options;
    this.#reserved = options.fileSystem.existsSync(this.#path);
    this.room();
  }

  get #path(): string {
    return join(this.#options.directory, RESERVE);
  }

  room(): DiskRoom {
    const now = performance.now();
    if (now - this.#askedAt < FRESH_MS) return this.#room;
    this.#askedAt = now;
    const free = this.#freeBytes();
    const { growthBytes, snapshotBytes } = this.#options;
    // A compaction writes a snapshot, which may have grown, beside the old one, and a segment.
    const compaction = 2 * snapshotBytes() + growthBytes;
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

  #reserve(): void {
    const { fileSystem, directory, growthBytes } = this.#options;
    this.#reserved = true;
    try {
      const file = fileSystem.openSync(this.#path, 'w');
      try {
        writeFullySync(fileSystem, file, Buffer.alloc(growthBytes), 0);
        fileSystem.fsyncSync(file);
      } finally {
        fileSystem.closeSync(file);
      }
      syncDirectory(fileSystem, directory);
    } catch {
      this.#release();
    }
  }

  #release(): void {
    if (!this.#reserved) return;
    this.#reserved = false;
    this.#options.fileSystem.rmSync(this.#path, { force: true });
  }
}

/** Opens a directory. When the disk is full, gives back the space that is held back, and tries once more. */
export async function withReserve<T>(
  fileSystem: FileSystem,
  directory: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    const path = join(directory, RESERVE);
    if (!fileSystem.existsSync(path)) {
      throw new DataDirectoryError(
        `the disk of the data directory ${directory} is full: ${(error as Error).message}. Make room on it and start again; nothing is lost.`,
      );
    }
    fileSystem.rmSync(path);
    return await action();
  }
}
