import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Child } from './child.js';
import { freePorts } from './tcp-ports.js';
import { directoryOf } from './service-binaries.js';
import type { Found } from './services.js';
import { eventually } from './waiting.js';

const NODES = 3;
const SLOTS = 16_384;

/** First and last slot, then the nodes that have them, the master first: host, port, ... */
type SlotRange = readonly [number, number, readonly [string, number]];

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

  static async find(): Promise<Found<RedisCluster>> {
    if (directoryOf('redis-server') === undefined) {
      return { missing: 'no redis-server on this machine. Install it (apt-get install redis-server).' };
    }
    return { service: await RedisCluster.start() };
  }

  static async start(): Promise<RedisCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-redis-cluster-'));
    const [ports, buses] = [await freePorts(NODES), await freePorts(NODES)];
    const nodes = ports.map((port, i) => {
      const home = join(directory, String(port));
      mkdirSync(home);
      const settings = {
        port,
        'cluster-port': buses[i]!,
        bind: '127.0.0.1',
        'cluster-enabled': 'yes',
        save: '',
      };
      const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
      return new Child(`redis-${i}`, 'redis-server', flags, { cwd: home });
    });
    const cluster = new RedisCluster(ports, nodes, directory);
    try {
      for (const node of nodes) {
        await eventually('the node answers', 30_000, () => {
          if (!node.running) throw new Error(`redis-server did not start:\n${node.lines.join('\n')}`);
          return node.lines.some((line) => /Ready to accept/i.test(line));
        });
      }
      await cluster.#form(buses);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #form(buses: readonly number[]): Promise<void> {
    await this.#each(async (client, i) => {
      const [from, to] = [Math.ceil((SLOTS / NODES) * i), Math.ceil((SLOTS / NODES) * (i + 1)) - 1];
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
      await client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
      if (i > 0) await client.call('CLUSTER', 'MEET', '127.0.0.1', String(this.ports[0]), String(buses[0]));
    });
    await eventually('the cluster is formed', 30_000, async () => {
      const states = await this.#each((client) => client.call('CLUSTER', 'INFO') as Promise<string>);
      return states.every(
        (state) => state.includes('cluster_state:ok') && state.includes(`cluster_known_nodes:${NODES}`),
      );
    });
  }

  /** The port of the node that has the slot of a key, and the ports of the others. */
  async ownerOf(key: string): Promise<readonly [number, ...number[]]> {
    const slot = await this.#slotOf(key);
    const [shards] = await this.#each((client) => client.call('CLUSTER', 'SLOTS') as Promise<SlotRange[]>);
    const [, , [, owner]] = shards!.find(([from, to]) => from <= slot && slot <= to)!;
    return [owner, ...this.ports.filter((port) => port !== owner)];
  }

  /**
   * Moves the slot of a key to another node, one of its keys at a time, as resharding does it.
   * @param halfway called when the keys are there and the slot is not yet.
   */
  async moveSlotOf(key: string, halfway: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    const slot = String(await this.#slotOf(key));
    const [from, to] = await this.ownerOf(key);
    const ids = await this.#each((client) => client.call('CLUSTER', 'MYID') as Promise<string>);
    const [fromId, toId] = [ids[this.ports.indexOf(from)]!, ids[this.ports.indexOf(to!)]!];
    const [source, target] = [new Redis(from, '127.0.0.1'), new Redis(to!, '127.0.0.1')];
    try {
      await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
      await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
      for (const moved of (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, '1000')) as string[]) {
        await source.call('MIGRATE', '127.0.0.1', String(to), moved, '0', '5000');
      }
      await halfway();
      for (const client of [target, source]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    } finally {
      source.disconnect();
      target.disconnect();
    }
  }

  async #slotOf(key: string): Promise<number> {
    return (await this.#each((client) => client.call('CLUSTER', 'KEYSLOT', key)))[0] as number;
  }

  #each<T>(ask: (client: Redis, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(
      this.ports.map(async (port, i) => {
        const client = new Redis(port, '127.0.0.1');
        try {
          return await ask(client, i);
        } finally {
          client.disconnect();
        }
      }),
    );
  }

  get seeds(): { host: string; port: number }[] {
    return this.ports.map((port) => ({ host: '127.0.0.1', port }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
