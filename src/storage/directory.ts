import * as fs from 'node:fs';
import { join } from 'node:path';
import { assert, crc32c } from '../kernel/index.js';
import { type DiskIdentity, identityProblem } from '../replica/index.js';
import { type FileSystem, replaceFile } from './file-system.js';

/** The data directory cannot be used as it is. The message says what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

export function prepareDirectory(path: string): void {
  try {
    fs.mkdirSync(path, { recursive: true });
    fs.accessSync(path, fs.constants.R_OK | fs.constants.W_OK);
    if (!fs.statSync(path).isDirectory()) throw new Error('it is not a directory');
  } catch (error) {
    throw new DataDirectoryError(
      `the data directory ${path} cannot be used: ${(error as Error).message}. Give a directory that this user may write to.`,
    );
  }
}

/** Is there while a directory is filled from a backup: what is in it is not all of it. */
export const UNFINISHED = 'restore-unfinished';

/** Throws DataDirectoryError for a directory that was filled in part. */
export function refuseUnfinished(fileSystem: FileSystem, directory: string): void {
  if (!fileSystem.existsSync(join(directory, UNFINISHED))) return;
  throw new DataDirectoryError(
    `a restore into ${directory} did not finish: empty the directory and restore again.`,
  );
}

const IDENTITY = 'identity.json';

export function readIdentity(fileSystem: FileSystem, directory: string): DiskIdentity | undefined {
  const path = join(directory, IDENTITY);
  if (!fileSystem.existsSync(path)) return undefined;
  try {
    const { crc, identity } = JSON.parse(fileSystem.readFileSync(path).toString()) as {
      crc: number;
      identity?: DiskIdentity;
    };
    if (identity === undefined) throw new Error('it holds no identity');
    if (crc !== crc32c(Buffer.from(JSON.stringify(identity)))) throw new Error('its checksum is wrong');
    const problem = identityProblem(identity);
    if (problem !== undefined) throw new Error(problem);
    return identity;
  } catch (error) {
    throw new DataDirectoryError(
      `${path} cannot be read: ${(error as Error).message}. Restore it, or move the directory aside and bring the replica back empty.`,
    );
  }
}

export function writeIdentity(fileSystem: FileSystem, directory: string, identity: DiskIdentity): void {
  // Pair: readIdentity.
  const problem = identityProblem(identity);
  assert(problem === undefined, `identity: ${problem}`);
  const crc = crc32c(Buffer.from(JSON.stringify(identity)));
  replaceFile(fileSystem, directory, IDENTITY, [
    Buffer.from(`${JSON.stringify({ crc, identity }, null, 2)}\n`),
  ]);
}
