import * as fs from 'node:fs';
import { join } from 'node:path';
import type { OpenedStorage } from '../replica/index.js';
import { DataDirectoryError, prepareDirectory, UNFINISHED } from './directory.js';
import { openFileStorage } from './file-storage.js';
import { nodeFileSystem, syncDirectory } from './file-system.js';

/** Every new file system has it. */
const IGNORED = new Set(['lost+found']);

/**
 * Makes a data directory: `fill` writes what a replica is to find in it. When that does not end, the directory is left as one that no
 * replica starts on. Throws DataDirectoryError when there is something in it already.
 */
export async function fillDirectory(
  directory: string,
  fill: (opened: OpenedStorage) => Promise<void>,
): Promise<void> {
  prepareDirectory(directory);
  if (fs.readdirSync(directory).some((name) => !IGNORED.has(name)))
    throw new DataDirectoryError(`${directory} is not empty: give a directory that is new, or empty it.`);
  const marker = join(directory, UNFINISHED);
  fs.writeFileSync(marker, '', { flag: 'wx' });
  syncDirectory(nodeFileSystem, directory);
  const opened = await openFileStorage({ directory, isFilled: true });
  try {
    await fill(opened);
  } finally {
    await opened.storage.close();
  }
  fs.rmSync(marker);
  syncDirectory(nodeFileSystem, directory);
}
