#!/usr/bin/env node
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { ConfigurationError, loadSettings } from './app/configuration.js';
import { startProblem } from './app/start-problem.js';
import { runsThreeReplicas } from './app/up.js';
import { createProgram } from './cli/index.js';

/** The `quorate` command: the CLI's own commands, `up`, and `start`, which alone needs the whole application, and Nest with it. */
let printing = false;
const program = createProgram({
  print: (text) => {
    // Its reader may have had enough, as `head` does.
    if (!printing) process.stdout.on('error', () => process.exit());
    printing = true;
    process.stdout.write(`${text}\n`);
  },
  fail: (message, code) => {
    process.stderr.write(`quorate: ${message}\n`);
    process.exitCode = code;
  },
  exit: (code) => process.exit(code),
  version: (createRequire(import.meta.url)('../package.json') as { version: string }).version,
  environmentUrl: process.env['QUORATE_URL'],
  terminal: () => (process.stdout.isTTY ? process.stdout : undefined),
});

program
  .command('start')
  .description('run one replica in this process')
  .option(
    '--config <file>',
    'JSON file with the settings of docs/settings.md; the environment (QUORATE_*) takes precedence',
  )
  .action(async ({ config }: { config?: string }) => {
    try {
      const loaded = loadSettings({ file: config, environment: process.env });
      const { runReplica } = await import('./app/run-replica.js');
      await runReplica({ ...loaded, handleSignals: true });
    } catch (error) {
      process.stderr.write(`quorate: the replica cannot start. ${startProblem(error)}\n`);
      process.exit(error instanceof ConfigurationError ? 2 : 1);
    }
    // When the supervisor is gone, nothing else stops this process.
    process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  });

runsThreeReplicas(program.command('up'), 'quorate up');

program
  .command('cluster-id')
  .description('print a new cluster id')
  .action(() => void process.stdout.write(`${randomBytes(16).toString('base64url')}\n`));

await program.parseAsync();
