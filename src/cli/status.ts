import type { Command } from 'commander';
import type { AdminClient, StatusJson } from '../admin/index.js';
import { type Ask, type CliSurroundings, type Common, withCommonOptions } from './ask.js';
import { CLOCK_AHEAD_MS, LAG_SLOTS } from './findings.js';
import { table } from './format.js';
import { behindText, bytesText, changeText, clockText, lagging, leadersText, reserveText } from './words.js';

/** `quorate status`: the cluster, as one replica sees it. */
export function addStatus(program: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  withCommonOptions(
    program
      .command('status')
      .description(
        'who leads, who lags and what may fail, as one replica sees it ("doctor" asks all of them)',
      )
      .addHelpText(
        'after',
        '\nExit codes: 0 ready, 1 this replica is not ready, 2 wrong use, 3 no replica answers, 4 a vote is lost.',
      ),
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
  const behind = behindText(lagging([status], LAG_SLOTS));
  const clocks = status.clocks
    .filter(({ aheadMs }) => Math.abs(aheadMs) > CLOCK_AHEAD_MS)
    .map(({ id, aheadMs }) => `replica ${id} is ${clockText(aheadMs)}`);
  const head = [
    `cluster ${status.clusterId}, seen by replica ${status.replica}: ${readiness}`,
    status.removed === true
      ? 'this replica was REMOVED from the cluster: stop it, and remove its data directory'
      : status.standing === 'voter'
        ? ''
        : `this replica is a ${status.standing}`,
    `peers: ${status.peers.map(({ id, up, votes }) => `${id} ${up ? (votes ? 'up' : 'up, NO VOTE') : 'DOWN'}`).join(', ') || 'none'}`,
    `quorums: ${status.quorums}`,
    versionText(status),
    `reserve: ${reserveText(status)}`,
    ...(status.change ? [changeText(status.change)] : []),
    status.shards.length === 0 ? '' : `leaders: ${leadersText(status)}`,
    behind === '' ? '' : `behind: ${behind}`,
    clocks.length === 0 ? '' : `clocks: ${clocks.join(', ')}`,
    ...diskLines(status.disk),
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

function versionText({ version, featureLevel: { own, all, used }, peers }: StatusJson): string {
  const further =
    all > used ? ` of ${all}: quorate upgrade` : own > used ? `, and this replica knows ${own}` : '';
  const links = [...new Set(peers.flatMap(({ protocol }) => protocol ?? []))].sort((a, b) => a - b);
  const protocols = links.length === 0 ? '' : `; links speak protocol ${links.join(' and ')}`;
  return `version: ${version}, feature level ${used} is used${further}${protocols}`;
}

function diskLines({ stalls, room, freeBytes }: StatusJson['disk']): readonly string[] {
  if (stalls) return ['disk: STALLS, no write ends'];
  const left = freeBytes === null ? '' : `, ${bytesText(freeBytes)} free`;
  return room === 'enough' ? [] : [`disk: FULL${left}: no proposals are taken here`];
}
