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

/** One process per directory. Returns the function that unlocks it. Takes over the lock of a process that has ended. */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, 'lock');
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      fs.writeFileSync(path, `${process.pid} ${startOf(process.pid)}\n`, { flag: 'wx' });
      return () => fs.rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const [holder, start = ''] = fs.readFileSync(path, 'utf8').trim().split(' ');
      if (isAlive(Number(holder)) && ['', startOf(Number(holder))].includes(start)) {
        throw new DataDirectoryError(
          `the data directory ${directory} is in use by process ${holder}: stop it, or give each replica a directory of its own.`,
        );
      }
      fs.rmSync(path, { force: true });
    }
  }
  throw new DataDirectoryError(`the lock ${path} cannot be taken: another process keeps taking it.`);
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Start time of a process, in the kernel's unit: after a restart of the machine or container, another process may have
 * the same pid. '' where the system does not report it (all but Linux); then only the pid is compared.
 */
function startOf(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may contain spaces. The start time is field 22, the 20th after the name.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

const IDENTITY = 'identity.json';

export function readIdentity(fileSystem: FileSystem, directory: string): DiskIdentity | undefined {
  const path = join(directory, IDENTITY);
  if (!fileSystem.existsSync(path)) return undefined;
  try {
    const { crc, identity } = JSON.parse(fileSystem.readFileSync(path).toString()) as {
      crc: number;
      identity: DiskIdentity;
    };
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
