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
import { shardsText } from './words.js';

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
  readonly instead?: boolean;
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
    replicas
      .command('cancel')
      .description('call the plan off; once shards seal, lead them back to the replicas there were')
      .option('--execute', 'of a plan that seals: do it; without this it is only shown')
      .option('--no-wait', 'with --execute: do not wait until it is done'),
  ).action((_options: PlanOptions, self: Command) => cancel(around, self.optsWithGlobals<PlanOptions>()));
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
      .option('--instead', 'in the place of the plan that seals: what is to change of its replicas')
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
  { add = [], remove = [], quorums, instead }: PlanOptions,
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
    ...(instead === true && { instead }),
  };
}

async function makeChange(around: CliSurroundings, options: PlanOptions, wanted: object): Promise<void> {
  const body = further(wanted, options);
  if (body === undefined) return around.fail(`--add takes ${ADDRESSES}; --remove ids; --quorums JSON`, 2);
  await guarded(around, () => plannedChange(around, options, body));
}

/** A plan that prepares is called off at once: nothing has changed. From one that seals another plan leads back. */
async function cancel(around: CliSurroundings, options: PlanOptions): Promise<void> {
  await guarded(around, async () => {
    const admin = clientFor(around, options);
    const { plan } = await admin.request<ReplicasJson>('GET', '/replicas');
    if (plan?.phase === 'sealing') {
      if (options.json !== true) around.print(`${progressText(plan)}\nIt can only be led back:`);
      return plannedChange(around, options, { back: true });
    }
    const after = await admin.request<ReplicasJson>('DELETE', '/replicas/plan');
    around.print(
      options.json === true
        ? JSON.stringify(after, null, 2)
        : `the plan is called off\n\n${replicasText(after)}`,
    );
  });
}

async function plannedChange(around: CliSurroundings, options: PlanOptions, body: object): Promise<void> {
  const { execute = false, wait = true, json = false } = options;
  const admin = clientFor(around, options);
  const plan = await admin.request<ReplicaPlanJson>('POST', '/replicas/plan', { ...body, execute });
  if (!json) around.print(planText(plan));
  if (!execute || !wait) return void (json && around.print(JSON.stringify(plan, null, 2)));
  const after = await followed(admin, plan.number, json ? () => undefined : progressOver(around));
  around.print(json ? JSON.stringify(after, null, 2) : `\n${replicasText(after)}`);
  if (after.number !== plan.number) around.fail(endedOtherwise(plan.number, after), 1);
}

const endedOtherwise = (number: number, { plan }: ReplicasJson): string =>
  plan === null
    ? `plan ${number} was called off`
    : `plan ${plan.number} has taken the place of plan ${number}`;

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

/** What shard 0 says; where nobody leads it, as a replica knows it. */
async function known(admin: AdminClient): Promise<ReplicasJson> {
  try {
    return await admin.request<ReplicasJson>('GET', '/replicas');
  } catch (error) {
    if (!(error instanceof AdminClientError) || error.status !== 503) throw error;
    return admin.request<ReplicasJson>('GET', '/replicas?stale');
  }
}

/** The plan, with what all replicas say that it waits for: each knows it of the shards that it leads. */
async function looked(admin: AdminClient): Promise<{
  readonly answer: ReplicasJson;
  readonly plan:
    { readonly plan: NonNullable<ReplicasJson['plan']>; readonly waits: readonly string[] } | undefined;
}> {
  const answer = await known(admin);
  if (answer.plan === null) return { answer, plan: undefined };
  const said = await admin.everybody<ReplicasJson>('/replicas?stale');
  return {
    answer,
    plan: { plan: answer.plan, waits: waitsText(said.flatMap(({ plan }) => plan?.waits ?? [])) },
  };
}

/** shards 0, 2-4: replica 4 has not caught up */
function waitsText(waits: readonly { readonly shard: number; readonly reason: string }[]): readonly string[] {
  const byReason = new Map<string, Set<number>>();
  for (const { shard, reason } of waits)
    byReason.set(reason, (byReason.get(reason) ?? new Set<number>()).add(shard));
  return [...byReason].map(([reason, shards]) => {
    const all = [...shards].sort((a, b) => a - b);
    return `${shardsText(all)}: ${reason}`;
  });
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
  since,
  instead,
}: NonNullable<ReplicasJson['plan']>): string {
  const done = phase === 'preparing' ? ready : sealed;
  const filled = Math.round((BAR * done) / shards);
  const bar = '#'.repeat(filled) + '-'.repeat(BAR - filled);
  const of = phase === 'preparing' ? 'have caught up' : 'have changed';
  const begun = typeof since !== 'string' ? '' : `, since ${since}`;
  const stays =
    instead === null || instead === undefined
      ? ''
      : `\n  until it seals, quorate replicas cancel lets plan ${instead.number} (${instead.what}) go on`;
  return `plan ${number} (${what})${begun}: ${phase} [${bar}] ${done} of ${shards} shards ${of}${stays}`;
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
