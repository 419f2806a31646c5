import { Command } from 'commander';
import { askOver, type CliSurroundings } from './ask.js';
import { addBackup } from './backup.js';
import { addCheck } from './check.js';
import { addCompletion } from './completion.js';
import { addDump } from './dump.js';
import { addDoctor } from './doctor.js';
import { addGroups } from './groups.js';
import { addOffsets } from './offsets.js';
import { addRecover } from './recover.js';
import { addReplicas } from './replicas.js';
import { addRestore } from './restore.js';
import { addStatus } from './status.js';
import { addTopics } from './topics.js';
import { addUpgrade } from './upgrade.js';

/** The commands that talk to a running cluster. */
export function createProgram(around: CliSurroundings): Command {
  const ask = askOver(around);
  const program = new Command('quorate')
    .description("Kafka's consumer-group protocol without Kafka")
    .version(around.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError()
    .exitOverride(({ exitCode }) => around.exit(exitCode === 0 ? 0 : 2));
  addStatus(program, ask, around.fail);
  addDoctor(program, around);
  addGroups(program, ask, around);
  addOffsets(program, ask, around.fail);
  addTopics(program, ask, around.fail);
  addReplicas(program, around);
  addUpgrade(program, ask, around.fail);
  addBackup(program, around);
  addRestore(program, around);
  addRecover(program, around);
  addCheck(program, around);
  addDump(program, around);
  addCompletion(program, ask, around.print);
  return program;
}
