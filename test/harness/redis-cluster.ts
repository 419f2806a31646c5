import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Child } from './child.js';
import { freePorts } from './ports.js';
import { eventually } from './waiting.js';

const NODES = 3;
const SLOTS = 16_384;

/** Three masters on loopback, the slots spread evenly, no replicas. */
export class RedisCluster {
  readonly #directory: string;
  private constructor(
    readonly ports: readonly number[],
    readonly nodes: readonly Child[],
    directory: string,
  ) {
    this.#directory = directory;
  }

  /** Undefined when there is no local `redis-server`. */
  static async start(): Promise<RedisCluster | undefined> {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-redis-cluster-'));
    const [ports, buses] = [await freePorts(NODES), await freePorts(NODES)];
    const nodes = ports.map((port, i) => {
      const home = join(directory, String(port));
      mkdirSync(home);
      const args = {
        port,
        'cluster-port': buses[i]!,
        bind: '127.0.0.1',
        'cluster-enabled': 'yes',
        dir: home,
      };
      const flags = Object.entries({ ...args, appendonly: 'no' }).flatMap(([name, value]) => [
        `--${name}`,
        String(value),
      ]);
      return new Child(`redis-${i}`, 'redis-server', [...flags, '--save', ''], { cwd: home });
    });
    const cluster = new RedisCluster(ports, nodes, directory);
    try {
      for (const node of nodes) {
        const up = await eventually('the node answers', 20_000, () =>
          !node.running ? 'failed' : node.lines.some((line) => /Ready to accept/i.test(line)) && 'ready',
        );
        if (up === 'failed') {
          await cluster.stop();
          return undefined;
        }
      }
      await cluster.#form(buses);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #form(buses: readonly number[]): Promise<void> {
    const clients = this.ports.map((port) => new Redis(port, '127.0.0.1'));
    try {
      for (const [i, client] of clients.entries()) {
        const [from, to] = [Math.ceil((SLOTS / NODES) * i), Math.ceil((SLOTS / NODES) * (i + 1)) - 1];
        await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
        await client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
        if (i > 0) {
          await client.call('CLUSTER', 'MEET', '127.0.0.1', String(this.ports[0]), String(buses[0]));
        }
      }
      await eventually('the cluster is formed', 30_000, async () => {
        const states = await Promise.all(
          clients.map((client) => client.call('CLUSTER', 'INFO') as Promise<string>),
        );
        return states.every(
          (state) => state.includes('cluster_state:ok') && state.includes(`cluster_known_nodes:${NODES}`),
        );
      });
    } finally {
      for (const client of clients) client.disconnect();
    }
  }

  get seeds(): { host: string; port: number }[] {
    return this.ports.map((port) => ({ host: '127.0.0.1', port }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
