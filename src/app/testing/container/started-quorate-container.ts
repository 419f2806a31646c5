import { randomBytes } from 'node:crypto';
import {
  type GenericContainer,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
} from 'testcontainers';
import { LINES_ON_FAILURE, logsOnFailure } from '../logs-on-failure.js';
import type { Owner, StableOptions } from '../owners.js';
import { engine, type EngineContainer, logLines, removeNetwork } from './engine.js';
import { PeerNetworks } from './peer-networks.js';
import { RemoteGroups } from './remote-groups.js';
import { OUTSIDE_LISTEN, type ReplicaPlan } from './replica-plan.js';
import { ReplicaContainer } from './replica-container.js';
import { until } from './until.js';

const ASK_MS = 2_000;
/** Longer than shutdownTimeoutMs. Seconds. */
const STOP_SECONDS = 20;

interface Options {
  readonly image: string;
  readonly plans: readonly ReplicaPlan[];
  readonly network: StartedNetwork | undefined;
  readonly startupMs: number;
  readonly change: (container: GenericContainer, id: number) => unknown;
}

interface Replica extends ReplicaPlan {
  readonly container: EngineContainer;
  started: StartedTestContainer | undefined;
  /** Can be asked: neither killed nor paused. */
  answers: boolean;
}

/** A cluster in containers. Replicas count from 1. Nothing is left behind by `stop`. */
export class StartedQuorateContainer {
  readonly #options: Options;
  readonly #network: StartedNetwork;
  readonly #peers: PeerNetworks;
  readonly #replicas = new Map<number, Replica>();
  readonly #groups = new RemoteGroups(() =>
    [...this.#replicas.values()].filter(({ answers }) => answers).map(({ outside }) => outside.http),
  );
  #stopped: Promise<void> | undefined;

  private constructor(options: Options, network: StartedNetwork, peers: PeerNetworks) {
    this.#options = options;
    this.#network = network;
    this.#peers = peers;
  }

  /** Use `QuorateContainer.start`. */
  static async open(options: Options): Promise<StartedQuorateContainer> {
    const network = options.network ?? (await new Network().start());
    const peers = await PeerNetworks.open(`quorate-${randomBytes(6).toString('hex')}`);
    const cluster = new StartedQuorateContainer(options, network, peers);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      const lines = await cluster.logs(LINES_ON_FAILURE).catch(() => []);
      await cluster.stop();
      throw new Error([`Quorate did not start: ${(error as Error).message}`, ...lines].join('\n'), {
        cause: error,
      });
    }
  }

  // ---- where it is ----

  /** `host:port,host:port`, one for each replica, for clients on this machine: the value of bootstrap.servers. */
  getBootstrapServers(): string {
    return this.brokers.join(',');
  }
  /** `host:port` of each replica: kafkajs' `brokers`. */
  get brokers(): string[] {
    return this.#options.plans.map(({ outside }) => outside.kafka);
  }
  getHttpUrls(): string[] {
    return this.#options.plans.map(({ outside }) => outside.http);
  }
  /** The same for clients in containers of the same network. */
  getNetworkBootstrapServers(): string {
    return this.#options.plans.map(({ inside }) => inside.kafka).join(',');
  }
  getNetworkHttpUrls(): string[] {
    return this.#options.plans.map(({ inside }) => inside.http);
  }
  /** For containers with clients: `new GenericContainer(...).withNetwork(quorate.getNetwork())`. */
  getNetwork(): StartedNetwork {
    return this.#network;
  }
  /** The container of a replica. */
  getReplica(id: number): StartedTestContainer {
    return this.#replica(id).started!;
  }

  // ---- what goes wrong ----

  /** Freezes its processes, with their connections open, until `resumeReplica`. */
  async pauseReplica(id: number): Promise<void> {
    const replica = this.#replica(id);
    replica.answers = false;
    await replica.container.pause();
  }
  async resumeReplica(id: number): Promise<void> {
    const replica = this.#replica(id);
    await replica.container.unpause();
    replica.answers = true;
  }
  /** Ends it as kill -9 does. */
  async killReplica(id: number): Promise<void> {
    const replica = this.#replica(id);
    replica.answers = false;
    await replica.container.kill();
  }
  /** Ends it as a deployment does: it hands over what it leads. Resolves with its exit code. */
  async stopReplica(id: number): Promise<number> {
    const replica = this.#replica(id);
    replica.answers = false;
    await replica.container.stop({ t: STOP_SECONDS });
    return (await replica.container.inspect()).State.ExitCode;
  }
  /** Starts a replica that was killed or stopped, on its old volume and under its old address, and waits until it is ready. */
  async restartReplica(id: number): Promise<void> {
    const replica = this.#replica(id);
    await replica.container.start();
    replica.answers = true;
    await this.#ready(replica, this.#options.startupMs);
  }
  /** Cuts the links between replicas of different groups, until `heal`: `partition([1], [2, 3])`. Clients reach all of them. */
  async partition(...groups: readonly (readonly number[])[]): Promise<void> {
    for (const id of groups.flat()) this.#replica(id);
    await this.#peers.partition(groups);
  }
  async heal(): Promise<void> {
    await this.#peers.partition([]);
  }
  /** Freezes the container of a worker, until `resumeWorker`. */
  async pauseWorker(worker: StartedTestContainer): Promise<void> {
    await (await engine()).getContainer(worker.getId()).pause();
  }
  async resumeWorker(worker: StartedTestContainer): Promise<void> {
    await (await engine()).getContainer(worker.getId()).unpause();
  }

  // ---- topics and groups ----

  /** A topic that is there already is fine. */
  createTopic(name: string, partitions = 1): Promise<void> {
    return this.#groups.createTopic(name, partitions);
  }
  /** Which replica coordinates the group; undefined while none does, and for a group that is not there. */
  coordinatorOf(group: string): Promise<number | undefined> {
    return this.#groups.coordinatorOf(group);
  }
  /**
   * Waits until the group is stable: every member has its part of one epoch.
   * @returns the epoch (generation).
   */
  waitForStable(group: string, options: StableOptions = {}): Promise<number> {
    return this.#groups.waitForStable(group, options);
  }
  /** Who owns what, by topic and partition. Empty while the group has no assignment. */
  ownersOf(group: string): Promise<Owner[]> {
    return this.#groups.ownersOf(group);
  }
  /**
   * Begins a new epoch: a member is removed as if its session had ended, and joins again when it hears of it. Its old fences
   * are refused from now on. `clientId`: a member of that client; default: any.
   */
  bumpEpoch(group: string, clientId?: string): Promise<void> {
    return this.#groups.bumpEpoch(group, clientId);
  }

  // ---- its end ----

  /** What the replicas have logged, a line each. `last`: so many of each; default all. */
  async logs(last = Infinity): Promise<string[]> {
    const all = await Promise.all(
      [...this.#replicas.values()].map(async ({ id, container }) =>
        (await logLines(container)).slice(-last).map((line) => `replica ${id} ${line}`),
      ),
    );
    return all.flat();
  }

  /** Runs a test, and adds the last lines of each replica to the error of one that fails: `it('...', () => quorate.logsOnFailure(async () => ...))`. */
  logsOnFailure<T>(test: () => T | Promise<T>): Promise<T> {
    return logsOnFailure(test, () => this.logs(LINES_ON_FAILURE));
  }

  /** Removes containers, volumes and networks. A second call waits for the first. */
  stop(): Promise<void> {
    this.#stopped ??= this.#remove();
    return this.#stopped;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #remove(): Promise<void> {
    await Promise.all(
      [...this.#replicas.values()].map(({ container }) => container.remove({ force: true, v: true })),
    );
    await this.#peers.remove();
    if (this.#options.network === undefined)
      await removeNetwork((await engine()).getNetwork(this.#network.getId()));
  }

  async #start(): Promise<void> {
    const { plans, startupMs } = this.#options;
    const outcomes = await Promise.allSettled(plans.map((plan) => this.#launch(plan)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await Promise.all([...this.#replicas.values()].map((replica) => this.#ready(replica, startupMs)));
  }

  async #launch(plan: ReplicaPlan): Promise<void> {
    const { image, change } = this.#options;
    const { id, host, peerHost, environment, outside } = plan;
    const docker = await engine();
    const container = new ReplicaContainer(image, async (containerId) => {
      const created = docker.getContainer(containerId);
      this.#replicas.set(id, { ...plan, container: created, started: undefined, answers: true });
      await this.#peers.join(id, peerHost, created);
    })
      .withNetwork(this.#network)
      .withNetworkAliases(host)
      .withEnvironment(environment)
      .withExposedPorts(
        { container: OUTSIDE_LISTEN.kafkaPort, host: outside.kafkaPort },
        { container: OUTSIDE_LISTEN.httpPort, host: outside.httpPort },
      );
    await change(container, id);
    const started = await this.#unlessEnded(id, container.start());
    this.#replicas.get(id)!.started = started;
  }

  /** testcontainers waits for ten seconds until the ports of a container are there, also when it has ended. */
  async #unlessEnded(id: number, starting: Promise<StartedTestContainer>): Promise<StartedTestContainer> {
    let settled = false;
    const started = starting.finally(() => (settled = true));
    const ended = until(`the container of replica ${id} has started`, Infinity, async () => {
      const container = this.#replicas.get(id)?.container;
      if (settled) return true;
      const state = (await container?.inspect().catch(() => undefined))?.State;
      if (state?.Status === 'exited') throw new Error(endedText(id, state.ExitCode));
      return false;
    });
    await Promise.race([started, ended]);
    return started;
  }

  #ready({ id, container, outside }: Replica, withinMs: number): Promise<unknown> {
    let answer = 'it does not answer';
    return until(
      `replica ${id} is ready`,
      withinMs,
      async () => {
        const { Running, ExitCode } = (await container.inspect()).State;
        if (!Running) throw new Error(endedText(id, ExitCode));
        try {
          const response = await fetch(`${outside.http}/health/ready`, {
            signal: AbortSignal.timeout(ASK_MS),
          });
          answer = await response.text();
          return response.ok;
        } catch {
          return false;
        }
      },
      () => Promise.resolve(`: ${answer}`),
    );
  }

  #replica(id: number): Replica {
    const found = this.#replicas.get(id);
    if (found === undefined)
      throw new Error(`there is no replica ${id}: they count from 1 to ${this.#options.plans.length}`);
    return found;
  }
}

const endedText = (id: number, code: number): string => `replica ${id} ended with exit code ${code}`;
