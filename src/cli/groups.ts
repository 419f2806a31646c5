import type { Command } from 'commander';
import type {
  DeletedGroupJson,
  GroupDetailJson,
  GroupsJson,
  OffsetsJson,
  RemovedMembersJson,
} from '../admin/index.js';
import { allGroups } from './all-groups.js';
import {
  type Ask,
  type CliSurroundings,
  type Common,
  groupPath,
  membersQuery,
  withCommonOptions,
  withMembers,
  type WhoOptions,
} from './ask.js';
import { addDrain } from './drain.js';
import { table } from './format.js';
import { addGroupViews, groupDetail, membersTable } from './group-views.js';
import { offsetsTable } from './offsets.js';
import { addWatch } from './watch.js';

export function addGroups(program: Command, ask: Ask, around: CliSurroundings): void {
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
        const detail = await groupDetail(admin, group);
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
  addEvict(groups, ask, around.fail);
  addDrain(groups, ask, around.fail);
  addGroupViews(groups, ask);
  addWatch(groups, around);
}

function addEvict(groups: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  const command = groups
    .command('evict')
    .alias('remove-members')
    .description(
      'remove members from a group: their partitions move at once, and those that are running join again',
    );
  withCommonOptions(withMembers(command)).action(
    (group: string, members: readonly string[], _options: WhoOptions, self: Command) => {
      const options = self.optsWithGlobals<WhoOptions>();
      const query = membersQuery(members, options);
      if (query === undefined) return fail('name members, or --instance, or --all', 2);
      return ask(
        options,
        (admin) => admin.request<RemovedMembersJson>('DELETE', groupPath(group, '/members', query)),
        ({ members: removed }) => `${removed.length} members removed`,
      );
    },
  );
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
  return [
    head,
    ...(members.length === 0 ? [] : ['', membersTable(members)]),
    ...(offsets.length === 0 ? [] : ['', offsetsTable(offsets)]),
  ].join('\n');
}
