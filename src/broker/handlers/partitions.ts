import { type Int64, monotonicMs, type TopicId, topicId, topicName } from '../../kernel/index.js';
import { endOf } from '../../machine/index.js';
import { errorCode, type ReplyOf, type RequestOf, WireWriter } from '../../wire/index.js';
import type { BrokerContext, Handler } from '../context.js';
import { unlessMissing } from '../late-topics.js';

/** What clients do with the partitions themselves. There are no records: every answer here is about an empty log. */

const UNKNOWN_PARTITION = errorCode('UNKNOWN_TOPIC_OR_PARTITION');
/** An answer that carries an error is held shortly too: some clients ask again at once. Milliseconds. */
const FAULTY_FETCH_HOLD_MS = 100;

/**
 * Held for the client's own max_wait_ms, then answered empty (docs/clients.md#held-fetches). The end of the log is the position in
 * the request: a client that reads to the end is there, and no position is an OFFSET_OUT_OF_RANGE (docs/clients.md#no-out-of-range). Only the encoded answer waits; nothing of the
 * request is kept.
 */
export const fetch: Handler<'Fetch'> = (request, exchange, context) => {
  // Kafka: KIP-227. No session is ever given out (id 0), so a client that names one has it from somebody else.
  if (request.sessionId !== 0)
    return exchange.answer({ errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND'), responses: [] });
  const { reply, faulty } = emptyFetch(request, context);
  const writer = new WireWriter(64 + 64 * reply.responses.length);
  exchange.encode(writer, reply);
  const frame = writer.copy();
  const { fetchHoldMsMax } = context.settings;
  const holdMs = Math.min(request.maxWaitMs, faulty ? FAULTY_FETCH_HOLD_MS : fetchHoldMsMax);
  if (holdMs <= 0) return exchange.answerEncoded(frame);
  exchange.parkedAs(
    context.parked.park({
      kind: 'fetch',
      deadline: monotonicMs(context.coordinator.now() + holdMs),
      released: () => exchange.answerEncoded(frame),
    }),
  );
};

function emptyFetch(
  request: RequestOf<'Fetch'>,
  { facts }: BrokerContext,
): { readonly reply: ReplyOf<'Fetch'>; readonly faulty: boolean } {
  let faulty = false;
  const responses = request.topics.map(({ topic: name, partitions }) => {
    // @platformatic/kafka 1.35 writes the topic's id, as text, where Fetch 12 has its name.
    const topic = facts.topics.byName(topicName(name)) ?? facts.topics.byId(topicId(name));
    return {
      topic: name,
      partitions: partitions.map(({ partition, fetchOffset }) => {
        const known = topic !== undefined && facts.hasPartition(topic, partition);
        faulty ||= !known;
        const end = known ? fetchOffset : -1;
        return {
          partitionIndex: partition,
          errorCode: known ? 0 : UNKNOWN_PARTITION,
          highWatermark: end,
          lastStableOffset: end,
          logStartOffset: known ? 0 : -1,
          // Null says "none" to a client that reads uncommitted, empty to one that reads committed (docs/clients.md#leader-epochs).
          abortedTransactions: request.isolationLevel === 0 ? null : [],
          records: NO_RECORDS,
        };
      }),
    };
  });
  return { reply: { responses }, faulty };
}
/** Empty rather than null: several clients parse records without looking for null. */
const NO_RECORDS = Buffer.alloc(0);

const LATEST = -1;
const EARLIEST = -2;
/** Kafka: KIP-405. With nothing tiered away the local log starts where the log does. */
const EARLIEST_LOCAL = -4;

/**
 * The ends are the same at every replica: each asks the leaders of the shards how far they are. While one cannot be asked
 * the answer is an error that clients retry; an end of 0 would reset them to the beginning.
 */
export const listOffsets: Handler<'ListOffsets'> = (request, exchange, context) => {
  const asksForEnds = request.topics.some(({ partitions }) =>
    partitions.some(({ timestamp }) => timestamp === LATEST),
  );
  if (!asksForEnds) {
    const missing = request.topics.some(({ name, partitions }) => {
      const topic = context.facts.topics.byName(topicName(name));
      return partitions.some(({ partitionIndex }) => !context.facts.hasPartition(topic, partitionIndex));
    });
    return unlessMissing(context, missing, () => exchange.answer(listed(request, context, undefined)));
  }
  context.coordinator.readAll((outcome) => {
    if (outcome.kind === 'ok') {
      const ends = outcome.views.map((view) => view.ends);
      return exchange.answer(
        listed(request, context, (topic, partition) => ({ offset: endOf(ends, topic, partition) })),
      );
    }
    context.counters.refusal(outcome.kind);
    // Kafka: ReplicaManager.fetchOffset. Versions before 5 do not know the error.
    const code = errorCode(exchange.version >= 5 ? 'OFFSET_NOT_AVAILABLE' : 'LEADER_NOT_AVAILABLE');
    exchange.answer(listed(request, context, () => ({ errorCode: code })));
  });
};

type Found = { readonly offset: Int64 } | { readonly errorCode: number };

/** `latest`: of a partition. Not asked for when it is undefined. */
function listed(
  request: RequestOf<'ListOffsets'>,
  { facts }: BrokerContext,
  latest: ((topic: TopicId, partition: number) => Found) | undefined,
): ReplyOf<'ListOffsets'> {
  return {
    topics: request.topics.map(({ name, partitions }) => {
      const topic = facts.topics.byName(topicName(name));
      return {
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          if (topic === undefined || !facts.hasPartition(topic, partitionIndex))
            return { partitionIndex, errorCode: UNKNOWN_PARTITION };
          const found: Found =
            timestamp === LATEST && latest !== undefined
              ? latest(topic.id, partitionIndex)
              : { offset: offsetAt(timestamp) };
          return { partitionIndex, errorCode: 0, ...found };
        }),
      };
    }),
  };
}
/** A point in time, the largest timestamp (-3) or the last tiered offset (-5): no record has one, which Kafka says as -1. */
const offsetAt = (timestamp: Int64): Int64 =>
  timestamp === EARLIEST || timestamp === EARLIEST_LOCAL ? 0 : -1;

const NO_RECORDS_HERE =
  'Quorate coordinates consumer groups; its topics are named partition sets without records. Produce to your Kafka cluster.';

/** Refused with an error that no client retries. */
export const produce: Handler<'Produce'> = (request, exchange) => {
  // Kafka: acks 0 expects no answer, so an error can only be told by ending the connection.
  if (request.acks === 0)
    return exchange.owner.closeSilently('produced records without waiting for an answer');
  exchange.answer({
    responses: request.topicData.map(({ name, partitionData }) => ({
      name,
      partitionResponses: partitionData.map(({ index }) => ({
        index,
        errorCode: errorCode('POLICY_VIOLATION'),
        baseOffset: -1,
        errorMessage: NO_RECORDS_HERE,
      })),
    })),
  });
};
