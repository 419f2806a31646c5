import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Log } from '../../kernel/index.js';
import { type ReplicaId, replicaId } from '../../kernel/index.js';
import { systemEntropy } from '../../replica/index.js';
import { blankDisk, openMemoryStorage } from '../../storage/index.js';
import { ReplicaNode } from '../node.js';
import type { Settings } from '../settings.js';
import { Gate } from './gate.js';
import type { MemoryNetwork } from './network.js';
import { gatedClock, type TestTime } from './time.js';

interface TestReplicaOptions {
  /** Of this replica, with all ports chosen. */
  readonly settings: Settings;
  readonly log: Log;
  readonly network: MemoryNetwork;
  readonly time: TestTime;
  /** Whether it serves HTTP too. */
  readonly http: boolean;
  readonly onFatal: (reason: string) => void;
}

/** One replica of a test cluster, through all its lives. Its disk outlives each of them. */
export class TestReplica {
  readonly id: ReplicaId;
  readonly settings: Settings;
  readonly #options: TestReplicaOptions;
  readonly #disk = blankDisk();
  #life: { readonly node: ReplicaNode; readonly gate: Gate } | undefined;
  #http: NestExpressApplication | undefined;

  constructor(options: TestReplicaOptions) {
    this.#options = options;
    this.settings = options.settings;
    this.id = replicaId(options.settings.replicaId);
  }

  get running(): boolean {
    return this.#life?.gate.open === true;
  }
  /** Throws when it does not run. */
  get node(): ReplicaNode {
    if (this.#life === undefined) throw new Error(`replica ${this.id} was killed: restart it first`);
    return this.#life.node;
  }

  async start(): Promise<void> {
    if (this.#life !== undefined) throw new Error(`replica ${this.id} runs already`);
    const { log, network, time, onFatal } = this.#options;
    const gate = new Gate();
    const clock = gatedClock(time.clock, gate);
    const node = await ReplicaNode.open(this.settings, log, onFatal, {
      openStorage: () => openMemoryStorage({ disk: this.#disk, later: (sync) => clock.endOfTurn(sync) }),
      transport: () => network.transport(this.id, gate),
      clock,
      entropy: systemEntropy,
    });
    this.#life = { node, gate };
    if (this.#options.http) await this.#serveHttp(node);
    await node.start();
  }

  async #serveHttp(node: ReplicaNode): Promise<void> {
    // Not at the top: who tests without Nest has no HTTP side, and needs none.
    const { adminApplication } = await import('./http.js').catch((error: unknown) => {
      throw new Error(
        'HTTP of a test cluster needs Nest: npm install --save-dev @nestjs/common @nestjs/core @nestjs/platform-express reflect-metadata rxjs',
        { cause: error },
      );
    });
    const { host, httpPort } = this.settings.replicas.find(({ id }) => id === this.settings.replicaId)!;
    this.#http = await adminApplication(node.admin, this.#options.log);
    await this.#http.listen(httpPort!, host);
  }

  /** It stands still until it is resumed: it hears, sends and answers nothing. */
  pause(): void {
    this.#life?.gate.hold();
  }
  resume(): void {
    this.#life?.gate.release();
  }

  /** What it had not synced is lost. */
  async kill(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    life.gate.shut();
    life.node.abort();
    this.#options.network.gone(this.id);
    await this.#closeHttp();
  }

  async stop(): Promise<void> {
    await this.#closeHttp();
    if (this.#life?.gate.open !== true) return this.kill();
    await this.#life.node.stop();
    this.#life = undefined;
  }

  async #closeHttp(): Promise<void> {
    const http = this.#http;
    this.#http = undefined;
    http?.getHttpServer().closeAllConnections();
    await http?.close();
  }
}
