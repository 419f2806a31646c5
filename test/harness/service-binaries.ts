import { execFile, type ChildProcess, spawn } from 'node:child_process';
import {
  accessSync,
  appendFileSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Child } from './child.js';
import { fetched } from './fetched.js';
import { freePorts } from './tcp-ports.js';
import type { OwnService, ServiceKind } from './services.js';
import { eventually } from './waiting.js';

const run = promisify(execFile);
const START_MS = 60_000;

interface Place {
  readonly directory: string;
  readonly port: number;
  /** Set when we are root and the server refuses to be. */
  readonly user: { readonly uid?: number; readonly gid?: number };
}

interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly url: string;
  /** What it prints when it takes connections. */
  readonly ready: RegExp;
  /** What ends it without waiting for its clients. */
  readonly end: NodeJS.Signals;
}

type Prepare = (place: Place) => Promise<Launch>;

/** Finds the program and says how to start it; undefined when it is not installed. Data is not synced: it is thrown away. */
const PROGRAMS: { readonly [K in ServiceKind]: () => Prepare | undefined } = {
  postgres: () => {
    const bin = newestPostgres() ?? directoryOf('postgres');
    return bin === undefined ? undefined : (place) => preparePostgres(bin, place);
  },
  mysql: () => {
    if (directoryOf('mariadbd') !== undefined) return prepareMariadb;
    return directoryOf('mysqld') === undefined ? undefined : prepareMysql('mysqld');
  },
  mysql8: () => {
    const command = join(mysql8Home(), 'bin', 'mysqld');
    return existsSync(command) ? prepareMysql(command) : undefined;
  },
  redis: () => (directoryOf('redis-server') === undefined ? undefined : prepareRedis),
};

async function preparePostgres(bin: string, { directory, port, user }: Place): Promise<Launch> {
  const initdb = ['-D', directory, '-U', 'quorate', '--auth=trust', '-E', 'UTF8', '--no-locale', '--no-sync'];
  await run(join(bin, 'initdb'), initdb, user);
  // There, and not among the arguments, so that ALTER SYSTEM can change it.
  appendFileSync(join(directory, 'postgresql.auto.conf'), 'fsync = off\n');
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200'];
  return {
    command: join(bin, 'postgres'),
    args: ['-D', directory, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    url: `postgres://quorate@127.0.0.1:${port}/postgres`,
    ready: /ready to accept connections/,
    end: 'SIGQUIT',
  };
}

async function prepareMariadb(place: Place): Promise<Launch> {
  await run('mariadb-install-db', [
    '--no-defaults',
    ...mysqlDirectories(place),
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    ...asRoot(),
  ]);
  return mysqlLaunch('mariadbd', place);
}

const prepareMysql =
  (command: string): Prepare =>
  async (place) => {
    await run(command, ['--no-defaults', ...mysqlDirectories(place), '--initialize-insecure', ...asRoot()]);
    const launch = mysqlLaunch(command, place);
    // Its second port is the same for every server, and nobody asks there.
    return { ...launch, args: [...launch.args, '--mysqlx=OFF'] };
  };

/** Where scripts/fetch-mysql8.sh puts it. */
const mysql8Home = (): string => fetched('mysql-8.0.15', process.env['QUORATE_MYSQL8_HOME']);

/** Temporary tables as well: two servers that start at the same time would take each other's. */
function mysqlDirectories({ directory }: Place): readonly string[] {
  const temporary = join(directory, 'temporary');
  mkdirSync(temporary, { recursive: true });
  return [`--datadir=${join(directory, 'data')}`, `--tmpdir=${temporary}`];
}

const asRoot = (): readonly string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

function mysqlLaunch(command: string, place: Place): Launch {
  const { directory, port } = place;
  return {
    command,
    args: [
      '--no-defaults',
      ...asRoot(),
      ...mysqlDirectories(place),
      `--socket=${join(directory, 'server.sock')}`,
      `--pid-file=${join(directory, 'server.pid')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-buffer-pool-size=64M',
    ],
    url: `mysql://root@127.0.0.1:${port}/mysql`,
    ready: /ready for connections/,
    end: 'SIGTERM',
  };
}

const prepareRedis: Prepare = ({ directory, port }) =>
  Promise.resolve({
    command: 'redis-server',
    args: [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      directory,
      '--save',
      '',
      '--appendonly',
      'no',
    ],
    url: `redis://127.0.0.1:${port}`,
    ready: /Ready to accept connections/i,
    end: 'SIGTERM',
  });

/** A server of our own on a free port; a text says why there is none. */
export async function startBinary(kind: ServiceKind): Promise<OwnService | string> {
  const prepare = PROGRAMS[kind]();
  if (prepare === undefined) return 'no local binary';
  const directory = mkdtempSync(join(tmpdir(), `quorate-${kind}-`));
  const user = kind === 'postgres' ? unprivileged() : {};
  if (user.uid !== undefined) chownSync(directory, user.uid, user.gid!);
  const [port] = await freePorts(1);
  const launch = await prepare({ directory, port: port!, user });
  const child = new Child(kind, launch.command, launch.args, { cwd: directory, ...user });
  const guard = guardOf(child.pid, directory);
  await eventually(`${kind} is ready`, START_MS, () => {
    if (!child.running) throw new Error(`${kind} did not start:\n${child.lines.join('\n')}`);
    return child.lines.some((line) => launch.ready.test(line));
  });
  return {
    kind,
    url: launch.url,
    foundIn: 'binary',
    pause: async () => {
      const pids = signalAll(child, 'SIGSTOP');
      await eventually(`${kind} stands still`, 30_000, () => pids.every(standsStill), 1);
    },
    resume: () => Promise.resolve(void signalAll(child, 'SIGCONT')),
    kill: () => child.kill(),
    stop: async () => {
      signalAll(child, 'SIGCONT');
      child.signal(launch.end);
      await child.stop();
      guard.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Ends the server and removes its data when this process dies without having done so: its end of the pipe closes. */
export function guardOf(pid: number, directory: string): ChildProcess {
  const guard = spawn('sh', ['-c', 'cat >/dev/null; kill -KILL "$0"; rm -rf "$1"', String(pid), directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  return guard;
}

/** Signals the server and the processes it forked (PostgreSQL has one per connection); gives their ids. */
function signalAll(child: Child, signal: NodeJS.Signals): readonly number[] {
  if (!child.running) return [];
  const { pid } = child;
  const forked = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  const pids = [pid, ...(forked === '' ? [] : forked.split(' ').map(Number))];
  for (const each of pids) signalIfThere(each, signal);
  return pids;
}

/** A signal stops the threads of a process one after the other. */
function standsStill(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
      // T: stopped. Z: ended, and its parent cannot take notice.
      return 'TZ'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
    });
  } catch {
    return true;
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended between being listed and now.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return {};
}

function newestPostgres(): string | undefined {
  const home = '/usr/lib/postgresql';
  try {
    const [newest] = readdirSync(home).sort((a, b) => Number(b) - Number(a));
    const bin = join(home, newest ?? '', 'bin');
    accessSync(join(bin, 'initdb'), constants.X_OK);
    return bin;
  } catch {
    return undefined;
  }
}

/** The directory of PATH that holds this program. */
export function directoryOf(program: string): string | undefined {
  return (process.env['PATH'] ?? '').split(delimiter).find((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
