import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { homedir } from 'node:os';
import type { GenericContainer, StartedTestContainer } from 'testcontainers';
import type { OwnService, ServiceKind } from './services.js';

interface Image {
  /** QUORATE_TEST_REDIS_IMAGE and so on name others. */
  readonly name: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  /** What it prints when it takes connections, and how often: images of databases start their server twice. */
  readonly ready: readonly [RegExp, number];
  readonly url: (host: string, port: number) => string;
}

const IMAGES: { readonly [K in ServiceKind]: Image } = {
  postgres: {
    name: 'postgres:17-alpine',
    port: 5432,
    environment: { POSTGRES_USER: 'quorate', POSTGRES_DB: 'postgres', POSTGRES_HOST_AUTH_METHOD: 'trust' },
    command: ['postgres', '-c', 'fsync=off', '-c', 'max_connections=200'],
    ready: [/ready to accept connections/, 2],
    url: (host, port) => `postgres://quorate@${host}:${port}/postgres`,
  },
  mysql: {
    name: 'mariadb:11.4',
    port: 3306,
    environment: { MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: '1' },
    command: ['--innodb-flush-log-at-trx-commit=0'],
    // The server of the image's own preparations has port 0.
    ready: [/port: 3306/, 1],
    url: (host, port) => `mysql://root@${host}:${port}/mysql`,
  },
  mysql8: {
    name: 'mysql:8.4',
    port: 3306,
    environment: { MYSQL_ALLOW_EMPTY_PASSWORD: '1', MYSQL_ROOT_HOST: '%' },
    command: ['--innodb-flush-log-at-trx-commit=0'],
    ready: [/ready for connections.*port: 3306/, 1],
    url: (host, port) => `mysql://root@${host}:${port}/mysql`,
  },
  redis: {
    name: 'redis:8-alpine',
    port: 6379,
    environment: {},
    command: ['redis-server', '--save', '', '--appendonly', 'no', '--protected-mode', 'no'],
    ready: [/Ready to accept connections/, 1],
    url: (host, port) => `redis://${host}:${port}`,
  },
};

const imageOf = (kind: ServiceKind): string =>
  process.env[`QUORATE_TEST_${kind.toUpperCase()}_IMAGE`] ?? IMAGES[kind].name;

/** A server that is not started yet; ready when it takes connections. Loads testcontainers: it takes a second. */
export async function serviceContainer(kind: ServiceKind): Promise<GenericContainer> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const { port, environment, command, ready } = IMAGES[kind];
  return new GenericContainer(imageOf(kind))
    .withEnvironment({ ...environment })
    .withCommand([...command])
    .withExposedPorts(port)
    .withWaitStrategy(Wait.forLogMessage(...ready))
    .withStartupTimeout(180_000);
}

/** Where the started server is reached from this machine. */
export const serviceUrl = (kind: ServiceKind, started: StartedTestContainer): string =>
  IMAGES[kind].url(started.getHost(), started.getMappedPort(IMAGES[kind].port));

/** A server in a container, where a Docker engine answers that has its image or can pull it; a text says why there is none. */
export async function startContainer(kind: ServiceKind): Promise<OwnService | string> {
  if (!mayHaveEngine()) return 'no Docker engine';
  // Loaded only here: it takes a second, and most runs have no engine.
  const { getContainerRuntimeClient } = await import('testcontainers');
  let dockerode: Awaited<ReturnType<typeof getContainerRuntimeClient>>['container']['dockerode'];
  try {
    ({ dockerode } = (await getContainerRuntimeClient()).container);
    await dockerode.ping();
  } catch (error) {
    return `no Docker engine answers: ${(error as Error).message}`;
  }
  let started: StartedTestContainer;
  try {
    started = await (await serviceContainer(kind)).start();
  } catch (error) {
    return `no container of ${imageOf(kind)}: ${(error as Error).message}`;
  }
  const container = dockerode.getContainer(started.getId());
  return {
    kind,
    url: serviceUrl(kind, started),
    foundIn: 'docker',
    pause: async () => void (await container.pause()),
    resume: async () => void (await container.unpause()),
    kill: async () => void (await container.kill()),
    stop: async () => void (await started.stop()),
  };
}

const mayHaveEngine = (): boolean =>
  process.env['DOCKER_HOST'] !== undefined ||
  existsSync('/var/run/docker.sock') ||
  existsSync(join(homedir(), '.docker/run/docker.sock')) ||
  existsSync(`/run/user/${process.getuid?.() ?? 0}/docker.sock`);
