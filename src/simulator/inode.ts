import { grown } from './growing-buffer.js';

const SECTOR_BYTES = 512;

/** A file. */
export interface Inode {
  /** As the process sees it. */
  bytes: Buffer;
  /** As it stands on the medium. */
  durable: Buffer;
  /** Sectors that may be on the medium as the process sees them, or as they were. */
  readonly unsynced: Set<number>;
}

/** The sectors that so many bytes touch. */
export function sectors(position: number, bytes: number): readonly number[] {
  const first = Math.floor(position / SECTOR_BYTES);
  return Array.from({ length: Math.ceil((position + bytes) / SECTOR_BYTES) - first }, (_, i) => first + i);
}

export function flush(inode: Inode): void {
  for (const sector of inode.unsynced) flushSector(inode, sector);
  inode.unsynced.clear();
}

export function flushSector(inode: Pick<Inode, 'bytes' | 'durable'>, sector: number): void {
  const from = sector * SECTOR_BYTES;
  const part = inode.bytes.subarray(from, from + SECTOR_BYTES);
  if (from + part.length > inode.durable.length) inode.durable = grown(inode.durable, from + part.length);
  inode.durable.set(part, from);
}
