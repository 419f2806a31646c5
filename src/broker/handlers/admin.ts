import { type GroupId, groupId, type ShardId, shardId, topicName } from '../../kernel/index.js';
import type { GroupDescription, GroupSummary, MachineView } from '../../machine/index.js';
import type { Coordinator } from '../../replica/index.js';
import { type ErrorCode, errorCode, type ReplyOf, type RequestOf } from '../../wire/index.js';
import type { BrokerContext, Handler } from '../context.js';
import { fewAtATime } from '../few-at-a-time.js';
import { unlessMissing } from '../late-topics.js';
import { NOT_COORDINATOR } from '../refusals.js';
import { settle, settleRead } from '../settle.js';
import { inSlices } from '../slices.js';

type Listed = ReplyOf<'ListGroups'>['groups'][number];
type Described = ReplyOf<'DescribeGroups'>['groups'][number];
const NO_BYTES = Buffer.alloc(0);
/** Kafka without access control: READ (bit 3), DELETE (6), DESCRIBE (8), DESCRIBE_CONFIGS (10), ALTER_CONFIGS (11). */
const GROUP_OPERATIONS = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11);

export const describeGroups: Handler<'DescribeGroups'> = (request, exchange, context) => {
  const { coordinator } = context;
  const groups: Described[] = [];
  const operations = request.includeAuthorizedOperations ? GROUP_OPERATIONS : undefined;
  const names = [...new Set(request.groups)];
  const shards = new Set(names.map((name) => coordinator.shardOf(groupId(name))));
  const leased = [...shards].filter((shard) => coordinator.leaseHolds(shard));
  let open = names.length;
  if (open === 0) return exchange.answer({ groups });
  names.forEach((name, index) => {
    const group = groupId(name);
    const answered = (each: Described): void => {
      groups[index] = each;
      if (--open > 0) return;
      exchange.answerUnderLease(leased, { groups }, () => ({
        groups: names.map((asked) => undescribed(asked, '', NOT_COORDINATOR)),
      }));
    };
    coordinator.read(
      coordinator.shardOf(group),
      settleRead(
        context,
        'read',
        (view) => {
          const found = description(group, view.groups.describe(group), exchange.version);
          answered(found.errorCode === 0 ? { ...found, authorizedOperations: operations } : found);
        },
        (code) => answered(undescribed(name, '', code)),
      ),
    );
  });
};

function undescribed(
  name: string,
  groupState: string,
  code: ErrorCode,
  message: string | null = null,
): Described {
  return {
    errorCode: code,
    errorMessage: message,
    groupId: name,
    groupState,
    protocolType: '',
    protocolData: '',
    members: [],
  };
}

function description(group: GroupId, found: GroupDescription | undefined, version: number): Described {
  if (found?.type !== 'classic') {
    // Kafka: KIP-1043. Older versions know no error for it: the group is "Dead".
    if (version < 6) return undescribed(group, 'Dead', 0);
    return undescribed(group, 'Dead', errorCode('GROUP_ID_NOT_FOUND'), `Group ${group} not found.`);
  }
  const stable = found.state === 'Stable';
  return {
    errorCode: 0,
    groupId: group,
    groupState: found.state,
    protocolType: found.protocolType,
    protocolData: stable ? (found.protocolName ?? '') : '',
    members: found.memberDetails.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      // Kafka: between two generations the last assignment is still shown.
      memberMetadata: stable ? member.metadata : NO_BYTES,
      memberAssignment: member.assignment,
    })),
  };
}

/**
 * Kafka: each broker lists the groups it coordinates; a client asks them all and joins the lists. While it is not known
 * that somebody lists each shard, the answer is an error that clients retry, and no list: a shorter one would be wrong.
 */
export const listGroups: Handler<'ListGroups'> = (request, exchange, context) => {
  const { coordinator, facts } = context;
  const unknown = (code: ErrorCode): void => exchange.answer({ errorCode: code, groups: [] });
  const wanted = (filter: readonly string[], value: string): boolean =>
    filter.length === 0 || filter.some((each) => each.toLowerCase() === value.toLowerCase());
  const groups: Listed[] = [];
  const shards = Array.from({ length: coordinator.shards }, (_, shard) => shardId(shard));
  const collect = ({ group, protocolType, state, type }: GroupSummary): void => {
    if (wanted(request.statesFilter, state) && wanted(request.typesFilter, type))
      groups.push({ groupId: group, protocolType, groupState: state, groupType: type });
  };
  const served = shards.filter((shard) => coordinator.serves(shard));
  const lost = shards.find((shard) => !coordinator.serves(shard) && !facts.settledElsewhere(shard));
  if (lost !== undefined) return unknown(LISTED_NOWHERE[whoLeads(lost, coordinator)]);
  const views: MachineView[] = [];
  let open = served.length;
  // One list after the other: those of all shards side by side would hold the loop for a slice of each.
  const finish = (): void =>
    views.length < served.length
      ? unknown(LISTED_NOWHERE.nobody)
      : inSlices(context.clock, summariesIn(views), collect, () => exchange.answer({ errorCode: 0, groups }));
  const heard = (): void => {
    if (--open === 0) finish();
  };
  if (open === 0) return finish();
  for (const shard of served) {
    const listed = (view: MachineView): void => {
      views.push(view);
      heard();
    };
    coordinator.read(shard, settleRead(context, 'read', listed, heard));
  }
};

function* summariesIn(views: readonly MachineView[]): Iterable<GroupSummary> {
  for (const { groups } of views) yield* groups.list();
}

/** 14: this replica leads the shard and does not serve it yet. 15: who leads it is not known, or has just changed. */
const LISTED_NOWHERE = {
  self: errorCode('COORDINATOR_LOAD_IN_PROGRESS'),
  nobody: errorCode('COORDINATOR_NOT_AVAILABLE'),
} as const;
const whoLeads = (shard: ShardId, coordinator: Coordinator): keyof typeof LISTED_NOWHERE =>
  coordinator.leaderOf(shard) === coordinator.self ? 'self' : 'nobody';

export const deleteGroups: Handler<'DeleteGroups'> = (request, exchange, context) => {
  const { coordinator } = context;
  const results: { groupId: string; errorCode: number }[] = [];
  let open = request.groupsNames.length;
  if (open === 0) return exchange.answer({ results });
  const decided = ({ index, group }: Named, code: ErrorCode): void => {
    results[index] = { groupId: group, errorCode: code };
    if (--open === 0) exchange.answer({ results });
  };
  // Kafka: the group with the empty name can be made by a commit, so it can be deleted.
  const named = request.groupsNames.map((name, index): Named => ({ group: groupId(name), index }));
  thoseThereAre(named, context, decided, (there) => {
    fewAtATime(there, (each, settled) => {
      const end = (code: ErrorCode): void => {
        decided(each, code);
        settled();
      };
      const { group } = each;
      const outcome = settle(context, 'commit', ['delete'], ({ error }) => end(errorCode(error)), end);
      coordinator.submit(coordinator.shardOf(group), { kind: 'group.delete', group }, outcome);
    });
  });
};

/** A group, and its place in the request. */
interface Named {
  readonly group: GroupId;
  readonly index: number;
}

/** One read of each shard finds the names that no group has: no command goes through the log for them. */
function thoseThereAre(
  named: readonly Named[],
  context: BrokerContext,
  decided: (each: Named, code: ErrorCode) => void,
  done: (there: readonly Named[]) => void,
): void {
  const { coordinator } = context;
  const byShard = new Map<ShardId, Named[]>();
  for (const each of named) {
    const shard = coordinator.shardOf(each.group);
    const others = byShard.get(shard);
    if (others === undefined) byShard.set(shard, [each]);
    else others.push(each);
  }
  const there: Named[] = [];
  let unread = byShard.size;
  const wasRead = (): void => {
    if (--unread === 0) done(there.sort((a, b) => a.index - b.index));
  };
  for (const [shard, ofShard] of byShard) {
    const found = ({ groups }: MachineView): void => {
      for (const each of ofShard)
        if (groups.has(each.group)) there.push(each);
        else decided(each, errorCode('GROUP_ID_NOT_FOUND'));
      wasRead();
    };
    const refused = (code: ErrorCode): void => {
      for (const each of ofShard) decided(each, code);
      wasRead();
    };
    coordinator.read(shard, settleRead(context, 'commit', found, refused));
  }
}

/** Kafka's numbers for what a setting belongs to. */
const RESOURCE = { topic: 2, broker: 4, group: 32 } as const;
type ConfigsResult = ReplyOf<'DescribeConfigs'>['results'][number];

/** The cluster's settings under Kafka's names, as far as Kafka has one. Topics have Kafka's defaults, groups none. */
export const describeConfigs: Handler<'DescribeConfigs'> = (request, exchange, context) => {
  const resources = new Map(
    request.resources.map((each) => [`${each.resourceType} ${each.resourceName}`, each]),
  );
  const missing = [...resources.values()].some(
    ({ resourceType, resourceName: name }) =>
      resourceType === RESOURCE.topic && context.facts.topics.byName(topicName(name)) === undefined,
  );
  unlessMissing(context, missing, () =>
    exchange.answer({ results: [...resources.values()].map((resource) => configsOf(resource, context)) }),
  );
};

function configsOf(
  { resourceType, resourceName, configurationKeys }: RequestOf<'DescribeConfigs'>['resources'][number],
  context: BrokerContext,
): ConfigsResult {
  const result = (code: ErrorCode, errorMessage: string | null, configs: ConfigsResult['configs']) => ({
    errorCode: code,
    errorMessage,
    resourceType,
    resourceName,
    configs,
  });
  const wanted = (configs: ConfigsResult['configs']): ConfigsResult['configs'] =>
    configs.filter(({ name }) => configurationKeys?.includes(name) ?? true);
  switch (resourceType) {
    case RESOURCE.topic:
      return context.facts.topics.byName(topicName(resourceName)) === undefined
        ? result(errorCode('UNKNOWN_TOPIC_OR_PARTITION'), `there is no topic "${resourceName}"`, [])
        : result(0, null, wanted(topicConfigs()));
    case RESOURCE.group:
      return result(0, null, []);
    case RESOURCE.broker: {
      const known =
        resourceName === '' || context.facts.brokers().some(({ id }) => String(id) === resourceName);
      if (!known) return result(errorCode('INVALID_REQUEST'), `there is no replica "${resourceName}"`, []);
      return result(0, null, wanted(brokerConfigs(context)));
    }
    default:
      return result(errorCode('INVALID_REQUEST'), `resource type ${resourceType} has no settings here`, []);
  }
}

function brokerConfigs({ coordinator, settings }: BrokerContext): ConfigsResult['configs'] {
  const { groupSettings: group } = coordinator;
  const values: Readonly<Record<string, string | number | boolean>> = {
    'auto.create.topics.enable': settings.autoCreateTopics.enabled,
    'connections.max.idle.ms': settings.connectionIdleMs,
    'default.replication.factor': coordinator.brokers().length,
    'delete.topic.enable': true,
    'group.initial.rebalance.delay.ms': group.initialDelayMsMax,
    'group.max.session.timeout.ms': group.sessionTimeoutMsMax,
    'group.max.size': group.groupSizeMax,
    'group.min.session.timeout.ms': group.sessionTimeoutMsMin,
    'max.connections': settings.connectionsMax,
    'num.partitions': settings.topicPartitionsDefault,
    'offset.metadata.max.bytes': group.offsetMetadataBytesMax,
    'offsets.retention.minutes': Math.round(group.offsetsRetentionMs / 60_000),
    'socket.request.max.bytes': settings.frameBytesMax,
  };
  return readOnly(values, CONFIG_SOURCE.broker);
}

/** Kafka's defaults, which user interfaces look for. They are about records: nothing here depends on them. */
const topicConfigs = (): ConfigsResult['configs'] =>
  readOnly(
    {
      'cleanup.policy': 'delete',
      'compression.type': 'producer',
      'max.message.bytes': 1_048_588,
      'message.timestamp.type': 'CreateTime',
      'min.insync.replicas': 1,
      'retention.bytes': -1,
      'retention.ms': 604_800_000,
      'segment.bytes': 1_073_741_824,
    },
    CONFIG_SOURCE.builtIn,
  );

/** Kafka: STATIC_BROKER_CONFIG, from the file a replica was started with, and DEFAULT_CONFIG. */
const CONFIG_SOURCE = { broker: 4, builtIn: 5 } as const;

const readOnly = (
  values: Readonly<Record<string, string | number | boolean>>,
  configSource: number,
): ConfigsResult['configs'] =>
  Object.entries(values).map(([name, value]) => ({
    name,
    value: String(value),
    readOnly: true,
    configSource,
    isSensitive: false,
    synonyms: [],
  }));

/** No setting can be changed over the wire yet: each one asked for is refused by its name. */
export const incrementalAlterConfigs: Handler<'IncrementalAlterConfigs'> = (request, exchange) => {
  exchange.answer({
    responses: request.resources.map(({ resourceType, resourceName, configs }) => {
      const refused = configs.map(({ name }) => `"${name}"`).join(', ');
      const known = Object.values(RESOURCE).some((type) => type === resourceType);
      const common = { resourceType, resourceName };
      if (!known) {
        const errorMessage = `resource type ${resourceType} has no settings here`;
        return { ...common, errorCode: errorCode('INVALID_REQUEST'), errorMessage };
      }
      if (configs.length === 0) return { ...common, errorCode: 0, errorMessage: null };
      const errorMessage = `cannot be set over the wire: ${refused}; settings are in the configuration of the replicas`;
      return { ...common, errorCode: errorCode('INVALID_CONFIG'), errorMessage };
    }),
  });
};
