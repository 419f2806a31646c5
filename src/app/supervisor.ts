import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConnectionLimits, connectionLimits, openFilesMax } from './descriptors.js';
import { SETTINGS } from './settings.js';
import { portIsFree } from './tcp-port.js';

export interface SupervisorOptions {
  readonly dataDir: string;
  /** The first of three consecutive ports, each. */
  readonly kafkaPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
  /** How a user calls this, for messages that say what to type, e.g. `npm start --`. */
  readonly command: string;
  readonly print?: (line: string) => void;
}

/** What keeps a cluster from starting, and what to do about it. */
export class SupervisorError extends Error {
  override readonly name = 'SupervisorError';
}

const REPLICAS = [1, 2, 3] as const;
const HOST = '127.0.0.1';
const RESTART_MS = 500;
const RESTART_MS_MAX = 10_000;
/** A process that lived this long has recovered: its next restart is quick again. */
const HEALTHY_MS = 30_000;

const CONNECTIONS = {
  connectionsMax: SETTINGS.connectionsMax.preset!,
  httpConnectionsMax: SETTINGS.httpConnectionsMax.preset!,
};

interface Child {
  process: ChildProcess | undefined;
  restartMs: number;
  startedAt: number;
}

/** Runs three replicas as child processes, and restarts one that exits. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #print: (line: string) => void;
  readonly #children = new Map<number, Child>();
  /** Told once here, and given to the replicas: each of them would warn of the same limit. */
  readonly #limits: ConnectionLimits = connectionLimits(CONNECTIONS, openFilesMax());
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#print = options.print ?? ((line) => void process.stdout.write(`${line}\n`));
  }

  /** Throws SupervisorError. */
  async start(): Promise<void> {
    const { dataDir, kafkaPort, httpPort } = this.#options;
    const clusterId = this.#clusterId();
    for (const [name, port] of this.#ports()) await this.#checkFree(name, port);
    this.#print(`Quorate: three replicas, data in ${resolve(dataDir)}`);
    this.#print(`  Kafka clients  ${REPLICAS.map((id) => `${HOST}:${kafkaPort + id - 1}`).join(',')}`);
    this.#print(`  HTTP           ${REPLICAS.map((id) => `http://${HOST}:${httpPort + id - 1}`).join(' ')}`);
    this.#print('  Ctrl-C stops them.');
    if (this.#limits.warning !== undefined) this.#print(`  Warning: ${this.#limits.warning}`);
    for (const id of REPLICAS) {
      const file = join(dataDir, `replica-${id}.json`);
      writeFileSync(file, `${JSON.stringify(this.#settings(id, clusterId), null, 2)}\n`);
      this.#children.set(id, { process: undefined, restartMs: RESTART_MS, startedAt: 0 });
      this.#spawn(id, file);
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const ended = [...this.#children.values()].map(({ process: child }) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null)
        return Promise.resolve();
      const end = new Promise<void>((done) => child.once('exit', () => done()));
      child.kill('SIGTERM');
      return end;
    });
    await Promise.all(ended);
    this.#print('Quorate: stopped. The data stays; the next start goes on with it.');
  }

  #ports(): [string, number][] {
    const { kafkaPort, httpPort, peerPort } = this.#options;
    return REPLICAS.flatMap((id): [string, number][] => [
      ['--kafka-port', kafkaPort + id - 1],
      ['--http-port', httpPort + id - 1],
      ['--peer-port', peerPort + id - 1],
    ]);
  }

  /** Made once, and kept with the data. */
  #clusterId(): string {
    const { dataDir } = this.#options;
    const file = join(dataDir, 'cluster.json');
    try {
      mkdirSync(dataDir, { recursive: true });
      if (existsSync(file))
        return (JSON.parse(readFileSync(file, 'utf8')) as { clusterId: string }).clusterId;
      const clusterId = randomBytes(16).toString('base64url');
      writeFileSync(file, `${JSON.stringify({ clusterId })}\n`);
      return clusterId;
    } catch (error) {
      throw new SupervisorError(
        `${file} cannot be used: ${(error as Error).message}. Give another directory with --data.`,
      );
    }
  }

  #settings(id: number, clusterId: string): Readonly<Record<string, unknown>> {
    const { dataDir, kafkaPort, httpPort, peerPort } = this.#options;
    return {
      replicaId: id,
      clusterId,
      dataDir: resolve(dataDir, `replica-${id}`),
      replicas: REPLICAS.map((replica) => ({
        id: replica,
        host: HOST,
        peerPort: peerPort + replica - 1,
        kafkaPort: kafkaPort + replica - 1,
        httpPort: httpPort + replica - 1,
      })),
      connectionsMax: this.#limits.kafka,
      httpConnectionsMax: this.#limits.http,
      autoCreateTopics: true,
      logFormat: 'line',
    };
  }

  async #checkFree(option: string, port: number): Promise<void> {
    try {
      await portIsFree(HOST, port);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${message})`;
      throw new SupervisorError(
        `port ${port} on ${HOST} ${why}. Stop what uses it, or choose others: ${this.#options.command} ${option} N`,
      );
    }
  }

  #spawn(id: number, file: string): void {
    const child = this.#children.get(id)!;
    child.startedAt = performance.now();
    const entry = fileURLToPath(new URL('../bin.js', import.meta.url));
    // A group of its own: Ctrl-C goes to the supervisor alone, which stops the replicas in order.
    child.process = fork(entry, ['start', '--config', file], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      detached: true,
    });
    child.process.once('exit', (code, signal) => this.#ended(id, file, code, signal));
  }

  #ended(id: number, file: string, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping) return;
    const child = this.#children.get(id)!;
    if (performance.now() - child.startedAt > HEALTHY_MS) child.restartMs = RESTART_MS;
    this.#print(
      `replica ${id} ended (${signal ?? `exit code ${code}`}): starting it again in ${child.restartMs} ms`,
    );
    setTimeout(() => {
      if (!this.#stopping) this.#spawn(id, file);
    }, child.restartMs);
    child.restartMs = Math.min(RESTART_MS_MAX, child.restartMs * 2);
  }
}
