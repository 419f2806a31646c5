import type { Command } from 'commander';
import type {
  AdminClient,
  FencesJson,
  GroupDetailJson,
  RebalanceJson,
  RebalancesJson,
} from '../admin/index.js';
import { type Ask, allPages, type Common, groupPath, withCommonOptions } from './ask.js';
import { duration, partitionList, table } from './format.js';

/** What there is to see of one group: its members, its history, its fences. */
export function addGroupViews(groups: Command, ask: Ask): void {
  const view = <T>(
    name: string,
    description: string,
    request: (admin: AdminClient, group: string) => Promise<T>,
    show: (answer: T) => string,
  ): void => {
    withCommonOptions(groups.command(name).description(description).argument('<group>')).action(
      (group: string, _options: Common, command: Command) =>
        ask(command.optsWithGlobals<Common>(), (admin) => request(admin, group), show),
    );
  };
  view('members', 'show who is in a group, and what each owns', groupDetail, ({ members }) =>
    members.length === 0 ? 'The group has no members.' : membersTable(members),
  );
  view(
    'rebalances',
    'show the last rebalances of a group, newest last',
    (admin, group) => admin.request<RebalancesJson>('GET', groupPath(group, '/rebalances')),
    ({ rebalances }) =>
      rebalances.length === 0 ? 'There was no rebalance yet.' : rebalancesTable(rebalances),
  );
  view('fences', 'show the fence token of each partition, and who holds it', allFences, ({ fences }) =>
    fences.length === 0 ? 'Nobody owns anything.' : fencesTable(fences),
  );
}

export const groupDetail = (admin: AdminClient, group: string): Promise<GroupDetailJson> =>
  admin.request<GroupDetailJson>('GET', groupPath(group));

export async function allFences(admin: AdminClient, group: string): Promise<FencesJson> {
  const pages = await allPages((after) =>
    admin.request<FencesJson>('GET', groupPath(group, '/fences', after === null ? [] : [['after', after]])),
  );
  return { ...pages.at(-1)!, fences: pages.flatMap(({ fences }) => fences) };
}

export const membersTable = (members: GroupDetailJson['members']): string =>
  table(
    ['CLIENT', 'MEMBER', 'INSTANCE', 'HOST', 'SESSION', 'IS', 'OWNS'],
    members.map(
      ({ clientId, memberId, instanceId, clientHost, sessionTimeoutMs, waiting, partitions: owned }) => [
        clientId,
        memberId,
        instanceId ?? '-',
        clientHost,
        duration(sessionTimeoutMs),
        waiting ? 'waiting' : 'working',
        owned === null ? '?' : partitionList(owned),
      ],
    ),
  );

const orDash = (ms: number | null): string => (ms === null ? '-' : duration(ms));

/** `removed x after 3 s, y was last after 1 s` */
export const stragglersText = (stragglers: RebalanceJson['stragglers']): string =>
  stragglers
    .map(({ memberId, waitedMs, removed }) =>
      removed
        ? `${memberId} was removed after ${duration(waitedMs)}`
        : `${memberId} came last, after ${duration(waitedMs)}`,
    )
    .join(', ');

export const causeText = ({ cause, memberId, reason }: RebalanceJson['trigger']): string =>
  [cause, memberId ?? '', reason === null || reason === '' ? '' : `(${reason})`]
    .filter((part) => part !== '')
    .join(' ');

const rebalancesTable = (rebalances: readonly RebalanceJson[]): string =>
  table(
    ['GENERATION', 'STARTED', 'IS', 'STOP', 'ALIGN', 'TOTAL', 'MEMBERS', 'MOVED', 'CAUSE', 'WAITED FOR'],
    rebalances.map((each) => [
      each.generation,
      each.startedAt,
      each.outcome,
      orDash(each.stopMs),
      orDash(each.alignMs),
      orDash(each.totalMs),
      each.members,
      each.partitionsMoved ?? '-',
      causeText(each.trigger),
      each.stragglers.length === 0 ? '-' : stragglersText(each.stragglers),
    ]),
  );

export const fencesTable = (fences: FencesJson['fences']): string =>
  table(
    ['SCOPE', 'TOKEN', 'GENERATION', 'OWNER', 'INSTANCE'],
    fences.map(({ scope, token, generation, owner, instanceId }) => [
      scope,
      token,
      generation,
      owner,
      instanceId ?? '-',
    ]),
  );
