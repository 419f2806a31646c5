import { groupId, type ShardId, topicId, topicName } from '../../kernel/index.js';
import { type Topic, topicNameProblem } from '../../machine/index.js';
import type { BrokerAddress } from '../../replica/index.js';
import { advertisedVersions, errorCode, NO_UUID, type ReplyOf, type RequestOf } from '../../wire/index.js';
import { PartitionLeaders } from '../cluster-facts.js';
import type { BrokerContext, Handler } from '../context.js';
import type { ExchangeOwner } from '../exchange.js';
import { unlessMissing } from '../late-topics.js';

/** Answered by every replica for the whole cluster (docs/clients.md#every-replica-answers). */

const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

export const apiVersions: Handler<'ApiVersions'> = (request, exchange) => {
  // Kafka: KIP-511. From v3 on a client must say what it is.
  const named = [request.clientSoftwareName, request.clientSoftwareVersion];
  if (exchange.version >= 3 && !named.every((name) => SOFTWARE_NAME.test(name)))
    return exchange.answer({ errorCode: errorCode('INVALID_REQUEST'), apiKeys: [] });
  exchange.owner.named(request.clientSoftwareName);
  // No features: group.version would promise the consumer group protocol (KIP-848), and keys 68 and 69 are not answered.
  exchange.answer({ errorCode: 0, apiKeys: advertisedVersions() });
};

const GROUP = 0;

/** Who coordinates what at the moment of one request: looked up once a shard, not once a group. */
class ShardLeaders {
  readonly #context: BrokerContext;
  readonly #known = new Map<ShardId, BrokerAddress | undefined>();

  constructor(context: BrokerContext) {
    this.#context = context;
  }
  of(group: string): BrokerAddress | undefined {
    const { coordinator, facts } = this.#context;
    const shard = coordinator.shardOf(groupId(group));
    if (!this.#known.has(shard)) this.#known.set(shard, facts.leaderOf(shard));
    return this.#known.get(shard);
  }
}

export const findCoordinator: Handler<'FindCoordinator'> = (request, exchange, context) => {
  // v4 asks for many at once, and the answer moves into an array (docs/clients.md#fields-that-move).
  if (exchange.version >= 4) {
    const { coordinatorKeys, keyType } = request;
    const leaders = new ShardLeaders(context);
    return exchange.answer({
      coordinators: coordinatorKeys.map((key) => found(key, keyType, leaders, exchange.owner)),
    });
  }
  exchange.answer(found(request.key, request.keyType, new ShardLeaders(context), exchange.owner));
};

function found(key: string, keyType: number, leaders: ShardLeaders, client: ExchangeOwner) {
  const nowhere = { key, nodeId: -1, host: '', port: -1 };
  if (keyType !== GROUP) {
    const errorMessage =
      keyType === 1
        ? 'Quorate has no transactions: it coordinates consumer groups.'
        : `Quorate coordinates consumer groups (key type 0), not key type ${keyType}.`;
    return { ...nowhere, errorCode: errorCode('INVALID_REQUEST'), errorMessage };
  }
  const leader = leaders.of(key);
  if (leader === undefined) {
    const errorMessage = 'no replica leads the shard of this group at the moment';
    return { ...nowhere, errorCode: errorCode('COORDINATOR_NOT_AVAILABLE'), errorMessage };
  }
  const { host, port } = client.addressOf(leader);
  return { key, nodeId: leader.id, host, port, errorCode: 0, errorMessage: null };
}

type AskedTopic = NonNullable<RequestOf<'Metadata'>['topics']>[number];
type TopicReply = NonNullable<ReplyOf<'Metadata'>['topics']>[number];

export const metadata: Handler<'Metadata'> = (request, exchange, context) => {
  const { coordinator, facts } = context;
  const { version } = exchange;
  const reply = (topics: readonly TopicReply[]): void => {
    const brokers = facts.brokers();
    exchange.answer({
      brokers: brokers.map((broker) => {
        const { host, port } = exchange.owner.addressOf(broker);
        return { nodeId: broker.id, host, port };
      }),
      clusterId: coordinator.clusterId,
      controllerId: facts.controllerId(brokers),
      topics,
    });
  };
  const leaders = new PartitionLeaders(coordinator.brokers());
  // v0 asks for all with an empty list, later versions with null.
  if (request.topics === null || (version === 0 && request.topics.length === 0))
    return reply(facts.topics.all().map((topic) => described(topic, leaders, context)));
  // Kafka: each once, however often it is asked for.
  const asking = [...new Map(request.topics.map((asked) => [asked.name ?? asked.topicId, asked])).values()];
  const topics: TopicReply[] = [];
  let open = asking.length;
  if (open === 0) return reply([]);
  const settle = (index: number, topic: TopicReply): void => {
    topics[index] = topic;
    if (--open === 0) reply(topics);
  };
  const creates = ({ name }: AskedTopic): boolean =>
    name !== null && request.allowAutoTopicCreation && context.creation.allows(topicName(name));
  const answerFor = (asked: AskedTopic, index: number): void => {
    const topic = lookUp(asked, context);
    if (topic !== undefined) return settle(index, described(topic, leaders, context));
    // Kafka: also where no topic would be made.
    if (asked.name !== null && topicNameProblem(asked.name) !== undefined)
      return settle(index, {
        errorCode: errorCode('INVALID_TOPIC_EXCEPTION'),
        name: asked.name,
        partitions: [],
      });
    if (asked.name === null || !creates(asked)) return settle(index, unknown(asked, version));
    context.creation.create(topicName(asked.name), (outcome) =>
      settle(
        index,
        outcome.kind === 'created'
          ? described(outcome.topic, leaders, context)
          : { errorCode: errorCode(outcome.error), name: asked.name, partitions: [] },
      ),
    );
  };
  const missing = asking.some(
    (asked) =>
      lookUp(asked, context) === undefined &&
      !creates(asked) &&
      (asked.name === null || topicNameProblem(asked.name) === undefined),
  );
  unlessMissing(context, missing, () => asking.forEach(answerFor));
};

function lookUp({ name, topicId: id }: AskedTopic, { facts }: BrokerContext): Topic | undefined {
  return name === null ? facts.topics.byId(topicId(id)) : facts.topics.byName(topicName(name));
}
function unknown({ name, topicId: id }: AskedTopic, version: number): TopicReply {
  if (name !== null)
    return { errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'), name, topicId: NO_UUID, partitions: [] };
  // Versions before 12 must not carry a null name.
  return {
    errorCode: errorCode('UNKNOWN_TOPIC_ID'),
    name: version >= 12 ? null : '',
    topicId: id,
    partitions: [],
  };
}

/** A replica that is down, or follows without a vote, is not in sync: the partition is under-replicated. */
function described(topic: Topic, leaders: PartitionLeaders, { coordinator }: BrokerContext): TopicReply {
  const all = coordinator.brokers();
  const inSync = all.filter(({ up, votes }) => up && votes !== false).map(({ id }) => id);
  const offlineReplicas = all.filter(({ up }) => !up).map(({ id }) => id);
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    partitions: Array.from({ length: topic.partitions }, (_, partitionIndex) => {
      const leaderId = leaders.of(topic.name, partitionIndex);
      const leaderFirst = (ids: readonly number[]) => [leaderId, ...ids.filter((id) => id !== leaderId)];
      const replicaNodes = leaderFirst(all.map(({ id }) => id));
      const isrNodes = leaderFirst(inSync);
      // The leader epoch stays -1 (the default): otherwise Java validates positions (docs/clients.md#leader-epochs).
      return { errorCode: 0, partitionIndex, leaderId, replicaNodes, isrNodes, offlineReplicas };
    }),
  };
}

const BROKERS = 1;

export const describeCluster: Handler<'DescribeCluster'> = (request, exchange, context) => {
  const { coordinator, facts } = context;
  const brokers = facts.brokers();
  const common = { clusterId: coordinator.clusterId, endpointType: request.endpointType };
  if (request.endpointType !== BROKERS) {
    return exchange.answer({
      ...common,
      errorCode: errorCode('MISMATCHED_ENDPOINT_TYPE'),
      errorMessage: 'this is the endpoint of a broker',
      brokers: [],
    });
  }
  exchange.answer({
    ...common,
    errorCode: 0,
    controllerId: facts.controllerId(brokers),
    brokers: brokers.map((broker) => {
      const { host, port } = exchange.owner.addressOf(broker);
      return { brokerId: broker.id, host, port };
    }),
  });
};
