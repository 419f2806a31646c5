import type { Command } from 'commander';
import type { OffsetChangesJson, OffsetsJson } from '../admin/index.js';
import {
  type Ask,
  type CliSurroundings,
  type Common,
  groupPath,
  repeated,
  withCommonOptions,
} from './ask.js';
import { table } from './format.js';

interface ChangeOptions extends Common {
  readonly execute?: boolean;
  readonly topic?: readonly string[];
}

const withExecute = (command: Command): Command =>
  withCommonOptions(command.option('--execute', 'do it; without this it is only shown'));
const withTopics = (command: Command): Command =>
  withExecute(
    command.option(
      '--topic <topic[:partitions]>',
      'tenants, or tenants:0,1; as often as needed. Without it: wherever the group has an offset',
      repeated,
    ),
  );

/** Each change is shown first, and made with --execute. */
export function addOffsets(program: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  const offsets = program.command('offsets').description('show and change how far groups have come');
  withCommonOptions(
    offsets.command('show').description('show offsets, ends and lag of a group').argument('<group>'),
  ).action((group: string, options: Common) =>
    ask(
      options,
      (admin) => admin.request<OffsetsJson>('GET', groupPath(group, '/offsets')),
      (answer) => (answer.offsets.length === 0 ? 'There are no offsets.' : offsetsTable(answer.offsets)),
    ),
  );
  withTopics(
    offsets
      .command('reset')
      .description('move the offsets of a group that has no members')
      .argument('<group>')
      .requiredOption('--to <where>', 'earliest, latest, an offset, or +n and -n from where they are'),
  ).action((group: string, options: ChangeOptions & { readonly to: string }) => {
    const { to, topic: topics, execute = false } = options;
    const body = { to, ...(topics && { topics }), execute };
    return ask(
      options,
      (admin) => admin.request<OffsetChangesJson>('POST', groupPath(group, '/offsets/reset'), body),
      changesText,
    );
  });
  withExecute(
    offsets
      .command('set')
      .description('set offsets of a group that has no members')
      .argument('<group>')
      .argument('<topic>')
      .argument('<partition=offset...>'),
  ).action((group: string, topic: string, pairs: readonly string[], options: ChangeOptions) => {
    const wanted = partitionValues(pairs);
    if (wanted === undefined) return fail('say which partitions and offsets: 0=1000 1=1200', 2);
    const list = wanted.map(([partition, offset]) => ({ topic, partition, offset }));
    return ask(
      options,
      (admin) =>
        admin.request<OffsetChangesJson>('POST', groupPath(group, '/offsets'), {
          offsets: list,
          execute: options.execute ?? false,
        }),
      changesText,
    );
  });
  withTopics(
    offsets
      .command('delete')
      .description('delete offsets of topics that the group does not use')
      .argument('<group>'),
  ).action((group: string, options: ChangeOptions) => {
    const query = [
      ...(options.topic ?? []).map((topic) => ['topic', topic] as const),
      ...(options.execute === true ? [['execute', ''] as const] : []),
    ];
    return ask(
      options,
      (admin) => admin.request<OffsetChangesJson>('DELETE', groupPath(group, '/offsets', query)),
      changesText,
    );
  });
}

/** "0=1000" ... -> [[0, "1000"], ...]. Undefined: one of them cannot be read. */
export function partitionValues(
  pairs: readonly string[],
): readonly (readonly [partition: number, value: string])[] | undefined {
  const read = pairs.map((pair) => /^(\d{1,9})=(\d{1,19})$/.exec(pair));
  if (read.includes(null)) return undefined;
  return read.map((match) => [Number(match![1]), match![2]!]);
}

export function offsetsTable(offsets: OffsetsJson['offsets']): string {
  return table(
    ['TOPIC', 'PARTITION', 'OFFSET', 'END', 'LAG', 'COMMITTED'],
    offsets.map(({ topic, partition, offset, end, lag, committedAt }) => [
      topic,
      partition,
      offset,
      end ?? '-',
      lag ?? '-',
      committedAt,
    ]),
  );
}

function changesText({ offsets, executed }: OffsetChangesJson): string {
  if (offsets.length === 0) return 'There is nothing to change.';
  const rows = offsets.map(({ topic, partition, from, to }) => [topic, partition, from ?? '-', to ?? '-']);
  const said = executed ? 'Done.' : 'Nothing was changed. To do it, add --execute.';
  return `${table(['TOPIC', 'PARTITION', 'FROM', 'TO'], rows)}\n\n${said}`;
}
