import type { GenericContainer, StartedNetwork } from 'testcontainers';
import { engineHost } from './engine.js';
import { plansOf } from './replica-plan.js';
import { StartedQuorateContainer } from './started-quorate-container.js';

const REPLICAS_MAX = 9;
const STARTUP_MS = 60_000;
const PORT_ATTEMPTS = 5;
const OWN_VARIABLES = ['QUORATE_CLUSTER_ID', 'QUORATE_REPLICA_ID', 'QUORATE_REPLICAS', 'QUORATE_LISTENERS'];

/**
 * A cluster in containers:
 *
 *   const quorate = await new QuorateContainer('quorate').withReplicas(3).start();
 *   ... quorate.getBootstrapServers() ...
 *   await quorate.stop();
 */
export class QuorateContainer {
  readonly #image: string;
  #replicas = 1;
  #environment: Readonly<Record<string, string>> = {};
  #network: StartedNetwork | undefined;
  #startupMs = STARTUP_MS;
  #change: (container: GenericContainer, id: number) => unknown = () => undefined;

  /** `image`: built from docker/Dockerfile. */
  constructor(image = 'quorate') {
    this.#image = image;
  }

  /** 1 to 9; default 1. */
  withReplicas(count: number): this {
    if (!(Number.isInteger(count) && count >= 1 && count <= REPLICAS_MAX))
      throw new RangeError(`withReplicas(${count}): give a whole number from 1 to ${REPLICAS_MAX}`);
    this.#replicas = count;
    return this;
  }
  /** Settings of each replica, e.g. `{ QUORATE_AUTO_CREATE_TOPICS: 'true' }`; docs/settings.md lists them. */
  withEnvironment(environment: Readonly<Record<string, string>>): this {
    const own = OWN_VARIABLES.find((name) => name in environment);
    if (own !== undefined) throw new TypeError(`withEnvironment: ${own} is set by the cluster itself`);
    this.#environment = { ...this.#environment, ...environment };
    return this;
  }
  /** For clients in containers. Default: a network of its own, which `getNetwork` tells. One cluster a network. */
  withNetwork(network: StartedNetwork): this {
    this.#network = network;
    return this;
  }
  /** Milliseconds within which replicas have to be ready, also after `restartReplica`. Default 60 s. */
  withStartupTimeout(ms: number): this {
    this.#startupMs = ms;
    return this;
  }
  /** Changes the container of each replica before it is made: volumes, limits ... */
  withReplicaContainer(change: (container: GenericContainer, id: number) => unknown): this {
    this.#change = change;
    return this;
  }

  /** @throws Error with the last lines of each replica's log. Nothing is left behind then. */
  async start(): Promise<StartedQuorateContainer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await StartedQuorateContainer.open({
          image: this.#image,
          plans: plansOf(this.#replicas, await engineHost(), this.#environment),
          network: this.#network,
          startupMs: this.#startupMs,
          change: this.#change,
        });
      } catch (error) {
        // Clients are told the ports before the engine takes them: they cannot be left to it.
        if (attempt === PORT_ATTEMPTS || !/already (allocated|in use)/.test(String(error))) throw error;
      }
    }
  }
}
