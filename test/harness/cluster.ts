import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StatusJson } from '../../src/admin/shapes.js';
import type { Settings } from '../../src/app/settings.js';
import { Child } from './child.js';
import { type Address, KafkaConnection } from './connection.js';
import { GroupClient } from './group-client.js';
import { freePorts } from './tcp-ports.js';
import { eventually } from './waiting.js';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const PROGRAM = join(ROOT, 'dist/bin.js');
const READY_WITHIN_MS = 60_000;
const LOG_LINES_SHOWN = 60;

export interface ReplicaProcess {
  readonly id: number;
  readonly kafka: Address;
  readonly http: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly environment: Readonly<Record<string, string>>;
  child: Child;
}

export interface ClusterOptions {
  readonly replicas?: number;
  /** Besides what a cluster needs to run; the defaults of src/app/settings.ts hold for the rest. */
  readonly settings?: Partial<Settings>;
  /** Of one replica. */
  readonly settingsOf?: (id: number) => Partial<Settings>;
  /** Flags for Node, e.g. --cpu-prof. */
  readonly nodeFlags?: readonly string[];
  /** Of a cluster that goes on with data that is there already. */
  readonly clusterId?: string;
  /** Puts data into the directory of a replica before its first start. */
  readonly prepare?: (dataDir: string, id: number) => Promise<unknown>;
  /** What a replica runs, asked at each of its starts; what is built here by default. */
  readonly program?: (id: number) => string;
  /** How many files each replica may open (ulimit -n). */
  readonly openFilesMax?: number;
  /** The environment of each replica, beside this process's. */
  readonly environment?: (id: number, dataDir: string) => Readonly<Record<string, string>>;
  /** Under which port replica `from` reaches the peer port of `to`. */
  readonly peerPort?: (from: number, to: number, port: number) => Promise<number>;
}

/**
 * A cluster of real processes, started from dist, with its data in a directory of its own that `close` removes.
 * Signals go to single replicas; what they printed is kept and shown by `printLogs`.
 */
export class Cluster {
  readonly directory: string;
  /** Those that were removed from the cluster stay in here. */
  readonly replicas: ReplicaProcess[];
  readonly #options: ClusterOptions;

  private constructor(directory: string, replicas: ReplicaProcess[], options: ClusterOptions) {
    this.directory = directory;
    this.replicas = replicas;
    this.#options = options;
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = await Cluster.launched(options);
    try {
      for (const { id } of cluster.replicas) await cluster.ready(id);
    } catch (error) {
      cluster.printLogs();
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** The same, whose replicas may not become ready. */
  static async launched(options: ClusterOptions = {}): Promise<Cluster> {
    const count = options.replicas ?? 3;
    const directory = mkdtempSync(join(tmpdir(), 'quorate-cluster-'));
    const ports = await freePorts(count * 3);
    const made = randomBytes(32)
      .toString('base64url')
      .replace(/[^A-Za-z0-9]/g, 'x')
      .slice(0, 22);
    const clusterId = options.clusterId ?? made;
    const entries = Array.from({ length: count }, (_, index) => ({
      id: index + 1,
      host: '127.0.0.1',
      peerPort: ports[index * 3]!,
      kafkaPort: ports[index * 3 + 1]!,
      httpPort: ports[index * 3 + 2]!,
    }));
    const replicas: ReplicaProcess[] = [];
    for (const entry of entries) {
      const dataDir = join(directory, `data-${entry.id}`);
      const configFile = join(directory, `replica-${entry.id}.json`);
      mkdirSync(dataDir, { recursive: true });
      await options.prepare?.(dataDir, entry.id);
      const settings = {
        autoCreateTopics: true,
        logLevel: 'info',
        logFormat: 'line',
        ...options.settings,
        ...options.settingsOf?.(entry.id),
        replicaId: entry.id,
        clusterId,
        replicas: await Promise.all(
          entries.map(async (other) => {
            if (other === entry || options.peerPort === undefined) return other;
            return { ...other, peerPort: await options.peerPort(entry.id, other.id, other.peerPort) };
          }),
        ),
        dataDir,
      };
      writeFileSync(configFile, JSON.stringify(settings, null, 2));
      const environment = options.environment?.(entry.id, dataDir) ?? {};
      replicas.push({
        id: entry.id,
        kafka: { host: '127.0.0.1', port: entry.kafkaPort },
        http: `http://127.0.0.1:${entry.httpPort}`,
        dataDir,
        configFile,
        environment,
        child: launch(entry.id, configFile, options, environment),
      });
    }
    return new Cluster(directory, replicas, options);
  }

  get bootstrap(): readonly Address[] {
    return this.replicas.map(({ kafka }) => kafka);
  }
  replica(id: number): ReplicaProcess {
    const found = this.replicas.find((replica) => replica.id === id);
    if (found === undefined) throw new Error(`there is no replica ${id}`);
    return found;
  }

  /** Waits until a replica hears a quorum and has applied what was chosen. */
  async ready(id: number): Promise<void> {
    const replica = this.replica(id);
    await eventually(`replica ${id} is ready`, READY_WITHIN_MS, async () => {
      if (!replica.child.running) throw new Error(`replica ${id} ended while starting`);
      try {
        const { status } = await fetch(`${replica.http}/health/ready`, {
          signal: AbortSignal.timeout(1_000),
        });
        return status === 200;
      } catch {
        return false;
      }
    });
  }

  /** Which replica coordinates the group, as the replicas (other than `except`) say themselves. */
  async leaderOf(group: string, except?: number): Promise<number> {
    const asked = this.replicas.filter(({ id, child }) => id !== except && child.running);
    const client = new GroupClient({ bootstrap: asked.map(({ kafka }) => kafka), group });
    return eventually(`${group} has a coordinator`, READY_WITHIN_MS, async () => {
      try {
        const { nodeId } = await client.find();
        return nodeId === except ? undefined : nodeId;
      } catch {
        return undefined;
      }
    });
  }

  /** Waits until every replica names the same coordinator for the group, and that one serves it. */
  async settled(group: string): Promise<number> {
    return eventually(`all replicas agree who coordinates ${group}`, READY_WITHIN_MS, async () => {
      try {
        const named = await Promise.all(
          this.replicas.map(({ kafka }) => new GroupClient({ bootstrap: [kafka], group }).find()),
        );
        const first = named[0]!;
        if (named.some(({ nodeId }) => nodeId !== first.nodeId)) return undefined;
        const connection = await KafkaConnection.open(first.address);
        const { errorCode } = await connection.request(9, 5, { groupId: group, topics: [] });
        connection.close();
        return errorCode === 0 ? first.nodeId : undefined;
      } catch {
        return undefined;
      }
    });
  }

  /** The highest ballot of each shard at each replica. Another one means that there was an election. */
  async ballots(): Promise<readonly string[]> {
    const each = await Promise.all(
      this.replicas.map(async ({ id, http }) => {
        const { shards } = (await (await fetch(`${http}/status`)).json()) as StatusJson;
        return shards.map(
          ({ shard, ballot }) =>
            `shard ${shard} at ${id}: ${ballot.round}.${ballot.priority}@${ballot.replica}`,
        );
      }),
    );
    return each.flat();
  }

  /** Starts a further replica on an empty directory, whose settings list it beside those of the first one. Not in the cluster yet. */
  async join(id: number): Promise<ReplicaProcess> {
    const first = JSON.parse(readFileSync(this.replicas[0]!.configFile, 'utf8')) as Settings;
    const [peerPort, kafkaPort, httpPort] = (await freePorts(3)) as [number, number, number];
    const entry = { id, host: '127.0.0.1', peerPort, kafkaPort, httpPort };
    const dataDir = join(this.directory, `data-${id}-${peerPort}`);
    const configFile = join(this.directory, `replica-${id}.json`);
    mkdirSync(dataDir, { recursive: true });
    const replicas = [...first.replicas.filter((each) => each.id !== id), entry];
    writeFileSync(configFile, JSON.stringify({ ...first, replicaId: id, replicas, dataDir }, null, 2));
    const environment = this.#options.environment?.(id, dataDir) ?? {};
    const replica = {
      id,
      kafka: { host: '127.0.0.1', port: kafkaPort },
      http: `http://127.0.0.1:${httpPort}`,
      ...{ dataDir, configFile, environment },
      child: launch(id, configFile, this.#options, environment),
    };
    this.replicas.push(replica);
    return replica;
  }

  async kill(id: number): Promise<void> {
    await this.replica(id).child.kill();
  }
  pause(id: number): void {
    this.replica(id).child.signal('SIGSTOP');
  }
  resume(id: number): void {
    this.replica(id).child.signal('SIGCONT');
  }
  /** Starts a replica that was killed, on its old data; returns before it is ready. */
  restart(id: number): void {
    const replica = this.replica(id);
    if (replica.child.running) throw new Error(`replica ${id} still runs`);
    const earlier = replica.child.lines;
    replica.child = launch(id, replica.configFile, this.#options, replica.environment);
    replica.child.lines.push(...earlier, '--- restarted ---');
  }

  /** Starts every replica that does not run, and waits until it is ready. */
  async mend(): Promise<void> {
    const dead = this.replicas.filter(({ child }) => !child.running);
    for (const { id } of dead) this.restart(id);
    for (const { id } of dead) await this.ready(id);
  }

  async createTopic(name: string, partitions: number): Promise<void> {
    const TOPIC_ALREADY_EXISTS = 36;
    await eventually(`topic ${name} is there`, READY_WITHIN_MS, async () => {
      for (const { kafka, child } of this.replicas) {
        if (!child.running) continue;
        try {
          const connection = await KafkaConnection.open(kafka);
          const { topics } = await connection.request(19, 4, {
            topics: [
              { name, numPartitions: partitions, replicationFactor: -1, assignments: [], configs: [] },
            ],
            timeoutMs: 5_000,
          });
          connection.close();
          const code = topics[0]?.errorCode;
          if (code === 0 || code === TOPIC_ALREADY_EXISTS) return true;
        } catch {
          // The next replica may be able to.
        }
      }
      return false;
    });
  }

  /** Size and time of the last change of every file of the replicas' data. */
  dataFiles(): ReadonlyMap<string, string> {
    const files = new Map<string, string>();
    for (const { dataDir } of this.replicas) {
      for (const entry of readdirSync(dataDir, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath, entry.name);
        const { size, mtimeMs } = statSync(path);
        files.set(path, `${size} bytes, changed at ${mtimeMs}`);
      }
    }
    return files;
  }

  printLogs(): void {
    for (const { id, child } of this.replicas) {
      process.stderr.write(`--- replica ${id}${child.running ? '' : ' (ended)'} ---\n`);
      process.stderr.write(`${child.lines.slice(-LOG_LINES_SHOWN).join('\n')}\n`);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.replicas.map(({ child }) => child.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function launch(
  id: number,
  configFile: string,
  { nodeFlags = [], openFilesMax, program = () => PROGRAM }: ClusterOptions,
  env: Readonly<Record<string, string>>,
): Child {
  const command = [process.execPath, ...nodeFlags, program(id), 'start', '--config', configFile];
  const limited = ['sh', '-c', `ulimit -n ${openFilesMax} && exec "$@"`, 'sh', ...command];
  const [file, ...args] = openFilesMax === undefined ? command : limited;
  return new Child(`replica ${id}`, file!, args, { cwd: ROOT, env });
}
