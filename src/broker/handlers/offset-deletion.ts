import { groupId, topicName } from '../../kernel/index.js';
import type { GroupReply as MachineReply } from '../../machine/index.js';
import { errorCode, type ReplyOf, type RequestOf } from '../../wire/index.js';
import type { BrokerContext, Handler } from '../context.js';
import type { Exchange } from '../exchange.js';
import { unlessMissing } from '../late-topics.js';
import { settle } from '../settle.js';

type DeletedOffsets = Extract<MachineReply, { kind: 'deleteOffsets' }>;

export const offsetDelete: Handler<'OffsetDelete'> = (request, exchange, context) => {
  if (request.groupId === '')
    return exchange.answer({ errorCode: errorCode('INVALID_GROUP_ID'), topics: [] });
  const missing = request.topics.some(({ name, partitions }) =>
    partitions.some(({ partitionIndex }) => !isKnown(context, name, partitionIndex)),
  );
  unlessMissing(context, missing, (certain) => {
    if (certain) return deleteOffsets(request, exchange, context);
    exchange.answer({ errorCode: errorCode('COORDINATOR_LOAD_IN_PROGRESS'), topics: [] });
  });
};

const isKnown = ({ facts }: BrokerContext, name: string, partition: number): boolean =>
  !facts.factsKnown || facts.hasPartition(facts.topics.byName(topicName(name)), partition);

function deleteOffsets(
  request: RequestOf<'OffsetDelete'>,
  exchange: Exchange<'OffsetDelete'>,
  context: BrokerContext,
): void {
  const { coordinator } = context;
  const group = groupId(request.groupId);
  const fail = (code: number): void => exchange.answer({ errorCode: code, topics: [] });
  const topics = request.topics
    .map(({ name, partitions }) => ({
      topic: topicName(name),
      partitions: partitions
        .map(({ partitionIndex }) => partitionIndex)
        .filter((index) => isKnown(context, name, index)),
    }))
    .filter(({ partitions }) => partitions.length > 0);
  coordinator.submit(
    coordinator.shardOf(group),
    { kind: 'group.deleteOffsets', group, topics },
    settle(
      context,
      'commit',
      ['deleteOffsets'],
      (reply) =>
        reply.error === 'NONE'
          ? exchange.answer(deleteReply(request, reply.topics))
          : fail(errorCode(reply.error)),
      fail,
    ),
  );
}

function deleteReply(
  request: RequestOf<'OffsetDelete'>,
  deleted: DeletedOffsets['topics'],
): ReplyOf<'OffsetDelete'> {
  const verdicts = new Map(
    deleted.map(({ topic, partitions }) => [
      topic,
      new Map(partitions.map(({ partition, error }) => [partition, errorCode(error)])),
    ]),
  );
  return {
    errorCode: 0,
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode:
          verdicts.get(topicName(name))?.get(partitionIndex) ?? errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
      })),
    })),
  };
}
