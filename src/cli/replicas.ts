import type { Command } from 'commander';
import {
  type AdminClient,
  AdminClientError,
  type ReplicaJson,
  type ReplicaPlanJson,
  type ReplicasJson,
} from '../admin/index.js';
import { type Ask, askOver, type CliSurroundings, clientFor, type Common, withCommonOptions } from './ask.js';
import { table } from './format.js';

/** The ports of a replica that is given by its host alone. */
const PORTS = { peerPort: 9192, kafkaPort: 9092, httpPort: 8080 } as const;
const ADDRESSES =
  'ID@HOST, or ID@HOST:PEERPORT:KAFKAPORT[:HTTPPORT]; the ports are 9192, 9092 and 8080 by default';
const LOOK_EVERY_MS = 500;

interface PlanOptions extends Common {
  readonly execute?: boolean;
  readonly wait?: boolean;
  readonly quorums?: string;
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

/** Lists and changes the replicas of the cluster. A change is shown first, and made with --execute. */
export function addReplicas(program: Command, around: CliSurroundings): void {
  const ask = askOver(around);
  const replicas = program.command('replicas').description('show and change which replicas the cluster has');
  withCommonOptions(
    replicas
      .command('list', { isDefault: true })
      .description('show the replicas: who is up, who votes, who leads, who lags'),
  ).action((_options: Common, self: Command) => list(ask, self));
  withCommonOptions(
    replicas
      .command('plan')
      .description('show the plan that is under way, how far it is, and what it waits for'),
  ).action((_options: Common, self: Command) => showPlan(around, self.optsWithGlobals<Common>()));
  withCommonOptions(
    replicas.command('cancel').description('call the plan off; possible until the shards begin to seal'),
  ).action((_options: Common, self: Command) =>
    ask(
      self.optsWithGlobals<Common>(),
      (admin) => admin.request<ReplicasJson>('DELETE', '/replicas/plan'),
      (answer) => `the plan is called off\n\n${replicasText(answer)}`,
    ),
  );
  addChanges(replicas, around);
}

function addChanges(replicas: Command, around: CliSurroundings): void {
  const change = (self: Command, body: object | undefined, usage: string): Promise<void> | void =>
    body === undefined
      ? around.fail(usage, 2)
      : makeChange(around, self.optsWithGlobals<PlanOptions>(), body);
  const ids = (texts: readonly string[], name: string): object | undefined => {
    const numbers = texts.map(idOf);
    return numbers.includes(undefined) ? undefined : { [name]: numbers };
  };
  withPlanOptions(
    replicas
      .command('add')
      .description('add replicas: start them with the new list, on empty data directories')
      .argument('<replica...>', ADDRESSES),
  ).action((texts: readonly string[], _options: PlanOptions, self: Command) => {
    const added = texts.map(replicaOf);
    return change(self, added.includes(undefined) ? undefined : { add: added }, `a replica is ${ADDRESSES}`);
  });
  withPlanOptions(
    replicas
      .command('remove')
      .description('remove replicas: their leaders move away first')
      .argument('<id...>'),
  ).action((texts: readonly string[], _options: PlanOptions, self: Command) =>
    change(self, ids(texts, 'remove'), 'name replicas by their ids'),
  );
  withPlanOptions(
    replicas
      .command('replace')
      .description('give the vote of replicas that lost their disks to what runs under their ids now')
      .argument('<id...>'),
  ).action((texts: readonly string[], _options: PlanOptions, self: Command) =>
    change(self, ids(texts, 'replace'), 'name replicas by their ids'),
  );
  withPlanOptions(
    replicas
      .command('promote')
      .description('give replicas that follow without a vote their vote; as replace, for those that are up')
      .argument('<id...>'),
  ).action((texts: readonly string[], _options: PlanOptions, self: Command) =>
    change(self, ids(texts, 'promote'), 'name replicas by their ids'),
  );
}

const withPlanOptions = (command: Command): Command =>
  withCommonOptions(
    command
      .option('--execute', 'do it; without this it is only shown')
      .option('--no-wait', 'with --execute: do not wait until it is done')
      .option(
        '--quorums <json>',
        'another quorum system, as in the settings: {"kind":"flexible","prepare":4,"accept":2}',
      )
      .option('--add <replica...>', 'also add these, in the same change')
      .option('--remove <id...>', 'also remove these, in the same change'),
  );

function idOf(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined;
}

function replicaOf(text: string): object | undefined {
  const found =
    /^([0-9]{1,10})@(?:\[([^\]\s]+)\]|([^:@\s[\]]+))(?::([0-9]{1,5}):([0-9]{1,5})(?::([0-9]{1,5}))?)?$/.exec(
      text,
    );
  if (found === null) return undefined;
  const [, id, bracketed, plain, peerPort, kafkaPort, httpPort] = found;
  const host = (bracketed ?? plain)!;
  if (peerPort === undefined) return { id: Number(id), host, ...PORTS };
  return {
    id: Number(id),
    host,
    peerPort: Number(peerPort),
    kafkaPort: Number(kafkaPort),
    ...(httpPort !== undefined && { httpPort: Number(httpPort) }),
  };
}

/** Further changes of the same plan; undefined when one cannot be read. */
function further(
  body: { readonly add?: readonly unknown[]; readonly remove?: readonly unknown[] },
  { add = [], remove = [], quorums }: PlanOptions,
): object | undefined {
  const added = add.map(replicaOf);
  const removed = remove.map(idOf);
  if ([...added, ...removed].includes(undefined)) return undefined;
  let system: unknown;
  if (quorums !== undefined) {
    try {
      system = JSON.parse(quorums);
    } catch {
      return undefined;
    }
  }
  return {
    ...body,
    add: [...(body.add ?? []), ...added],
    remove: [...(body.remove ?? []), ...removed],
    ...(system !== undefined && { quorums: system }),
  };
}

async function makeChange(around: CliSurroundings, options: PlanOptions, wanted: object): Promise<void> {
  const { execute = false, wait = true, json = false } = options;
  const body = further(wanted, options);
  if (body === undefined) return around.fail(`--add takes ${ADDRESSES}; --remove ids; --quorums JSON`, 2);
  await guarded(around, async () => {
    const admin = clientFor(around, options);
    const plan = await admin.request<ReplicaPlanJson>('POST', '/replicas/plan', { ...body, execute });
    if (!json) around.print(planText(plan));
    if (!execute || !wait) return void (json && around.print(JSON.stringify(plan, null, 2)));
    const after = await followed(admin, plan.number, json ? () => undefined : progressOver(around));
    around.print(json ? JSON.stringify(after, null, 2) : `\n${replicasText(after)}`);
    if (after.number !== plan.number) around.fail(`plan ${plan.number} was called off`, 1);
  });
}

async function guarded(around: CliSurroundings, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof AdminClientError)) throw error;
    around.fail(error.message, error.status === 0 ? 3 : 1);
  }
}

/** Looks at the plan until it has ended. A replica that does not answer now may be the one that goes. */
async function followed(
  admin: AdminClient,
  number: number,
  show: (plan: NonNullable<ReplicasJson['plan']>, waits: readonly string[]) => void,
): Promise<ReplicasJson> {
  for (;;) {
    const { plan, answer } = await looked(admin);
    if (plan?.plan.number !== number) return answer;
    show(plan.plan, plan.waits);
    await new Promise((resume) => setTimeout(resume, LOOK_EVERY_MS));
  }
}

/** The plan, with what all replicas say that it waits for: each knows it of the shards that it leads. */
async function looked(admin: AdminClient): Promise<{
  readonly answer: ReplicasJson;
  readonly plan:
    { readonly plan: NonNullable<ReplicasJson['plan']>; readonly waits: readonly string[] } | undefined;
}> {
  const answer = await admin.request<ReplicasJson>('GET', '/replicas');
  if (answer.plan === null) return { answer, plan: undefined };
  const said = await admin.everybody<ReplicasJson>('/replicas?stale');
  const waits = said
    .flatMap(({ plan }) => plan?.waits ?? [])
    .map(({ shard, reason }) => `shard ${shard}: ${reason}`);
  return { answer, plan: { plan: answer.plan, waits: [...new Set(waits)].sort() } };
}

async function showPlan(around: CliSurroundings, options: Common): Promise<void> {
  await guarded(around, async () => {
    const { answer, plan } = await looked(clientFor(around, options));
    if (options.json === true) return around.print(JSON.stringify(answer.plan, null, 2));
    if (plan === undefined) return around.print('No plan is under way.');
    around.print([progressText(plan.plan), ...plan.waits.map((wait) => `  ${wait}`)].join('\n'));
    around.print(`\n${membersTable(plan.plan.replicas)}`);
  });
}

async function list(ask: Ask, self: Command): Promise<void> {
  await ask(
    self.optsWithGlobals<Common>(),
    (admin) => admin.request<ReplicasJson>('GET', '/replicas'),
    replicasText,
  );
}

function progressOver(
  around: CliSurroundings,
): (plan: NonNullable<ReplicasJson['plan']>, waits: readonly string[]) => void {
  let told = '';
  return (plan, waits) => {
    const text = [progressText(plan), ...waits.map((wait) => `  ${wait}`)].join('\n');
    if (text !== told) around.print(text);
    told = text;
  };
}

const BAR = 20;
/** plan 3 (replace 3): preparing [##########----------] 4 of 8 shards are ready */
function progressText({
  number,
  what,
  phase,
  shards,
  ready,
  sealed,
}: NonNullable<ReplicasJson['plan']>): string {
  const done = phase === 'preparing' ? ready : sealed;
  const filled = Math.round((BAR * done) / shards);
  const bar = '#'.repeat(filled) + '-'.repeat(BAR - filled);
  const of = phase === 'preparing' ? 'have caught up' : 'have changed';
  return `plan ${number} (${what}): ${phase} [${bar}] ${done} of ${shards} shards ${of}`;
}

function planText({
  what,
  from,
  to,
  quorums,
  learns,
  movesShards,
  notes,
  executed,
}: ReplicaPlanJson): string {
  const lines = [
    `${what}: replicas ${from.join(', ')} -> ${to.join(', ')} (${quorums})`,
    ...learns.map(
      ({ id, up }) =>
        `  replica ${id} ${up ? 'catches up, then votes' : 'is not up yet; it catches up, then votes'}`,
    ),
    ...(movesShards.length === 0 ? [] : [`  the leaders of shards ${movesShards.join(', ')} move first`]),
    ...notes.map((note) => `  ${note}`),
    ...(executed ? [] : ['Nothing was changed. Add --execute to do it.']),
  ];
  return lines.join('\n');
}

function replicasText({ number, quorums, replicas, plan }: ReplicasJson): string {
  const head = `change ${number}, ${quorums}`;
  const under = plan === null ? [] : ['', progressText(plan)];
  return [head, '', membersTable(replicas), ...under].join('\n');
}

const membersTable = (replicas: readonly ReplicaJson[]): string =>
  table(
    ['REPLICA', 'STATE', 'LEADS', 'BEHIND', 'PEERS', 'KAFKA', 'HTTP', 'DISK'],
    replicas.map((each) => [
      each.id,
      stateOf(each),
      each.leads,
      each.entriesBehind ?? '-',
      each.peers,
      each.kafka,
      each.http ?? '-',
      each.disk === '' ? '-' : each.disk.slice(0, 8),
    ]),
  );

function stateOf({ up, votes, otherDisk }: ReplicaJson): string {
  if (!up) return 'DOWN';
  if (otherDisk) return 'up, ANOTHER DISK, NO VOTE';
  return votes ? 'up' : 'up, NO VOTE';
}
