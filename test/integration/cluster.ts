import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { BASE, engine, IMAGE, type Stage } from './docker.js';

const ROOT = new URL('../../', import.meta.url).pathname;
const HOSTS = ['quorate-0', 'quorate-1', 'quorate-2'] as const;
const READY_MS_MAX = 60_000;

/** Only its volume can be written, as docs and the Kubernetes files have it. */
class ReplicaContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
  }
}

/** Three replicas in containers, set up by their environment alone, as a StatefulSet would. */
export class ContainerCluster {
  readonly #replicas: readonly StartedTestContainer[];

  private constructor(replicas: readonly StartedTestContainer[]) {
    this.#replicas = replicas;
  }

  static async start(stage: Stage, clusterId: string): Promise<ContainerCluster> {
    const replicas = await Promise.all(
      HOSTS.map((host) =>
        stage.start(
          host,
          new ReplicaContainer(IMAGE)
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
    return new ContainerCluster(replicas);
  }

  get bootstrap(): string {
    return HOSTS.map((host) => `${host}:9092`).join(',');
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

/** Node programs with kafkajs in a container of their own, as a user's workers are. */
export function clientContainer(script: string, args: readonly string[]): GenericContainer {
  return new GenericContainer(BASE)
    .withBindMounts([
      { source: `${ROOT}node_modules/kafkajs`, target: '/app/node_modules/kafkajs', mode: 'ro' },
      { source: `${ROOT}${script}`, target: '/app/client.js', mode: 'ro' },
      { source: `${ROOT}package.json`, target: '/app/package.json', mode: 'ro' },
    ])
    .withCommand(['node', '/app/client.js', ...args]);
}
