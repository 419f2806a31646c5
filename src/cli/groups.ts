import type { Command } from 'commander';
import type {
  AdminClient,
  DeletedGroupJson,
  GroupDetailJson,
  GroupsJson,
  OffsetsJson,
  RemovedMembersJson,
} from '../admin/index.js';
import {
  type Ask,
  type CliSurroundings,
  type Common,
  groupPath,
  repeated,
  withCommonOptions,
} from './ask.js';
import { duration, partitionList, table } from './format.js';
import { offsetsTable } from './offsets.js';

export function addGroups(program: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  const groups = withCommonOptions(program.command('groups').description('list the groups')).action(
    (options: Common) => ask(options, allGroups, groupsText),
  );
  withCommonOptions(
    groups
      .command('describe')
      .description('show members, partitions and offsets of a group')
      .argument('<group>'),
  ).action((group: string, _options: Common, command: Command) =>
    ask(
      command.optsWithGlobals<Common>(),
      async (admin) => {
        const detail = await admin.request<GroupDetailJson>('GET', groupPath(group));
        const { offsets } = await admin.request<OffsetsJson>('GET', groupPath(group, '/offsets'));
        return { ...detail, offsets };
      },
      (answer) => groupText(answer, answer.offsets),
    ),
  );
  withCommonOptions(
    groups
      .command('delete')
      .description('delete a group without members, and its offsets')
      .argument('<group>'),
  ).action((group: string, _options: Common, command: Command) =>
    ask(
      command.optsWithGlobals<Common>(),
      (admin) => admin.request<DeletedGroupJson>('DELETE', groupPath(group)),
      (deleted) => `group "${deleted.group}" is deleted`,
    ),
  );
  addRemoveMembers(groups, ask, fail);
}

/** Page after page. */
async function allGroups(admin: AdminClient): Promise<GroupsJson> {
  const groups: GroupsJson['groups'][number][] = [];
  for (let after = ''; ;) {
    const answer = await admin.request<GroupsJson>('GET', `/groups${after}`);
    groups.push(...answer.groups);
    if (answer.next === null) return { ...answer, groups };
    after = `?after=${encodeURIComponent(answer.next)}`;
  }
}

interface RemoveOptions extends Common {
  readonly instance?: readonly string[];
  readonly all?: boolean;
}

function addRemoveMembers(groups: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  withCommonOptions(
    groups
      .command('remove-members')
      .description('remove members from a group; those that are running join again')
      .argument('<group>')
      .argument('[member...]', 'member ids')
      .option('--instance <id>', 'a static member, by its group.instance.id; as often as needed', repeated)
      .option('--all', 'everybody'),
  ).action((group: string, members: readonly string[], _options: RemoveOptions, command: Command) => {
    const options = command.optsWithGlobals<RemoveOptions>();
    const { instance = [], all } = options;
    if ((members.length > 0 || instance.length > 0) === (all === true))
      return fail('name members, or --instance, or --all', 2);
    const query = [
      ...members.map((id) => ['member', id] as const),
      ...instance.map((id) => ['instance', id] as const),
      ...(all === true ? [['all', ''] as const] : []),
    ];
    return ask(
      options,
      (admin) => admin.request<RemovedMembersJson>('DELETE', groupPath(group, '/members', query)),
      ({ members: removed }) => `${removed.length} members removed`,
    );
  });
}

function groupsText({ groups }: GroupsJson): string {
  if (groups.length === 0) return 'There are no groups.';
  return table(
    ['GROUP', 'STATE', 'GENERATION', 'MEMBERS', 'PROTOCOL', 'SHARD', 'COORDINATOR'],
    groups.map(({ group, state, generation, members, protocolType, shard, leader }) => [
      group,
      state,
      generation,
      members,
      protocolType || '-',
      shard,
      leader ?? '-',
    ]),
  );
}

function groupText({ group, members }: GroupDetailJson, offsets: OffsetsJson['offsets']): string {
  const head =
    `${group.group}: ${group.state}, generation ${group.generation}, ${members.length} members, ` +
    `protocol ${group.protocolName ?? '-'}, coordinator ${group.leader ?? '-'}`;
  const memberRows = members.map(
    ({ memberId, clientId, clientHost, sessionTimeoutMs, waiting, partitions }) => [
      clientId,
      memberId,
      clientHost,
      duration(sessionTimeoutMs),
      waiting ? 'waiting' : 'working',
      partitions === null ? '?' : partitionList(partitions),
    ],
  );
  const memberTable = table(['CLIENT', 'MEMBER', 'HOST', 'SESSION', 'IS', 'OWNS'], memberRows);
  return [
    head,
    ...(memberRows.length === 0 ? [] : ['', memberTable]),
    ...(offsets.length === 0 ? [] : ['', offsetsTable(offsets)]),
  ].join('\n');
}
