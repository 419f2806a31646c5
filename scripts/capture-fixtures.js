/**
 * npm run fixtures -- CLIENT: captures what a real client and a replica say to each other, as fixtures of the wire's tests.
 * CLIENT is kafkajs, platformatic, librdkafka or kcat. librdkafka is used through confluent-kafka of the Python that
 * QUORATE_TEST_PYTHON names; QUORATE_TEST_PLATFORMATIC names a folder where @platformatic/kafka was installed.
 *
 * One replica runs from dist. It listens on one port and tells clients another, where a proxy takes them: every byte passes
 * unchanged, and every request is kept together with its answer.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Cluster, ROOT } from '../test/harness/cluster.ts';
import { freePorts } from '../test/harness/ports.ts';
import { within } from '../test/harness/waiting.ts';
import { chosenExchanges } from './capture/choice.js';
import { RecordingProxy } from './capture/recording-proxy.js';

const CLIENT_WITHIN_MS = 120_000;
const python = process.env.QUORATE_TEST_PYTHON ?? 'python3';
const kcat = process.env.QUORATE_TEST_KCAT ?? 'kcat';
const platformatic = process.env.QUORATE_TEST_PLATFORMATIC ?? ROOT;
const here = (file) => join(ROOT, 'scripts/capture', file);
const printed = (command, ...args) => spawnSync(command, args, { encoding: 'utf8' }).stdout ?? '';

/** How each client is run, and what it calls itself. */
const CLIENTS = {
  kafkajs: {
    version: () => `kafkajs ${createRequire(import.meta.url)('kafkajs/package.json').version}`,
    command: (bootstrap) => [process.execPath, here('kafkajs.js'), bootstrap],
  },
  platformatic: {
    version: () => {
      const content = join(platformatic, 'node_modules/@platformatic/kafka/package.json');
      return `@platformatic/kafka ${JSON.parse(readFileSync(content, 'utf8')).version}`;
    },
    command: (bootstrap) => [process.execPath, here('platformatic.js'), platformatic, bootstrap],
  },
  librdkafka: {
    version: () =>
      `librdkafka ${printed(python, '-c', 'import confluent_kafka as c; print(c.libversion()[0])').trim()}`,
    command: (bootstrap) => [python, here('librdkafka.py'), bootstrap],
  },
  kcat: {
    version: () => `librdkafka ${/librdkafka ([\d.]+)/.exec(printed(kcat, '-V'))?.[1]} (kcat)`,
    command: (bootstrap) => ['/bin/sh', here('kcat.sh'), kcat, bootstrap],
  },
};

const name = process.argv[2];
const client = CLIENTS[name];
if (client === undefined) {
  console.error(`which client? There are: ${Object.keys(CLIENTS).join(', ')}`);
  process.exit(2);
}

const [listenPort] = await freePorts(1);
const cluster = await Cluster.start({ replicas: 1, settings: { kafkaListenPort: listenPort } });
const { kafka } = cluster.replica(1);
const proxy = new RecordingProxy({ port: kafka.port, to: listenPort });
try {
  await proxy.start();
  const [command, ...args] = client.command(`${kafka.host}:${kafka.port}`);
  const child = spawn(command, args, { stdio: 'inherit' });
  const ended = new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  const code = await within(`${name} has done its round`, CLIENT_WITHIN_MS, ended).finally(() =>
    child.kill(),
  );
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
  write(join(ROOT, 'test/unit/wire/fixtures', name), client.version(), proxy.exchanges);
} catch (error) {
  cluster.printLogs();
  throw error;
} finally {
  proxy.stop();
  await cluster.close();
}

function write(folder, version, exchanges) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { api, chosen } of chosenExchanges(exchanges)) {
    const key = String(api.key).padStart(2, '0');
    const words = api.name.replaceAll(/(?<=.)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
    const content = { client: version, key: api.key, api: api.name, exchanges: chosen };
    writeFileSync(join(folder, `${key}-${words}.json`), `${JSON.stringify(content, null, 2)}\n`);
    console.log(`${name}: ${api.name} ${chosen.map(({ version: v }) => `v${v}`).join(' ')}`);
  }
}
