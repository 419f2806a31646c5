import type { Found } from './compare.js';
import type { Ask } from './sequence.js';

/** A difference from Kafka on purpose. */
export interface Difference {
  readonly id: string;
  /** What Kafka does, what Quorate does, and why: for the documentation. */
  readonly kafka: string;
  readonly quorate: string;
  readonly why: string;
  /** Undefined: a setting of the comparison turns it off, or no sequence shows it. */
  readonly explains?: (found: Found) => boolean;
  /** From here on the two groups are in other states: the rest of the sequence is not compared. */
  readonly parts?: true;
}

const NO_ANSWER = 'no answer yet';
const ILLEGAL_GENERATION = 22;
const UNKNOWN_MEMBER_ID = 25;
const GROUP_ID_NOT_FOUND = 69;
const GROUP_SUBSCRIBED_TO_TOPIC = 86;
/** Longer than `offsetMetadataBytesMax`. */
const hasLongNote = ({ body }: Ask): boolean => JSON.stringify(body).includes('"times":4097');
/** ConsumerProtocol v0: no topics, no user data. */
const NO_TOPICS = 'base64:AAAAAAAA/////w==';
interface Joined {
  readonly errorCode?: number;
  readonly generationId?: number;
  readonly leader?: string;
  readonly protocolName?: string;
}
const joined = (value: unknown): Joined => (typeof value === 'object' && value !== null ? value : {});

/** Whether the client sent the same kind of request again after the one that is answered. */
function wasSentAgain({ steps, asked, step, api }: Found): boolean {
  const { client } = steps[asked] as Ask;
  return steps
    .slice(asked + 1, step + 1)
    .some((each) => each.kind === 'ask' && each.client === client && each.api === api);
}
interface JoinBody {
  readonly memberId: unknown;
  readonly groupInstanceId: unknown;
  readonly protocolType: unknown;
  readonly protocols: unknown;
}
/** Of the group that a place in an answer to DescribeGroups belongs to. */
function stateOf(whole: unknown, path: string): string | undefined {
  const { groups } = whole as { readonly groups: readonly { readonly groupState: string }[] };
  return groups[Number(path.split('.')[1])]?.groupState;
}
/** Whether Kafka found a group that is not there for Quorate, as the errors of the two say. */
function isMissingHere({ api, kafka, quorate }: Pick<Found, 'api' | 'kafka' | 'quorate'>): boolean {
  switch (api) {
    case 'OffsetDelete':
    case 'DeleteGroups':
      return quorate === GROUP_ID_NOT_FOUND || (Array.isArray(quorate) && quorate.length === 0);
    case 'OffsetCommit':
      return (
        kafka === UNKNOWN_MEMBER_ID && (quorate === ILLEGAL_GENERATION || quorate === GROUP_ID_NOT_FOUND)
      );
    case 'DescribeGroups':
      return (kafka === 'Empty' && quorate === 'Dead') || quorate === GROUP_ID_NOT_FOUND;
    case 'ListGroups':
      return Array.isArray(kafka) && Array.isArray(quorate) && kafka.length > quorate.length;
    default:
      return false;
  }
}
function returnsToOpaqueGroup({ api, request }: Found): boolean {
  const { memberId, groupInstanceId, protocolType } = request as JoinBody;
  return api === 'JoinGroup' && memberId === '' && groupInstanceId !== null && protocolType !== 'consumer';
}
/** Whether a static member comes back with other protocols or metadata than its last JoinGroup had. */
function subscribesAnew({ steps, asked, api }: Found): boolean {
  if (api !== 'JoinGroup') return false;
  const joins = steps
    .slice(0, asked + 1)
    .filter((step): step is Ask => step.kind === 'ask' && step.api === 'JoinGroup')
    .map(({ body }) => body as JoinBody);
  const now = joins.at(-1)!;
  if (now.memberId !== '' || typeof now.groupInstanceId !== 'string') return false;
  const before = joins
    .slice(0, -1)
    .findLast(({ groupInstanceId }) => groupInstanceId === now.groupInstanceId);
  return before !== undefined && JSON.stringify(before.protocols) !== JSON.stringify(now.protocols);
}

export const DIFFERENCES: readonly Difference[] = [
  {
    id: 'ends of partitions',
    kafka: 'ListOffsets tells where the records of a partition end.',
    quorate: 'It tells the highest offset that a group has committed, or that was set as the end.',
    why: 'There are no records. Lag has a meaning nevertheless.',
    explains: ({ api, path, request }) =>
      api === 'ListOffsets' && path.endsWith('.offset') && JSON.stringify(request).includes('"timestamp":-1'),
  },
  {
    id: 'leader epochs',
    kafka: 'ListOffsets and Metadata carry the leader epoch of a partition.',
    quorate: 'It is -1, which means unknown.',
    why: 'With an epoch, Java clients validate their positions against records, and wait.',
    explains: ({ path, quorate }) => path.endsWith('.leaderEpoch') && quorate === -1,
  },
  {
    id: 'a JoinGroup or SyncGroup that was sent again',
    kafka: 'Only the last one is answered. The connection of the one before never hears.',
    quorate: 'Both are answered.',
    why: 'A client that waits on the first connection goes on.',
    explains: (found) =>
      (found.api === 'JoinGroup' || found.api === 'SyncGroup') &&
      found.kafka === NO_ANSWER &&
      wasSentAgain(found),
  },
  {
    id: 'a question that is asked twice',
    kafka: 'All offsets of a group, named twice in one OffsetFetch, are answered twice.',
    quorate: 'They are answered once.',
    why: 'A short request has no answer that is longer than the cluster is large.',
    explains: ({ api, path, kafka, quorate }) =>
      api === 'OffsetFetch' &&
      path === 'groups' &&
      Array.isArray(kafka) &&
      Array.isArray(quorate) &&
      quorate.length < kafka.length &&
      JSON.stringify([...new Set(kafka.map((each) => JSON.stringify(each)))]) ===
        JSON.stringify(quorate.map((each) => JSON.stringify(each))),
  },
  {
    id: 'a static member that comes back with another subscription',
    kafka:
      'It keeps its old assignment when the group would still choose the same protocol by name (KAFKA-12759, KAFKA-19546).',
    quorate: 'The group rebalances.',
    why: 'New topics of a member would never be assigned.',
    parts: true,
    explains: (found) => subscribesAnew(found) && joined(found.whole.kafka).errorCode === 0,
  },
  {
    id: 'a static member of an opaque protocol that comes back',
    kafka: 'It keeps its old assignment.',
    quorate: 'The group rebalances.',
    why: 'All members of such a group have one fence token, and the process before must lose it.',
    parts: true,
    explains: (found) => returnsToOpaqueGroup(found) && joined(found.whole.kafka).errorCode === 0,
  },
  {
    id: 'a SyncGroup of a member that is removed',
    kafka: 'It is never answered.',
    quorate: 'It is answered with UNKNOWN_MEMBER_ID.',
    why: 'The client joins again at once.',
    explains: ({ api, kafka, whole }) =>
      api === 'SyncGroup' && kafka === NO_ANSWER && joined(whole.quorate).errorCode === UNKNOWN_MEMBER_ID,
  },
  {
    id: 'an empty assignment',
    kafka: 'A member that the leader gave nothing gets zero bytes.',
    quorate: 'It gets an encoded assignment without topics, if the protocol type is "consumer".',
    why: 'kafkajs cannot read zero bytes.',
    explains: ({ path, kafka, quorate }) => path === 'assignment' && kafka === '' && quorate === NO_TOPICS,
  },
  {
    id: 'the assignment of the generation before',
    kafka: 'DescribeGroups tells it until the leader has sent the next one.',
    quorate: 'It tells it while the group stops, and none once the generation has grown.',
    why: 'Nobody owns those partitions any more.',
    explains: ({ path, quorate, whole }) =>
      path.endsWith('.memberAssignment') &&
      quorate === '' &&
      stateOf(whole.quorate, path) === 'CompletingRebalance',
  },
  {
    id: 'configuration of a new topic',
    kafka: 'CreateTopics answers with all settings of the topic, and with an id also when it only validates.',
    quorate: 'It answers with no setting, and an id when the topic is made.',
    why: 'The settings are about records.',
    explains: ({ api, path, request, kafka }) =>
      api === 'CreateTopics' &&
      JSON.stringify(request).includes('"validateOnly":true') &&
      ((path.endsWith('.configs') && Array.isArray(kafka)) || path.endsWith('.topicId')),
  },
  {
    id: 'a group of which every commit was refused',
    kafka: 'It is not always listed, but OffsetDelete, DeleteGroups and OffsetCommit find it.',
    parts: true,
    quorate: 'There is no such group.',
    why: 'All requests agree on what there is.',
    explains: ({ api, steps, kafka, quorate }) =>
      steps.some((step) => step.kind === 'ask' && step.api === 'OffsetCommit' && hasLongNote(step)) &&
      isMissingHere({ api, kafka, quorate }),
  },
  {
    id: 'which topics are in use while a group rebalances',
    kafka: 'OffsetDelete refuses topics that members of the generation before subscribed to.',
    quorate: 'It refuses topics that the members subscribe to now.',
    why: 'A member that has left uses no topic, and one that has come does.',
    parts: true,
    explains: ({ api, kafka, quorate, path }) =>
      api === 'OffsetDelete' &&
      path.includes('.partitions.') &&
      [kafka, quorate].includes(GROUP_SUBSCRIBED_TO_TOPIC) &&
      [kafka, quorate].includes(0),
  },
  {
    id: 'the choice of a leader',
    kafka:
      'When the leader has gone, any of the waiting members becomes the leader, in the order of a hash table.',
    quorate: 'The member that has been in the group the longest.',
    why: 'Replicas must choose alike.',
    parts: true,
    explains: ({ api, whole }) =>
      api === 'JoinGroup' &&
      joined(whole.kafka).errorCode === 0 &&
      joined(whole.quorate).errorCode === 0 &&
      joined(whole.kafka).generationId === joined(whole.quorate).generationId &&
      joined(whole.kafka).leader !== joined(whole.quorate).leader,
  },
  {
    id: 'fence tokens',
    kafka: 'SyncGroup carries none.',
    quorate: 'A tagged field of SyncGroup has the tokens of the partitions, for clients that ask for it.',
    why: 'A worker proves its ownership to a database. Other clients skip the field.',
    explains: ({ api, path }) => api === 'SyncGroup' && path.startsWith('fenceTokens'),
  },
  {
    id: 'disconnect grace',
    kafka: 'A dynamic member whose connection ends without a leave keeps its place for its session.',
    quorate:
      'It keeps its place for `disconnectGraceMs`, which a tagged field of SyncGroup tells clients that ask for it.',
    why: 'The partitions of a process that died move in seconds. Who is back in time, and static members, keep theirs.',
    explains: ({ api, path }) => api === 'SyncGroup' && path === 'disconnectGraceMs',
  },
  {
    id: 'draining',
    kafka: 'A broker cannot ask a member to leave.',
    quorate: 'A tagged field of Heartbeat does, while an operator asks for it (`quorate groups drain`).',
    why: 'A worker finishes and commits before its partitions move. Other clients skip the field.',
    explains: ({ api, path }) => api === 'Heartbeat' && path === 'drain',
  },
  {
    id: 'the first rebalance',
    kafka: 'It waits for `group.initial.rebalance.delay.ms` (3 s).',
    quorate:
      'It ends when nobody has joined for `initialQuietMs` (100 ms), after `initialDelayMsMax` and 2 ms a member at the latest.',
    why: 'A group works seconds earlier.',
  },
  {
    id: 'ids that were handed out and are not used',
    kafka: 'A barrier waits for them for a session timeout.',
    quorate: 'It waits for `initialQuietMs` at most.',
    why: 'One client that is gone does not stop a group.',
  },
  {
    id: 'a JoinGroup without an id whose connection ends',
    kafka: 'The member stays for 5 minutes, and may lead.',
    quorate: 'It is removed.',
    why: 'Nobody will ever speak for it.',
  },
  {
    id: 'commits of partitions of others',
    kafka: 'They are taken.',
    quorate: 'They are refused with ILLEGAL_GENERATION, unless `commitOwnership` is `kafka`.',
    why: 'An offset does not go back because of a member that is late.',
  },
  {
    id: 'commits of members for a topic that was deleted',
    kafka: 'They get UNKNOWN_TOPIC_OR_PARTITION, which clients retry until their rebalance timeout is over.',
    quorate: 'They are answered without an error, and nothing is stored.',
    why: 'A topic that is deleted stops no rebalance (KAFKA-16235).',
  },
  {
    id: 'a topic that was made a moment ago',
    kafka: 'A broker that has not heard of it yet calls it unknown.',
    quorate: 'It asks the leader of the topics first.',
    why: 'Whoever made it uses it at once.',
  },
  {
    id: 'generations',
    kafka: 'A group that was deleted begins at 1 again.',
    quorate: 'They never repeat.',
    why: 'A member of the old group must not pass for one of the new. The comparison counts from the first one.',
  },
];
