import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DataDirectoryError } from './directory.js';

/** Linux: 108 bytes with the zero at the end. */
const SOCKET_PATH_MAX = 100;
/** How long a holder may take to say who it is. It holds the lock all the same. Milliseconds. */
const ANSWER_WITHIN_MS = 1_000;
/** The lock file is looked at again before a write when the last look is older. Milliseconds. */
const LOOK_AGAIN_MS = 50;
const ATTEMPTS = 5;

export interface DirectoryLock {
  /** False when another process has taken the directory over: nothing more may be written there. */
  holds(): boolean;
  release(): void;
}

/**
 * One process per directory. Its lock is a listening socket in the directory: a process that reaches it knows that the holder
 * lives, also from another container with process ids of its own; the kernel ends it with the process. The file `lock` names
 * the holder; where sockets cannot be made or reached (some network and shared file systems), the process id in it must
 * do, and a holder whose file has changed stops. Throws DataDirectoryError when the directory is in use.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const socket = await holdSocket(directory);
  try {
    const owner = takeFile(directory);
    return {
      holds: watched(directory, owner),
      release: () => {
        socket?.release();
        if (ownerIn(directory) === owner) fs.rmSync(join(directory, 'lock'), { force: true });
      },
    };
  } catch (error) {
    socket?.release();
    throw error;
  }
}

/** Who uses a directory now; undefined when nobody does. Takes no lock, and changes nothing. */
export async function holderOf(directory: string): Promise<string | undefined> {
  const path = join(directory, 'lock.sock');
  const short = inodeOf(path) === undefined ? undefined : shortened(directory);
  try {
    const holder = short === undefined ? undefined : await holderBehind(short.of(path));
    if (holder !== undefined) return holder;
  } finally {
    short?.close();
  }
  const [pid, start = ''] = (ownerIn(directory) ?? '').split(' ');
  return isHeldBy(Number(pid), start) ? `process ${pid}` : undefined;
}

/** Throws when another process has taken over: nothing more may be written. */
export function assertOwner(lock: Pick<DirectoryLock, 'holds'>, directory: string): void {
  if (!lock.holds()) throw takenOver(directory);
}
export const takenOver = (directory: string): DataDirectoryError =>
  new DataDirectoryError(
    `another process has taken over the data directory ${directory}: this one writes nothing more. Give each replica a directory of its own.`,
  );

const inUse = (directory: string, holder: string): DataDirectoryError =>
  new DataDirectoryError(
    `the data directory ${directory} is in use by ${holder}: stop it, or give each replica a directory of its own.`,
  );

// ---- the socket ----

/** Undefined where this file system has no sockets. */
async function holdSocket(directory: string): Promise<{ readonly release: () => void } | undefined> {
  if (process.platform === 'win32') return undefined;
  const path = join(directory, 'lock.sock');
  const own = join(directory, `lock.${randomUUID().slice(0, 8)}.sock`);
  const short = shortened(directory);
  if (short === undefined) return undefined;
  try {
    const server = await listening(short.of(own));
    if (server === undefined) return undefined;
    const inode = inodeOf(own);
    const release = (): void => {
      if (inodeOf(path) === inode) fs.rmSync(path, { force: true });
      fs.rmSync(own, { force: true });
      server.close();
    };
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const found = inodeOf(path);
        const holder = found === undefined ? undefined : await holderBehind(short.of(path));
        if (holder !== undefined) throw inUse(directory, holder);
        // Nobody listens there any more. Only this one goes, not a lock that was taken meanwhile.
        if (found !== undefined && inodeOf(path) === found) fs.rmSync(path, { force: true });
        if (!linked(own, path)) continue;
        fs.rmSync(own, { force: true });
        return { release };
      }
      throw inUse(directory, 'processes that keep taking it');
    } catch (error) {
      release();
      throw error;
    }
  } finally {
    short.close();
  }
}

/** Names that fit into a socket address; undefined where there are none. */
function shortened(directory: string): { of(path: string): string; close(): void } | undefined {
  const longest = join(directory, 'lock.12345678.sock');
  if (Buffer.byteLength(longest) <= SOCKET_PATH_MAX) return { of: (path) => path, close: () => undefined };
  if (!fs.existsSync('/proc/self/fd')) return undefined;
  const file = fs.openSync(directory, 'r');
  return {
    of: (path) => `/proc/self/fd/${file}${path.slice(directory.length)}`,
    close: () => fs.closeSync(file),
  };
}

/** Undefined where the file system refuses. */
function listening(path: string): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`process ${process.pid} on ${hostname()}`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOSPC') reject(error);
      else resolve(undefined);
    });
    server.listen(path, () => {
      server.unref();
      server.on('error', () => undefined);
      resolve(server);
    });
  });
}

/** Who listens behind a socket; undefined when nobody does any more. */
function holderBehind(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    const end = (): void => {
      socket.destroy();
      resolve(text === '' ? 'another process' : text);
    };
    socket.setTimeout(ANSWER_WITHIN_MS, end);
    socket.on('data', (bytes) => (text += bytes.toString('utf8')));
    socket.once('end', end);
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      socket.destroy();
      // All else (a full queue, no permission) is a sign of life.
      resolve(code === 'ECONNREFUSED' || code === 'ENOENT' ? undefined : 'another process');
    });
  });
}

function linked(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
    // No hard links here.
    fs.renameSync(from, to);
    return true;
  }
}

const inodeOf = (path: string): number | undefined => fs.statSync(path, { throwIfNoEntry: false })?.ino;

// ---- the file ----

function takeFile(directory: string): string {
  const path = join(directory, 'lock');
  const owner = `${process.pid} ${startOf(process.pid)} ${randomUUID()}`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      fs.writeFileSync(path, `${owner}\n`, { flag: 'wx' });
      return owner;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const [holder, start = ''] = (ownerIn(directory) ?? '').split(' ');
      if (isHeldBy(Number(holder), start)) throw inUse(directory, `process ${holder}`);
      fs.rmSync(path, { force: true });
    }
  }
  throw new DataDirectoryError(`the lock ${path} cannot be taken: another process keeps taking it.`);
}

function ownerIn(directory: string): string | undefined {
  try {
    return fs.readFileSync(join(directory, 'lock'), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Looks at the file at most every 50 ms. A file that cannot be read says nothing. */
function watched(directory: string, owner: string): () => boolean {
  let lookedAt = performance.now();
  let held = true;
  return () => {
    const now = performance.now();
    if (!held || now - lookedAt < LOOK_AGAIN_MS) return held;
    lookedAt = now;
    const found = ownerIn(directory);
    // A process that takes it over removes it first: the next look finds the new one.
    held = found === undefined || found === '' || found === owner;
    return held;
  };
}

/** Whether the process that wrote itself into the file lives. */
const isHeldBy = (pid: number, start: string): boolean => isAlive(pid) && ['', startOf(pid)].includes(start);

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
