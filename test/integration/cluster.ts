import { type StartedTestContainer, Wait } from 'testcontainers';
import { ReplicaContainer } from '../../src/app/testing/container/replica-container.js';
import { engine, IMAGE, READY_MS_MAX, type Stage } from './docker.js';

const HOSTS = ['quorate-0', 'quorate-1', 'quorate-2'] as const;

/** Three replicas in containers, set up by their environment alone, as a StatefulSet would. */
export class ContainerCluster {
  readonly #replicas: readonly StartedTestContainer[];

  private constructor(replicas: readonly StartedTestContainer[]) {
    this.#replicas = replicas;
  }

  static async start(stage: Stage, clusterId: string): Promise<ContainerCluster> {
    const outcomes = await Promise.allSettled(
      HOSTS.map((host) =>
        stage.start(
          host,
          new ReplicaContainer(IMAGE, () => Promise.resolve())
            .withEnvironment({
              QUORATE_CLUSTER_ID: clusterId,
              QUORATE_REPLICA_ID: 'hostname',
              QUORATE_REPLICAS: HOSTS.join(','),
              QUORATE_AUTO_CREATE_TOPICS: 'true',
            })
            .withExposedPorts(8080)
            .withWaitStrategy(Wait.forHttp('/health/ready', 8080))
            .withStartupTimeout(READY_MS_MAX),
        ),
      ),
    );
    // The others are known to the stage by now, and are removed with it.
    return new ContainerCluster(
      outcomes.map((outcome) => {
        if (outcome.status === 'rejected') throw outcome.reason;
        return outcome.value;
      }),
    );
  }

  get bootstrap(): string {
    return HOSTS.map((host) => `${host}:9092`).join(',');
  }

  started(replica: number): StartedTestContainer {
    return this.#replicas[replica]!;
  }

  /** The engine's own handle of a replica's container: kill, stop, inspect ... */
  async container(replica: number) {
    return (await engine()).getContainer(this.#replicas[replica]!.getId());
  }

  /** By the replica's HTTP API. Mapped ports change when a container starts again, so the engine is asked for them. */
  async get(replica: number, path: string): Promise<unknown> {
    const { NetworkSettings } = await (await this.container(replica)).inspect();
    const port = NetworkSettings.Ports['8080/tcp']?.[0]?.HostPort;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`${path} of replica ${replica}: ${response.status}`);
    return response.json();
  }
}
