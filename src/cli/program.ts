import { Command } from 'commander';
import {
  AdminClient,
  AdminClientError,
  type GroupDetailJson,
  type GroupsJson,
  type OffsetsJson,
  type StatusJson,
  type TopicJson,
  type TopicsJson,
} from '../admin/index.js';
import { duration, partitionList, table } from './format.js';

interface CliSurroundings {
  readonly print: (text: string) => void;
  /** Says what went wrong and sets the exit code: 1 = the answer is no, 2 = wrong use, 3 = no replica answers. */
  readonly fail: (message: string, code: number) => void;
  /** QUORATE_URL: one or more URLs, separated by commas. */
  readonly environmentUrl: string | undefined;
}

const DEFAULT_URLS = 'http://127.0.0.1:8080,http://127.0.0.1:8081,http://127.0.0.1:8082';

interface Common {
  readonly json?: boolean;
  readonly url?: string;
}

/** Asks a replica and prints its answer: the JSON of the HTTP API, or what `show` makes of it. */
type Ask = <T>(
  options: Common,
  ask: (client: AdminClient) => Promise<T>,
  show: (answer: T) => string,
) => Promise<void>;

/** The commands that talk to a running cluster. */
export function createProgram(around: CliSurroundings): Command {
  const ask: Ask = async (options, request, show) => {
    const urls = options.url ?? around.environmentUrl ?? DEFAULT_URLS;
    try {
      const answer = await request(new AdminClient(urls.split(',')));
      around.print(options.json === true ? JSON.stringify(answer, null, 2) : show(answer));
    } catch (error) {
      if (!(error instanceof AdminClientError)) throw error;
      around.fail(error.message, error.status === 0 ? 3 : 1);
    }
  };
  const program = new Command('quorate')
    .description("Kafka's consumer-group protocol without Kafka")
    .showHelpAfterError();
  addStatus(program, ask);
  addGroups(program, ask);
  addTopics(program, ask, around.fail);
  return program;
}

const withCommonOptions = (command: Command): Command =>
  command
    .option('--json', 'print the JSON of the HTTP API instead of a table')
    .option('--url <urls>', `where replicas answer HTTP (or QUORATE_URL); default ${DEFAULT_URLS}`);

function addStatus(program: Command, ask: Ask): void {
  withCommonOptions(
    program.command('status').description('replicas, leaders and shards, as one replica sees them'),
  ).action((options: Common) =>
    ask(options, (admin) => admin.request<StatusJson>('GET', '/status'), statusText),
  );
}

function addGroups(program: Command, ask: Ask): void {
  const groups = withCommonOptions(program.command('groups').description('the groups there are')).action(
    (options: Common) => ask(options, (admin) => admin.request<GroupsJson>('GET', '/groups'), groupsText),
  );
  withCommonOptions(
    groups.command('describe').description('members, partitions and offsets of a group').argument('<group>'),
  ).action((group: string, _options: Common, command: Command) => {
    const path = `/groups/${encodeURIComponent(group)}`;
    return ask(
      command.optsWithGlobals<Common>(),
      async (admin) => {
        const detail = await admin.request<GroupDetailJson>('GET', path);
        const { offsets } = await admin.request<OffsetsJson>('GET', `${path}/offsets`);
        return { ...detail, offsets };
      },
      (answer) => groupText(answer, answer.offsets),
    );
  });
}

function addTopics(program: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  const topics = program.command('topics').description('named partition sets');
  withCommonOptions(topics.command('list').description('the topics there are')).action((options: Common) =>
    ask(options, (admin) => admin.request<TopicsJson>('GET', '/topics'), topicsText),
  );
  withCommonOptions(
    topics
      .command('create')
      .description('make a topic')
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
      (topic) => `topic ${topic.name} has ${topic.partitions} partitions`,
    );
  });
  withCommonOptions(
    topics
      .command('delete')
      .description('delete a topic, and the offsets committed for it')
      .argument('<name>'),
  ).action((name: string, options: Common) =>
    ask(
      options,
      (admin) => admin.request<TopicJson>('DELETE', `/topics/${encodeURIComponent(name)}`),
      (topic) => `topic ${topic.name} is deleted`,
    ),
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
  const offsetRows = offsets.map(({ topic, partition, offset, committedAt }) => [
    topic,
    partition,
    offset,
    committedAt,
  ]);
  const memberTable = table(['CLIENT', 'MEMBER', 'HOST', 'SESSION', 'IS', 'OWNS'], memberRows);
  const offsetTable = table(['TOPIC', 'PARTITION', 'OFFSET', 'COMMITTED'], offsetRows);
  return [
    head,
    ...(memberRows.length === 0 ? [] : ['', memberTable]),
    ...(offsetRows.length === 0 ? [] : ['', offsetTable]),
  ].join('\n');
}

function topicsText({ topics }: TopicsJson): string {
  if (topics.length === 0) return 'There are no topics.';
  return table(
    ['TOPIC', 'PARTITIONS', 'ID'],
    topics.map(({ name, partitions, id }) => [name, partitions, id]),
  );
}
