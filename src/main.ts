import { Command } from 'commander';
import { runsThreeReplicas } from './app/up.js';

/** `npm start`: the same as `quorate up`, from a checkout. */
await runsThreeReplicas(new Command('npm start --'), 'npm start --')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parseAsync();
