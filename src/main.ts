import { Command, InvalidArgumentError } from 'commander';
import { Supervisor, SupervisorError } from './app/supervisor.js';

/** `npm start`: three replicas on this machine, as three processes under one small supervisor. */

function firstPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_533)
    throw new InvalidArgumentError('Give the first of three ports, 1 to 65533.');
  return port;
}

interface Options {
  readonly data: string;
  readonly kafkaPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
}
const { data, kafkaPort, httpPort, peerPort } = new Command('npm start --')
  .description('Runs three replicas on this machine. Ctrl-C stops them; the data stays.')
  .option('--data <directory>', 'where the replicas keep their data', './data')
  .option('--kafka-port <port>', 'the first of three ports for Kafka clients', firstPort, 9092)
  .option('--http-port <port>', 'the first of three ports for HTTP', firstPort, 8080)
  .option('--peer-port <port>', 'the first of three ports between the replicas', firstPort, 9192)
  .allowExcessArguments(false)
  .showHelpAfterError()
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse()
  .opts<Options>();

const supervisor = new Supervisor({ dataDir: data, kafkaPort, httpPort, peerPort });

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping) process.exit(1);
    stopping = true;
    supervisor.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}

try {
  await supervisor.start();
} catch (error) {
  console.error(error instanceof SupervisorError ? `Quorate cannot start: ${error.message}` : error);
  process.exit(2);
}
