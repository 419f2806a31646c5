export interface Config {
  readonly port: number;
  /** host:port of some replicas of Quorate. */
  readonly brokers: readonly string[];
  /** Named in `ownersOf` and in the log of the cluster. */
  readonly clientId: string;
  readonly sessionTimeoutMs: number;
  /** How often a tenant is charged. Milliseconds. */
  readonly chargeEveryMs: number;
  /** Undefined: accounts are in memory, and gone when the process ends. */
  readonly postgresUrl?: string;
  /** Undefined: totals are in memory, and gone when the process ends. */
  readonly redisUrl?: string;
}

export function configOf(env: NodeJS.ProcessEnv): Config {
  const { POSTGRES_URL, REDIS_URL } = env;
  return {
    port: Number(env['PORT'] ?? 3000),
    brokers: (env['BROKERS'] ?? '127.0.0.1:9092').split(','),
    clientId: env['CLIENT_ID'] ?? `nest-worker-${process.pid}`,
    sessionTimeoutMs: Number(env['SESSION_TIMEOUT_MS'] ?? 10_000),
    chargeEveryMs: Number(env['CHARGE_EVERY_MS'] ?? 1_000),
    ...(POSTGRES_URL === undefined ? {} : { postgresUrl: POSTGRES_URL }),
    ...(REDIS_URL === undefined ? {} : { redisUrl: REDIS_URL }),
  };
}
