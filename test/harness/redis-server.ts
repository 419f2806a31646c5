import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { Child } from './child.js';
import { fetched } from './fetched.js';
import { freePorts } from './tcp-ports.js';
import { guardOf } from './service-binaries.js';
import { eventually } from './waiting.js';

export interface RedisServerOptions {
  /** Default `redis-server`. */
  readonly program?: string;
  /** Keep an append-only file. */
  readonly onDisk?: boolean;
}

const run = promisify(execFile);

/** The first of these programs that has WAITAOF (Redis 7.2, Valkey); Debian 12 has an older Redis. */
export async function programWithWaitaof(): Promise<string | undefined> {
  // Where scripts/fetch-valkey.sh puts it.
  for (const program of ['redis-server', 'valkey-server', join(fetched('valkey'), 'valkey-server')]) {
    const { stdout } = await run(program, ['--version']).catch(() => ({ stdout: '' }));
    const [major = 0, minor = 0] = (/v=(\d+)\.(\d+)/.exec(stdout) ?? []).slice(1).map(Number);
    if (major > 7 || (major === 7 && minor >= 2)) return program;
  }
  return undefined;
}

/** One server of a replicated Redis, on loopback, in a process of its own. */
export class RedisServer {
  readonly #process: Child;
  readonly #directory: string;
  readonly #guard: ChildProcess;
  private constructor(
    readonly port: number,
    /** Straight to it, for tests to look on. */
    readonly client: Redis,
    own: { readonly process: Child; readonly directory: string },
  ) {
    this.#process = own.process;
    this.#directory = own.directory;
    this.#guard = guardOf(own.process.pid, own.directory);
  }

  static async start({
    program = 'redis-server',
    onDisk = false,
  }: RedisServerOptions = {}): Promise<RedisServer> {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-redis-'));
    const [port] = (await freePorts(1)) as [number];
    const settings = {
      ...{ port, bind: '127.0.0.1', save: '', 'repl-diskless-sync-delay': 0, 'repl-ping-replica-period': 1 },
      ...{ appendonly: onDisk ? 'yes' : 'no', appendfsync: 'always' },
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = new Child(`redis-${port}`, program, flags, { cwd: directory });
    const client = new Redis(port, '127.0.0.1', { lazyConnect: true });
    client.on('error', () => undefined);
    const server = new RedisServer(port, client, { process: child, directory });
    await eventually('redis-server is ready', 30_000, () => {
      if (!child.running) throw new Error(`redis-server did not start:\n${child.lines.join('\n')}`);
      return child.lines.some((line) => /Ready to accept connections/i.test(line));
    });
    return server;
  }

  /** Resolves when it has all that its master had. */
  async replicate(masterPort: number): Promise<void> {
    await this.client.replicaof('127.0.0.1', masterPort);
    await eventually('the replica is in step', 30_000, async () =>
      (await this.client.info('replication')).includes('master_link_status:up'),
    );
  }
  /** What Sentinel does to the replica that it chooses. */
  async promote(): Promise<void> {
    await this.client.replicaof('NO', 'ONE');
  }

  /** SIGSTOP. */
  pause(): void {
    this.#process.signal('SIGSTOP');
  }
  resume(): void {
    this.#process.signal('SIGCONT');
  }
  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#process.kill();
    this.client.disconnect();
    this.#guard.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
