import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './child.js';
import { KafkaConnection } from './connection.js';
import { freePorts } from './tcp-ports.js';
import { eventually } from './waiting.js';

const READY_WITHIN_MS = 180_000;
const JARS = process.env['QUORATE_TEST_KAFKA_BROKER'] ?? '';
const URL = process.env['QUORATE_TEST_KAFKA_URL'];

export interface KafkaBroker {
  /** host:port. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Why there is no Apache Kafka to test against; undefined: `startKafka` finds one. */
export const kafkaMissing: string | undefined =
  URL !== undefined || (existsSync(JARS) && spawnSync('java', ['-version']).status === 0)
    ? undefined
    : 'apt-get install default-jre-headless maven; QUORATE_TEST_KAFKA_BROKER=$(bash scripts/fetch-kafka-broker.sh), or QUORATE_TEST_KAFKA_URL=host:port';

/** The brokers named by QUORATE_TEST_KAFKA_URL, else one of its own on loopback, with its data in a temporary directory. */
export async function startKafka(): Promise<KafkaBroker> {
  if (URL !== undefined) return { address: URL, stop: () => Promise.resolve() };
  const directory = mkdtempSync(join(tmpdir(), 'quorate-kafka-'));
  const [port, controllerPort] = await freePorts(2);
  const properties = join(directory, 'server.properties');
  writeFileSync(properties, propertiesOf(port!, controllerPort!, directory));
  const java = (main: string, ...args: readonly string[]): Child =>
    new Child(`Kafka's ${main}`, 'java', ['-Xmx384M', '-cp', `${JARS}/*`, main, ...args]);
  const format = java('kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', properties);
  if ((await format.exited) !== 0) throw new Error(`Kafka formats no disk: ${format.lines.join(' ')}`);
  const broker = java('kafka.Kafka', properties);
  const stop = async (): Promise<void> => {
    await broker.kill();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await eventually('Kafka answers', READY_WITHIN_MS, () => {
      if (!broker.running) throw new Error(`Kafka has ended: ${broker.lines.slice(-20).join('\n')}`);
      return answers(port!);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { address: `127.0.0.1:${port!}`, stop };
}

async function answers(port: number): Promise<boolean> {
  try {
    const connection = await KafkaConnection.open({ host: '127.0.0.1', port });
    connection.close();
    return true;
  } catch {
    return false;
  }
}

const propertiesOf = (port: number, controllerPort: number, directory: string): string => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
log.dirs=${directory}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
`;
