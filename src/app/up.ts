import { type Command, InvalidArgumentError } from 'commander';
import { Supervisor, SupervisorError } from './supervisor.js';

interface UpOptions {
  readonly data: string;
  readonly kafkaPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
}

/** The highest first port that leaves room for the two after it. */
const FIRST_PORT_MAX = 65_533;

function firstPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > FIRST_PORT_MAX)
    throw new InvalidArgumentError(`Give the first of three ports, 1 to ${FIRST_PORT_MAX}.`);
  return port;
}

/**
 * Makes `command` run three replicas on this machine, as three processes under one supervisor: `npm start` in a checkout,
 * `quorate up` from the package. `name` is how a user calls it, for messages that say what to type.
 */
export function runsThreeReplicas(command: Command, name: string): Command {
  return command
    .description('run three replicas on this machine; Ctrl-C stops them, the data stays')
    .option('--data <directory>', 'where the replicas keep their data', './data')
    .option('--kafka-port <port>', 'the first of three ports for Kafka clients', firstPort, 9092)
    .option('--http-port <port>', 'the first of three ports for HTTP', firstPort, 8080)
    .option('--peer-port <port>', 'the first of three ports between the replicas', firstPort, 9192)
    .allowExcessArguments(false)
    .showHelpAfterError()
    .action(async ({ data, kafkaPort, httpPort, peerPort }: UpOptions) => {
      const supervisor = new Supervisor({ dataDir: data, kafkaPort, httpPort, peerPort, command: name });
      stopOnSignals(supervisor);
      try {
        await supervisor.start();
      } catch (error) {
        console.error(error instanceof SupervisorError ? `Quorate cannot start: ${error.message}` : error);
        process.exit(2);
      }
    });
}

/** The first signal stops the replicas in order, a second one ends this process at once. */
function stopOnSignals(supervisor: Supervisor): void {
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
}
