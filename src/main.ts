import { parseArgs } from 'node:util';
import { Supervisor, SupervisorError } from './app/supervisor.js';

/** `npm start`: three replicas on this machine, as three processes under one small supervisor. */
const { values } = parseArgs({
  options: {
    data: { type: 'string', default: './data' },
    'kafka-port': { type: 'string', default: '9092' },
    'http-port': { type: 'string', default: '8080' },
    'peer-port': { type: 'string', default: '9192' },
  },
});

const supervisor = new Supervisor({
  dataDir: values.data,
  kafkaPort: Number(values['kafka-port']),
  httpPort: Number(values['http-port']),
  peerPort: Number(values['peer-port']),
});

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
