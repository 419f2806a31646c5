import { startBinary } from './service-binaries.js';
import { startContainer } from './service-containers.js';

/** `mysql` is MariaDB where there is a choice, `mysql8` is MySQL and nothing else: they part in places that matter here. */
export type ServiceKind = 'postgres' | 'mysql' | 'mysql8' | 'redis';

export interface Stoppable {
  /** Ends it if the tests started it; a server that was given by URL is left alone. */
  stop(): Promise<void>;
}

/** A database server that a test may talk to. */
export interface Service extends Stoppable {
  readonly kind: ServiceKind;
  readonly url: string;
  readonly foundIn: 'environment' | 'docker' | 'binary';
}

/** A server that this test started: nobody else minds when it is stopped in the middle of something. */
export interface OwnService extends Service {
  readonly foundIn: 'docker' | 'binary';
  /** Stops all its processes where they stand (SIGSTOP): connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

const URL_VARIABLE: { readonly [K in ServiceKind]: string } = {
  postgres: 'QUORATE_TEST_POSTGRES_URL',
  mysql: 'QUORATE_TEST_MYSQL_URL',
  mysql8: 'QUORATE_TEST_MYSQL8_URL',
  redis: 'QUORATE_TEST_REDIS_URL',
};
const INSTALL: { readonly [K in ServiceKind]: string } = {
  postgres: 'apt-get install postgresql',
  mysql: 'apt-get install mariadb-server',
  mysql8: 'bash scripts/fetch-mysql8.sh',
  redis: 'apt-get install redis-server',
};

export type Found<S extends Stoppable> =
  | { readonly service: S; readonly missing?: undefined }
  | { readonly service?: undefined; readonly missing: string };

/** The server named by the environment, else one of our own. */
export async function findService(kind: ServiceKind): Promise<Found<Service>> {
  const url = process.env[URL_VARIABLE[kind]];
  if (url !== undefined && url !== '') {
    return { service: { kind, url, foundIn: 'environment', stop: () => Promise.resolve() } };
  }
  return findOwnService(kind);
}

/** In Docker where an engine has or pulls the image, else as a local binary with its data in a temporary directory. */
export async function findOwnService(
  kind: ServiceKind,
  ways: readonly ((kind: ServiceKind) => Promise<OwnService | string>)[] = [startContainer, startBinary],
): Promise<Found<OwnService>> {
  const reasons: string[] = [];
  for (const start of ways) {
    const started = await start(kind);
    if (typeof started !== 'string') return { service: started };
    reasons.push(started);
  }
  return {
    missing: `no ${kind} (${reasons.join('; ')}). Get it (${INSTALL[kind]}), start Docker, or set ${URL_VARIABLE[kind]}.`,
  };
}
