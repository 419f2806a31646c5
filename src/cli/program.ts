import { Command } from 'commander';
import type { StatusJson } from '../admin/index.js';
import { type Ask, askOver, type CliSurroundings, type Common, withCommonOptions } from './ask.js';
import { table } from './format.js';
import { addGroups } from './groups.js';
import { addOffsets } from './offsets.js';
import { addTopics } from './topics.js';

/** The commands that talk to a running cluster. */
export function createProgram(around: CliSurroundings): Command {
  const ask = askOver(around);
  const program = new Command('quorate')
    .description("Kafka's consumer-group protocol without Kafka")
    .version(around.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError()
    .exitOverride(({ exitCode }) => around.exit(exitCode === 0 ? 0 : 2));
  addStatus(program, ask);
  addGroups(program, ask, around.fail);
  addOffsets(program, ask, around.fail);
  addTopics(program, ask, around.fail);
  return program;
}

function addStatus(program: Command, ask: Ask): void {
  withCommonOptions(
    program.command('status').description('show replicas, leaders and shards, as one replica sees them'),
  ).action((options: Common) =>
    ask(options, (admin) => admin.request<StatusJson>('GET', '/status'), statusText),
  );
}

function statusText(status: StatusJson): string {
  const readiness = status.ready ? 'ready' : `not ready: ${status.reasons.join('; ')}`;
  const head = [
    `cluster ${status.clusterId}, seen by replica ${status.replica}: ${readiness}`,
    status.standing === 'voter' ? '' : `this replica is a ${status.standing}`,
    `peers: ${status.peers.map(({ id, up }) => `${id} ${up ? 'up' : 'DOWN'}`).join(', ') || 'none'}`,
  ].filter((line) => line !== '');
  const rows = status.shards.map(({ shard, leader, ballot, chosenThrough, groups, members, offsets }) => [
    shard,
    leader ?? '-',
    ballot.round,
    chosenThrough,
    groups,
    members,
    offsets,
  ]);
  return `${head.join('\n')}\n\n${table(['SHARD', 'LEADER', 'BALLOT', 'CHOSEN', 'GROUPS', 'MEMBERS', 'OFFSETS'], rows)}`;
}
