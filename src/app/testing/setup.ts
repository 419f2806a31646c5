import { randomBytes } from 'node:crypto';
import type { Log } from '../../kernel/index.js';
import { withPortsChosen } from '../addresses.js';
import { checkSettings, ConfigurationError } from '../configuration.js';
import type { Settings } from '../settings.js';

const HOST = '127.0.0.1';
const REPLICAS_MAX = 9;
const LOG_LINES_KEPT = 10_000;

/** A machine that runs tests is busy with other things too: no shorter times than in production. On virtual time few steps matter. */
const PACE = {
  real: {},
  // Clients keep their own time, and would give up a heartbeat that waits for `advance`.
  virtual: { electionTimeoutMs: 1_500, heartbeatIntervalMs: 250, leaseMs: 750, heartbeatHoldMs: 0 },
} as const;

/** What a test may set: the cluster makes the rest itself. */
export type TestSettings = Readonly<
  Partial<Omit<Settings, 'replicaId' | 'clusterId' | 'replicas' | 'listeners' | 'dataDir'>>
>;

/** The settings of each replica, with free ports. Throws ConfigurationError. */
export async function settingsOf(
  count: number,
  clock: 'real' | 'virtual',
  http: boolean,
  given: TestSettings,
): Promise<readonly Settings[]> {
  if (!(Number.isInteger(count) && count >= 1 && count <= REPLICAS_MAX))
    throw new ConfigurationError([`replicas is ${count}: give a whole number from 1 to ${REPLICAS_MAX}.`]);
  const clusterId = randomBytes(11).toString('hex');
  // Links are in memory: a peer port has to be there, and nobody listens on it.
  const entries = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    host: HOST,
    peerPort: index + 1,
    kafkaPort: 0,
    ...(http ? { httpPort: 0 } : {}),
  }));
  const chosen: Settings[] = [];
  for (const { id } of entries) {
    const all = {
      ...PACE[clock],
      handOverMs: 500,
      membersMoveMs: 0,
      ...given,
      replicaId: id,
      clusterId,
      replicas: entries,
      dataDir: '.',
    };
    chosen.push(await withPortsChosen(checkSettings(all).settings));
  }
  const replicas = chosen.map(({ replicas: each }, index) => each[index]!);
  return chosen.map((settings) => ({ ...settings, replicas }));
}

/** Lines of the form "replica 1 warn message". */
export function logInto(lines: string[], replica: number): Log {
  const write =
    (level: keyof Log) =>
    (message: string): void => {
      lines.push(`replica ${replica} ${level} ${message}`);
      if (lines.length > LOG_LINES_KEPT) lines.splice(0, LOG_LINES_KEPT / 2);
    };
  return { debug: () => undefined, info: write('info'), warn: write('warn'), error: write('error') };
}
