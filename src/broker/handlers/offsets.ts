import {
  generation,
  type GroupId,
  groupId,
  instanceId,
  memberId,
  topicId,
  type TopicName,
  topicName,
} from '../../kernel/index.js';
import type { CommittedOffset, GroupsView, OffsetToCommit, Topic } from '../../machine/index.js';
import { errorCode, fitsString, NO_UUID, type ReplyOf, type RequestOf } from '../../wire/index.js';
import type { BrokerContext, Handler } from '../context.js';
import type { Exchange, Leased } from '../exchange.js';
import { NOT_COORDINATOR } from '../refusals.js';
import { unlessMissing } from '../late-topics.js';
import { settle, settleRead } from '../settle.js';
import { inSlices } from '../slices.js';

/** Goes to the machine, which will give its verdict. */
const ASKED = Number.NaN;

export const offsetCommit: Handler<'OffsetCommit'> = (request, exchange, context) => {
  // Bytes that are not UTF-8 grow when they are written back: no group that could never be listed.
  if (!fitsString(request.groupId)) {
    const codes = request.topics.flatMap(({ partitions }) =>
      partitions.map(() => errorCode('INVALID_GROUP_ID')),
    );
    return exchange.answer(commitReply(request, codes, () => 0));
  }
  const byId = exchange.version >= 10;
  const check = (certain: boolean): CheckedCommit => checkCommit(request, byId, context, certain);
  const checked = check(true);
  unlessMissing(context, checked.missing, (certain) =>
    commit(request, exchange, context, checked.missing ? check(certain) : checked),
  );
};

interface CheckedCommit {
  readonly offsets: readonly OffsetToCommit[];
  /** One a partition, in the order of the request; the codes of the machine come into the gaps. */
  readonly codes: readonly number[];
  /** As far as was applied here there is no such topic. */
  readonly missing: boolean;
}

/** What needs no command. `certain`: a topic that is not known here is known nowhere. */
function checkCommit(
  request: RequestOf<'OffsetCommit'>,
  byId: boolean,
  context: BrokerContext,
  certain: boolean,
): CheckedCommit {
  const { topics } = context.facts;
  const offsets: OffsetToCommit[] = [];
  const codes: number[] = [];
  let missing = false;
  for (const asked of request.topics) {
    const topic = byId ? topics.byId(topicId(asked.topicId)) : topics.byName(topicName(asked.name));
    for (const partition of asked.partitions) {
      const index = partition.partitionIndex;
      const unknown = unknownProblem(context, topic, index, byId);
      const wasDeleted =
        unknown !== undefined &&
        request.generationIdOrMemberEpoch >= 0 &&
        context.facts.wasDeleted(byId ? topicId(asked.topicId) : topicName(asked.name), index);
      missing ||= unknown !== undefined;
      const told = wasDeleted ? errorCode('NONE') : unknown;
      const problem =
        unknown === undefined
          ? ownerProblem(context, request, topic?.name ?? topicName(asked.name), index)
          : certain
            ? told
            : errorCode('COORDINATOR_LOAD_IN_PROGRESS');
      codes.push(problem ?? ASKED);
      if (problem !== undefined) continue;
      offsets.push({
        topic: topic?.name ?? topicName(asked.name),
        topicId: topic?.id ?? null,
        partition: index,
        offset: partition.committedOffset,
        leaderEpoch: partition.committedLeaderEpoch,
        metadata: partition.committedMetadata ?? '',
      });
    }
  }
  return { offsets, codes, missing };
}

function commit(
  request: RequestOf<'OffsetCommit'>,
  exchange: Exchange<'OffsetCommit'>,
  context: BrokerContext,
  { offsets, codes }: CheckedCommit,
): void {
  const { coordinator, facts } = context;
  const group = groupId(request.groupId);
  const answer = (verdict: (index: number) => number): void =>
    exchange.answer(commitReply(request, codes, verdict));
  const refused = (code: number): void => answer(() => code);
  if (offsets.length === 0) return answer(() => 0);
  if (request.generationIdOrMemberEpoch < 0 && facts.takesNoMore(group))
    return refused(errorCode('POLICY_VIOLATION'));
  exchange.trace?.about(group, coordinator.shardOf(group), request.generationIdOrMemberEpoch);
  coordinator.submit(
    coordinator.shardOf(group),
    {
      kind: 'group.commit',
      group,
      generation: generation(request.generationIdOrMemberEpoch),
      memberId: memberId(request.memberId),
      instanceId: request.groupInstanceId === null ? null : instanceId(request.groupInstanceId),
      groupNotFoundKnown: exchange.version >= 9,
      retentionMs: request.retentionTimeMs < 0 ? null : Number(request.retentionTimeMs),
      offsetMetadataBytesMax: coordinator.groupSettings.offsetMetadataBytesMax,
      offsets,
    },
    settle(
      context,
      'commit',
      ['commit'],
      ({ error, errors }) => {
        if (error !== 'NONE') return refused(errorCode(error));
        // Kafka: validateOffsetCommit. Who commits is alive.
        if (request.generationIdOrMemberEpoch >= 0)
          coordinator.touch(group, memberId(request.memberId), 'commit');
        context.speakers.returned(group, memberId(request.memberId));
        answer((index) => errorCode(errors[index] ?? 'NONE'));
      },
      refused,
    ),
    exchange.trace,
  );
}

/** Undefined: the partition is known, or nothing of the cluster's facts has arrived here that could say otherwise. */
function unknownProblem(
  { facts }: BrokerContext,
  topic: Topic | undefined,
  partition: number,
  byId: boolean,
): number | undefined {
  if (topic === undefined && byId) return errorCode('UNKNOWN_TOPIC_ID');
  if (facts.hasPartition(topic, partition) || !facts.factsKnown) return undefined;
  return errorCode('UNKNOWN_TOPIC_OR_PARTITION');
}

/**
 * Not Kafka (kafka-go #1308, kafkajs #1046): a member does not move the offset of a partition that another one owns. It is
 * told ILLEGAL_GENERATION, and clients join again. Within a generation the owner of a partition never changes, so
 * what is applied here decides as the machine would.
 */
function ownerProblem(
  { coordinator, settings }: BrokerContext,
  { groupId: id, generationIdOrMemberEpoch, memberId: member }: RequestOf<'OffsetCommit'>,
  topic: TopicName,
  partition: number,
): number | undefined {
  if (settings.commitOwnership === 'kafka' || generationIdOrMemberEpoch < 0) return undefined;
  const group = groupId(id);
  const shard = coordinator.shardOf(group);
  // Elsewhere the command is refused as a whole.
  if (!coordinator.serves(shard)) return undefined;
  const { groups } = coordinator.peek(shard);
  const owner = groups.ownerOf(group, generation(generationIdOrMemberEpoch), topic, partition);
  return owner === undefined || owner === member ? undefined : errorCode('ILLEGAL_GENERATION');
}

function commitReply(
  request: RequestOf<'OffsetCommit'>,
  codes: readonly number[],
  verdict: (index: number) => number,
): ReplyOf<'OffsetCommit'> {
  let at = 0;
  let asked = 0;
  return {
    topics: request.topics.map(({ name, topicId: id, partitions }) => ({
      name,
      topicId: id,
      partitions: partitions.map(({ partitionIndex }) => {
        const code = codes[at++]!;
        return { partitionIndex, errorCode: Number.isNaN(code) ? verdict(asked++) : code };
      }),
    })),
  };
}

/** What is asked of one group, whichever version asked. */
interface GroupQuestion {
  readonly groupId: string;
  readonly topics: RequestOf<'OffsetFetch'>['groups'][number]['topics'];
}
type GroupReply = NonNullable<ReplyOf<'OffsetFetch'>['groups']>[number];

/** Linearizable, also with requireStable: there are no open transactions that an offset could hang on (KIP-447). */
export const offsetFetch: Handler<'OffsetFetch'> = (request, exchange, context) => {
  const batch = exchange.version >= 8;
  const questions: readonly GroupQuestion[] = batch
    ? wholeGroupsOnce(request.groups)
    : [
        {
          groupId: request.groupId,
          topics: request.topics?.map((topic) => ({ ...topic, topicId: NO_UUID })) ?? null,
        },
      ];
  const missing = exchange.version >= 10 && questions.some((question) => asksForUnknown(question, context));
  unlessMissing(context, missing, () => fetchAll(questions, batch, exchange, context));
};

/** By id: also a topic of the answer needs one. */
function asksForUnknown(
  { groupId: id, topics: asked }: GroupQuestion,
  { coordinator, facts }: BrokerContext,
): boolean {
  const { topics } = facts;
  if (asked !== null) return asked.some((topic) => topics.byId(topicId(topic.topicId)) === undefined);
  const group = groupId(id);
  const { groups } = coordinator.peek(coordinator.shardOf(group));
  for (const { topic } of groups.committedAll(group)) if (topics.byName(topic) === undefined) return true;
  return false;
}

function fetchAll(
  questions: readonly GroupQuestion[],
  batch: boolean,
  exchange: Exchange<'OffsetFetch'>,
  context: BrokerContext,
): void {
  const { coordinator } = context;
  const answers: GroupReply[] = questions.map((question) =>
    failed(question, NOT_COORDINATOR, exchange.version),
  );
  const shardsAsked = new Set(questions.map(({ groupId: id }) => coordinator.shardOf(groupId(id))));
  const leased = [...shardsAsked].filter((shard) => coordinator.leaseHolds(shard));
  let open = questions.length;
  const finish = (): void => {
    const refused = (): ReplyOf<'OffsetFetch'> =>
      whole(
        questions.map((question) => failed(question, NOT_COORDINATOR, exchange.version)),
        batch,
      );
    const shards: Leased = leased.length === 1 ? leased[0]! : leased;
    exchange.answerUnderLease(shards, whole(answers, batch), refused);
  };
  if (open === 0) return finish();
  questions.forEach((question, index) => {
    const group = groupId(question.groupId);
    const answered = (answer: GroupReply): void => {
      answers[index] = answer;
      if (--open === 0) finish();
    };
    coordinator.read(
      coordinator.shardOf(group),
      settleRead(
        context,
        'read',
        ({ groups }) => {
          if (question.topics === null)
            fetchWhole(groups.committedAll(group), context, exchange.version, (topics) =>
              answered({ groupId: group, topics }),
            );
          else answered(fetched(question, group, groups, context, exchange.version));
        },
        (code) => answered(failed(question, code, exchange.version)),
      ),
    );
  });
}

/** A question for all offsets of a group is short, and its answer is long. */
function wholeGroupsOnce(questions: readonly GroupQuestion[]): readonly GroupQuestion[] {
  const seen = new Set<string>();
  return questions.filter(({ groupId: id, topics }) => topics !== null || (!seen.has(id) && seen.add(id)));
}

function whole(groups: readonly GroupReply[], batch: boolean): ReplyOf<'OffsetFetch'> {
  if (batch) return { groups };
  const { topics, errorCode: code } = groups[0]!;
  return {
    topics: topics.map(({ name, partitions }) => ({ name: name ?? '', partitions })),
    errorCode: code,
  };
}

/** v1 has no error over the whole answer: there each partition has it. An error never comes with an offset. */
function failed(question: GroupQuestion, code: number, version: number): GroupReply {
  const topics = version >= 2 ? [] : (question.topics ?? []);
  return {
    groupId: question.groupId,
    errorCode: code,
    topics: topics.map(({ name, topicId: id, partitionIndexes }) => ({
      name,
      topicId: id,
      partitions: partitionIndexes.map((partitionIndex) => noOffset(partitionIndex, code)),
    })),
  };
}

function fetched(
  question: GroupQuestion,
  group: GroupId,
  groups: GroupsView,
  context: BrokerContext,
  version: number,
): GroupReply {
  const { topics: known } = context.facts;
  const byId = version >= 10;
  const topics = (question.topics ?? []).map(({ name, topicId: id, partitionIndexes }) => {
    const topic = byId ? known.byId(topicId(id)) : known.byName(topicName(name));
    return {
      name,
      topicId: id,
      partitions: partitionIndexes.map((partitionIndex) => {
        if (byId && topic === undefined) return noOffset(partitionIndex, errorCode('UNKNOWN_TOPIC_ID'));
        const offset = groups.committed(group, topic?.name ?? topicName(name), partitionIndex);
        return offset === undefined || isOfAnotherTopic(offset, topic)
          ? noOffset(partitionIndex, 0)
          : offsetReply(offset);
      }),
    };
  });
  return { groupId: group, topics };
}

type FetchedTopic = GroupReply['topics'][number];
type Mutable<T> = T extends readonly (infer Item)[] ? Item[] : never;

/** In slices: a group may have any number of offsets. Each is one that was in force after the question came. */
function fetchWhole(
  offsets: Iterable<CommittedOffset>,
  { clock, facts }: BrokerContext,
  version: number,
  done: (topics: GroupReply['topics']) => void,
): void {
  const byTopic = new Map<
    TopicName,
    { topicId: FetchedTopic['topicId']; partitions: Mutable<FetchedTopic['partitions']> }
  >();
  const collect = (offset: CommittedOffset): void => {
    const topic = facts.topics.byName(offset.topic);
    if ((version >= 10 && topic === undefined) || isOfAnotherTopic(offset, topic)) return;
    const fetched = byTopic.get(offset.topic);
    if (fetched !== undefined) fetched.partitions.push(offsetReply(offset));
    else byTopic.set(offset.topic, { topicId: topic?.id ?? NO_UUID, partitions: [offsetReply(offset)] });
  };
  inSlices(clock, offsets, collect, () =>
    done([...byTopic].map(([name, fetched]) => ({ name, ...fetched }))),
  );
}

/** Committed to a topic of the same name that has been deleted since: as good as never committed. */
function isOfAnotherTopic(offset: CommittedOffset, topic: Topic | undefined): boolean {
  return topic !== undefined && offset.topicId !== null && offset.topicId !== topic.id;
}
const offsetReply = ({ partition, offset, leaderEpoch, metadata }: CommittedOffset) => ({
  partitionIndex: partition,
  committedOffset: offset,
  committedLeaderEpoch: leaderEpoch,
  metadata,
  errorCode: 0,
});
/** -1 with code 0 means "never committed". It is only answered after a read (docs/clients.md#unknown-offsets). */
const noOffset = (partitionIndex: number, code: number) => ({
  partitionIndex,
  committedOffset: -1,
  committedLeaderEpoch: -1,
  metadata: '',
  errorCode: code,
});
