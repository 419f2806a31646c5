import { topicId, type TopicName, topicName } from '../../kernel/index.js';
import {
  type Topic,
  type TopicCommand,
  topicCountProblem,
  topicNameProblem,
  topicToDelete,
  type TopicReply,
  type TopicsView,
} from '../../machine/index.js';
import { errorCode, type ErrorName, NO_UUID, type RequestOf } from '../../wire/index.js';
import { FACTS } from '../cluster-facts.js';
import type { BrokerContext, Handler } from '../context.js';
import { fewAtATime } from '../few-at-a-time.js';
import { settle } from '../settle.js';
import { inSlices } from '../slices.js';

/** What became of one topic of a request. */
type TopicVerdict =
  | { readonly kind: 'done'; readonly topic: Topic }
  | { readonly kind: 'failed'; readonly code: number; readonly message: string };

const failure = (error: ErrorName, message: string): TopicVerdict => ({
  kind: 'failed',
  code: errorCode(error),
  message,
});
const verdictFields = (verdict: TopicVerdict): { errorCode: number; errorMessage: string | null } =>
  verdict.kind === 'done'
    ? { errorCode: 0, errorMessage: null }
    : { errorCode: verdict.code, errorMessage: verdict.message };

/** Decided here, or by a command at the leader of shard 0: any replica serves any admin client. */
type Decision = TopicVerdict | { readonly kind: 'submit'; readonly command: TopicCommand };

function decideAll(
  decisions: readonly Decision[],
  context: BrokerContext,
  done: (verdicts: readonly TopicVerdict[]) => void,
): void {
  const verdicts: TopicVerdict[] = [];
  let open = decisions.length;
  if (open === 0) return done(verdicts);
  const decided = (index: number, verdict: TopicVerdict): void => {
    verdicts[index] = verdict;
    if (--open === 0) done(verdicts);
  };
  const toSubmit: { readonly index: number; readonly command: TopicCommand }[] = [];
  decisions.forEach((decision, index) => {
    if (decision.kind === 'submit') toSubmit.push({ index, command: decision.command });
    else decided(index, decision);
  });
  fewAtATime(toSubmit, ({ index, command }, settled) => {
    const finish = (verdict: TopicVerdict): void => {
      decided(index, verdict);
      settled();
    };
    const done = (reply: TopicReply): void =>
      finish(
        reply.error === 'NONE' ? { kind: 'done', topic: reply.topic } : failure(reply.error, reply.message),
      );
    const refused = (code: number): void =>
      finish({ kind: 'failed', code, message: 'the cluster could not decide it now; try again' });
    context.coordinator.submitAnywhere(FACTS, command, settle(context, 'topics', ['topic'], done, refused));
  });
}

/** Names that appear more than once in a request: Kafka refuses each of them. */
function repeated(names: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const name of names) (seen.has(name) ? twice : seen).add(name);
  return twice;
}
const twice = (name: string): TopicVerdict =>
  failure('INVALID_REQUEST', `"${name}" appears more than once in the request`);

type NewTopic = RequestOf<'CreateTopics'>['topics'][number];

/** Replication factor and configuration are about records; they are taken and change nothing. */
export const createTopics: Handler<'CreateTopics'> = (request, exchange, context) => {
  const doubled = repeated(request.topics.map(({ name }) => name));
  let topics = context.facts.topics.size;
  const decisions: Decision[] = [];
  const decide = (asked: NewTopic): void => {
    if (doubled.has(asked.name)) return void decisions.push(twice(asked.name));
    const decision = creation(asked, { topics, validateOnly: request.validateOnly }, context);
    if (decision.kind === 'submit' && context.facts.topics.byName(topicName(asked.name)) === undefined)
      topics++;
    decisions.push(decision);
  };
  const answer = (verdicts: readonly TopicVerdict[]): void => {
    const replicas = context.coordinator.brokers().length;
    exchange.answer({
      topics: request.topics.map(({ name }, index) => {
        const verdict = verdicts[index]!;
        const fields = { name, ...verdictFields(verdict) };
        if (verdict.kind === 'failed') return { ...fields, configs: [] };
        const { id, partitions } = verdict.topic;
        return {
          ...fields,
          topicId: request.validateOnly ? NO_UUID : id,
          numPartitions: partitions,
          replicationFactor: replicas,
          configs: [],
        };
      }),
    });
  };
  inSlices(context.clock, request.topics, decide, () => decideAll(decisions, context, answer));
};

function creation(
  asked: NewTopic,
  { topics, validateOnly }: { readonly topics: number; readonly validateOnly: boolean },
  context: BrokerContext,
): Decision {
  const { settings, facts, coordinator } = context;
  const name = topicName(asked.name);
  const problem = topicNameProblem(name);
  if (problem !== undefined) return failure('INVALID_TOPIC_EXCEPTION', problem);
  if (asked.assignments.length > 0 && asked.numPartitions !== -1)
    return failure('INVALID_REQUEST', 'give a partition count or an assignment, not both');
  const wanted = asked.assignments.length > 0 ? asked.assignments.length : asked.numPartitions;
  const partitions = wanted === -1 ? settings.topicPartitionsDefault : wanted;
  const tooMany = partitionsProblem(partitions, settings.topicPartitionsMax);
  const exists = facts.topics.byName(name) !== undefined;
  // Kafka: that the topic exists comes before what is wrong with its partitions.
  if (exists && (validateOnly || tooMany !== undefined))
    return failure('TOPIC_ALREADY_EXISTS', `topic "${name}" exists already`);
  if (tooMany !== undefined) return tooMany;
  const full = exists ? undefined : topicCountProblem(topics, settings.topicsMax);
  if (full !== undefined) return failure('POLICY_VIOLATION', full);
  if (validateOnly) return { kind: 'done', topic: { name, id: topicId(NO_UUID), partitions } };
  const partitionsMax = settings.topicPartitionsMax;
  return {
    kind: 'submit',
    command: { kind: 'topic.create', name, newId: topicId(coordinator.uuid()), partitions, partitionsMax },
  };
}

function partitionsProblem(partitions: number, most: number): TopicVerdict | undefined {
  if (partitions >= 1 && partitions <= most) return undefined;
  return failure('INVALID_PARTITIONS', `a topic has 1 to ${most} partitions, not ${partitions}`);
}

interface TopicToDelete {
  readonly name: string | null;
  readonly id: string;
}

export const deleteTopics: Handler<'DeleteTopics'> = (request, exchange, context) => {
  // v6 names topics by name or by id, each in an object; older versions only list names (docs/clients.md#fields-that-move).
  const asked: readonly TopicToDelete[] =
    exchange.version >= 6
      ? request.topics.map(({ name, topicId: id }) => ({ name, id }))
      : request.topicNames.map((name) => ({ name, id: NO_UUID }));
  const doubled = repeated(asked.flatMap(({ name }) => (name === null ? [] : [name])));
  const answer = (verdicts: readonly TopicVerdict[]): void =>
    exchange.answer({
      responses: asked.map(({ name, id }, index) => {
        const verdict = verdicts[index]!;
        const fields = verdictFields(verdict);
        if (verdict.kind === 'done')
          return { name: verdict.topic.name, topicId: verdict.topic.id, ...fields };
        return { name, topicId: id, ...fields };
      }),
    });
  withoutMissing(
    asked.map((topic) => deletion(topic, doubled)),
    context,
    (decisions) => decideAll(decisions, context, answer),
  );
};

/**
 * Which topics are missing is read once for all of them, so that no command goes through the log for each. Those that are there
 * as far as this replica knows need no read.
 */
function withoutMissing(
  decisions: readonly Decision[],
  { coordinator, facts }: BrokerContext,
  done: (decisions: readonly Decision[]) => void,
): void {
  const isMissing = (decision: Decision, topics: TopicsView): boolean =>
    decision.kind === 'submit' &&
    decision.command.kind === 'topic.delete' &&
    'error' in topicToDelete(topics, decision.command);
  if (!decisions.some((decision) => isMissing(decision, facts.topics))) return done(decisions);
  coordinator.readAnywhere(FACTS, (outcome) => {
    // Refused: the commands find it out.
    if (outcome.kind !== 'ok') return done(decisions);
    const { topics } = outcome.view;
    done(
      decisions.map((decision) => {
        if (decision.kind !== 'submit' || decision.command.kind !== 'topic.delete') return decision;
        const topic = topicToDelete(topics, decision.command);
        return 'error' in topic ? failure(topic.error, topic.message) : decision;
      }),
    );
  });
}

function deletion({ name, id }: TopicToDelete, doubled: ReadonlySet<string>): Decision {
  if (name !== null && doubled.has(name)) return twice(name);
  if (name !== null && id !== NO_UUID)
    return failure('INVALID_REQUEST', 'give the name or the id of the topic, not both');
  if (name === null && id === NO_UUID)
    return failure('INVALID_REQUEST', 'give the name or the id of the topic');
  const command: TopicCommand =
    name === null
      ? { kind: 'topic.delete', name: topicName(''), id: topicId(id) }
      : { kind: 'topic.delete', name: topicName(name), id: topicId('') };
  return { kind: 'submit', command };
}

export const createPartitions: Handler<'CreatePartitions'> = (request, exchange, context) => {
  const doubled = repeated(request.topics.map(({ name }) => name));
  const decisions = request.topics.map(({ name, count, assignments }): Decision => {
    if (doubled.has(name)) return twice(name);
    const known = context.facts.topics.byName(topicName(name));
    if (assignments !== null && known !== undefined && assignments.length !== count - known.partitions)
      return failure(
        'INVALID_REPLICA_ASSIGNMENT',
        'the assignment must name every new partition and no other',
      );
    return addition(topicName(name), count, request.validateOnly, context);
  });
  decideAll(decisions, context, (verdicts) => {
    exchange.answer({
      results: request.topics.map(({ name }, index) => ({ name, ...verdictFields(verdicts[index]!) })),
    });
  });
};

function addition(name: TopicName, count: number, validateOnly: boolean, context: BrokerContext): Decision {
  const { settings, facts } = context;
  const topic = facts.topics.byName(name);
  const unknown = failure('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${name}"`);
  const tooMany = partitionsProblem(count, settings.topicPartitionsMax);
  // Kafka: that there is no such topic comes first.
  if (tooMany !== undefined) return topic === undefined ? unknown : tooMany;
  const partitionsMax = settings.topicPartitionsMax;
  if (!validateOnly)
    return {
      kind: 'submit',
      command: { kind: 'topic.addPartitions', name, partitions: count, partitionsMax },
    };
  if (topic === undefined) return unknown;
  if (count <= topic.partitions)
    return failure('INVALID_PARTITIONS', `topic "${name}" has ${topic.partitions} partitions already`);
  return { kind: 'done', topic: { ...topic, partitions: count } };
}
