import type { AdminSource, Readiness } from '../admin/index.js';
import type { Broker } from '../broker/index.js';
import { type Replica, systemClock } from '../replica/index.js';
import { ReplicaAdminSource } from './admin-source.js';
import { announce } from './announcer.js';
import { addressesOf, kafkaListener, kafkaListenerOf, withPortsChosen } from './addresses.js';
import { assemble, type Platform, THIS_PLATFORM } from './assemble.js';
import type { Log } from '../kernel/index.js';
import { LoopWatch, PROCESS_CLOCKS, watchLoop } from './loop-watch.js';
import { CatchUpGoal, unreadyReasons } from './readiness.js';
import type { Settings } from './settings.js';
import { portIsFree } from './tcp-port.js';

const READY_POLL_MS = 10;

/** One replica with its Kafka listener: its life from open to stop. Plain: Nest only starts and stops it. */
export class ReplicaNode {
  readonly admin: AdminSource;
  readonly #settings: Settings;
  readonly #replica: Replica;
  readonly #broker: Broker;
  readonly #log: Log;
  readonly #onFatal: (reason: string) => void;
  readonly #goal: CatchUpGoal;
  readonly #loop: LoopWatch;
  #endWatch: (() => void) | undefined;
  #clientsLetIn = false;
  #stopping = false;
  #opening: Promise<void> = Promise.resolve();

  private constructor(
    settings: Settings,
    { replica, broker }: { readonly replica: Replica; readonly broker: Broker },
    log: Log,
    loop: LoopWatch,
    onFatal: (reason: string) => void,
  ) {
    this.#settings = settings;
    this.#loop = loop;
    this.#onFatal = onFatal;
    this.#replica = replica;
    this.#broker = broker;
    this.#log = log;
    this.#goal = new CatchUpGoal(replica);
    this.admin = new ReplicaAdminSource(settings, replica, broker, {
      readiness: () => this.#readiness(),
      stalls: () => loop.stalls(),
      loopHeld: () => loop.held(),
      loopDelay: () => loop.delay.read(),
    });
  }

  /** Opens the data directory; nothing listens yet. `onFatal`: the replica can no longer be trusted, end the process. */
  static async open(
    settings: Settings,
    log: Log,
    onFatal: (reason: string) => void,
    platform: Platform = THIS_PLATFORM,
  ): Promise<ReplicaNode> {
    const chosen = await withPortsChosen(settings, 'left out');
    const loop = new LoopWatch(log, PROCESS_CLOCKS);
    const parts = await assemble(chosen, log, loop.work, onFatal, platform);
    announce(parts.replica, log);
    return new ReplicaNode(chosen, parts, log, loop, onFatal);
  }

  /** Resolves when the replica takes part; the Kafka port opens when it is ready. Rejects when an address cannot be used. */
  async start(): Promise<void> {
    const further = this.#settings.listeners.map((listener) => kafkaListenerOf(this.#settings, listener));
    for (const { host, port } of [kafkaListener(this.#settings), ...further]) await portIsFree(host, port);
    await this.#replica.start();
    this.#endWatch = watchLoop(this.#loop);
    this.#openWhenReady();
  }

  /** Leadership goes first, while clients can still be told where it went; then the clients, then the links and the disk. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#replica.handOver(this.#settings.handOverMs);
    // A listener that is just opening would stay open.
    await this.#opening;
    await this.#broker.stop();
    await this.#replica.stop(0);
    this.#endWatch?.();
  }

  /** Connections of this client id neither read nor write. */
  hold(clientId: string): void {
    this.#broker.hold(clientId);
  }
  release(clientId: string): void {
    this.#broker.release(clientId);
  }

  /** As if the process were killed: connections break, nothing is handed over. Its platform must do nothing any more. */
  abort(): void {
    this.#stopping = true;
    this.#endWatch?.();
    this.#broker.abort();
  }

  /**
   * Clients are let in when this replica knows what the cluster knows. A client that was told by a replica just started
   * that its topic does not exist would join its group again, which is a rebalance; a refused connection only makes it
   * ask another replica. (Kafka's brokers start their listeners as late for the same reason.)
   */
  #openWhenReady(): void {
    if (this.#stopping) return;
    if (unreadyReasons(this.#replica).length > 0 || !this.#goal.reached()) {
      systemClock.after(READY_POLL_MS, () => this.#openWhenReady());
      return;
    }
    this.#opening = this.#broker.start().then(
      () => {
        this.#clientsLetIn = true;
        this.#logAddresses();
      },
      (error: unknown) => this.#onFatal(`the Kafka listener cannot be opened: ${String(error)}`),
    );
  }

  #logAddresses(): void {
    const { kafka, http, peers } = addressesOf(this.#settings);
    const status = http === null ? '' : `   HTTP: ${http}/status`;
    this.#log.info(`Kafka clients: ${kafka}${status}   peers: ${peers}`);
    for (const { name, kafka: told } of this.#settings.listeners)
      this.#log.info(`Kafka clients of the listener ${name}: ${told.join(',')}`);
  }

  #readiness(): Readiness {
    const reasons = this.#stopping ? ['it is stopping'] : unreadyReasons(this.#replica);
    if (reasons.length === 0 && !this.#clientsLetIn)
      reasons.push('it is catching up; then the Kafka port opens');
    return { ready: reasons.length === 0, reasons };
  }
}
