import type { Command } from 'commander';
import type { EndsJson, TopicJson, TopicsJson } from '../admin/index.js';
import { type Ask, type CliSurroundings, type Common, withCommonOptions } from './ask.js';
import { table } from './format.js';
import { partitionValues } from './offsets.js';

const topicPath = (name: string): string => `/topics/${encodeURIComponent(name)}`;
const partitionsText = (topic: TopicJson): string => `topic ${topic.name} has ${topic.partitions} partitions`;

export function addTopics(program: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  const topics = program.command('topics').description('list and change topics: named sets of partitions');
  withCommonOptions(topics.command('list').description('list the topics')).action((options: Common) =>
    ask(options, (admin) => admin.request<TopicsJson>('GET', '/topics'), topicsText),
  );
  withCommonOptions(
    topics
      .command('create')
      .description('create a topic')
      .argument('<name>')
      .option('--partitions <n>', 'how many; default: the setting autoCreatePartitions'),
  ).action((name: string, options: Common & { readonly partitions?: string }) => {
    const partitions = options.partitions === undefined ? undefined : Number(options.partitions);
    if (partitions !== undefined && !Number.isInteger(partitions)) {
      return fail(`--partitions takes an integer, not "${options.partitions}"`, 2);
    }
    return ask(
      options,
      (admin) => admin.request<TopicJson>('POST', '/topics', { name, partitions }),
      partitionsText,
    );
  });
  withCommonOptions(
    topics
      .command('grow')
      .description('give a topic more partitions; it never has fewer')
      .argument('<topic>')
      .argument('<partitions>', 'how many it has then'),
  ).action((name: string, count: string, options: Common) => {
    const partitions = Number(count);
    if (!Number.isInteger(partitions)) return fail(`partitions are an integer, not "${count}"`, 2);
    return ask(
      options,
      (admin) => admin.request<TopicJson>('PATCH', topicPath(name), { partitions }),
      partitionsText,
    );
  });
  withCommonOptions(
    topics
      .command('delete')
      .description('delete a topic, and the offsets committed for it')
      .argument('<topic>'),
  ).action((name: string, options: Common) =>
    ask(
      options,
      (admin) => admin.request<TopicJson>('DELETE', topicPath(name)),
      (topic) => `topic ${topic.name} is deleted`,
    ),
  );
  addEnds(topics, ask, fail);
}

function addEnds(topics: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  withCommonOptions(
    topics.command('ends').description('show where the partitions of a topic end').argument('<topic>'),
  ).action((name: string, options: Common) =>
    ask(options, (admin) => admin.request<EndsJson>('GET', `${topicPath(name)}/ends`), endsText),
  );
  withCommonOptions(
    topics
      .command('set-ends')
      .description('set how far the source of the work is, for lag')
      .argument('<topic>')
      .argument('<partition=end...>')
      .option('--back', 'an end also goes back: what was committed beyond it before counts no more'),
  ).action((name: string, pairs: readonly string[], options: Common & { readonly back?: boolean }) => {
    const ends = partitionValues(pairs);
    if (ends === undefined) return fail('say which partitions and ends: 0=1000 1=1200', 2);
    const body = { ends: Object.fromEntries(ends), back: options.back ?? false };
    return ask(
      options,
      (admin) => admin.request<EndsJson>('POST', `${topicPath(name)}/ends`, body),
      endsText,
    );
  });
}

function topicsText({ topics }: TopicsJson): string {
  if (topics.length === 0) return 'There are no topics.';
  return table(
    ['TOPIC', 'PARTITIONS', 'ID'],
    topics.map(({ name, partitions, id }) => [name, partitions, id]),
  );
}

const endsText = ({ topic, ends }: EndsJson): string =>
  table(
    ['TOPIC', 'PARTITION', 'END'],
    ends.map(({ partition, end }) => [topic, partition, end]),
  );
