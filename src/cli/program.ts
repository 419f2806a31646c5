import { Command } from 'commander';
import type { AdminClient, StatusJson } from '../admin/index.js';
import { type Ask, askOver, type CliSurroundings, type Common, withCommonOptions } from './ask.js';
import { addBackup } from './backup.js';
import { addCheck } from './check.js';
import { addCompletion } from './completion.js';
import { table } from './format.js';
import { addGroups } from './groups.js';
import { addOffsets } from './offsets.js';
import { addRecover } from './recover.js';
import { addReplicas } from './replicas.js';
import { addRestore } from './restore.js';
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
  addStatus(program, ask, around.fail);
  addGroups(program, ask, around);
  addOffsets(program, ask, around.fail);
  addTopics(program, ask, around.fail);
  addReplicas(program, around);
  addBackup(program, around);
  addRestore(program, around);
  addRecover(program, around);
  addCheck(program, around);
  addCompletion(program, ask, around.print);
  return program;
}

function addStatus(program: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  withCommonOptions(
    program.command('status').description('show replicas, leaders and shards, as one replica sees them'),
  ).action(async (options: Common) => {
    let status: StatusJson | undefined;
    const request = async (admin: AdminClient): Promise<StatusJson> =>
      (status = await admin.request<StatusJson>('GET', '/status'));
    await ask(options, request, statusText);
    if (status?.ready === false) fail('this replica is not ready', 1);
    else if (status !== undefined && status.failuresTolerated < status.failuresToleratedMax)
      fail(votesText(status), 4);
  });
}

function votesText({ peers, failuresTolerated: left }: StatusJson): string {
  const lost = peers.flatMap(({ id, up, votes }) =>
    votes ? [] : [`replica ${id} ${up ? 'follows without a vote' : 'is down'}`],
  );
  const who = lost.join(', ') || 'this replica follows without a vote';
  if (left < 0) return `${who}; no quorum is left`;
  return left > 0 ? `${who}; ${left} more may fail` : `${who}; one more failure stops the cluster`;
}

function statusText(status: StatusJson): string {
  const readiness = status.ready ? 'ready' : `not ready: ${status.reasons.join('; ')}`;
  const head = [
    `cluster ${status.clusterId}, seen by replica ${status.replica}: ${readiness}`,
    status.standing === 'voter' ? '' : `this replica is a ${status.standing}`,
    `peers: ${status.peers.map(({ id, up, votes }) => `${id} ${up ? (votes ? 'up' : 'up, NO VOTE') : 'DOWN'}`).join(', ') || 'none'}`,
    `quorums: ${status.quorums}`,
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
