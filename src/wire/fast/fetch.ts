import type { DecodedRequest, FastPath, ResponseInput } from '../api.js';
import type { fetch } from '../apis/01-fetch.js';
import type { WireReader } from '../reader.js';

type Request = DecodedRequest<typeof fetch>;
type Reply = ResponseInput<typeof fetch>;

type Topic = Request['topics'][number];
type Partition = Topic['partitions'][number];
type Forgotten = Request['forgottenTopicsData'][number];

/** v11 (kafkajs, librdkafka) and v12 (Java, librdkafka). Declines tagged fields, which only other servers send. */
export const fetchFast: FastPath<Request, Reply> = {
  versions: [11, 12],
  readRequest: (reader, version) => {
    const compact = version >= 12;
    const request = {
      clusterId: null,
      replicaId: reader.int32(),
      maxWaitMs: reader.int32(),
      minBytes: reader.int32(),
      maxBytes: reader.int32(),
      isolationLevel: reader.int8(),
      sessionId: reader.int32(),
      sessionEpoch: reader.int32(),
      topics: readTopics(reader, compact),
      forgottenTopicsData: readForgotten(reader, compact),
      rackId: reader.string(compact),
    };
    return compact && reader.uvarint() !== 0 ? undefined : request;
  },
  writeResponse: (writer, version, { throttleTimeMs = 0, errorCode = 0, sessionId = 0, responses }) => {
    const compact = version >= 12;
    writer.int32(throttleTimeMs);
    writer.int16(errorCode);
    writer.int32(sessionId);
    writer.arrayLength(responses.length, compact);
    for (const { topic, partitions } of responses) {
      writer.string(topic, compact);
      writer.arrayLength(partitions.length, compact);
      for (const partition of partitions) {
        if (
          partition.divergingEpoch !== undefined ||
          partition.currentLeader !== undefined ||
          partition.snapshotId !== undefined
        )
          return false;
        writer.int32(partition.partitionIndex);
        writer.int16(partition.errorCode);
        writer.int64(partition.highWatermark);
        writer.int64(partition.lastStableOffset ?? -1);
        writer.int64(partition.logStartOffset ?? -1);
        const aborted = partition.abortedTransactions;
        // There are no transactions here: null or an empty list.
        if (aborted !== null && aborted.length > 0) return false;
        writer.arrayLength(aborted === null ? -1 : 0, compact);
        writer.int32(partition.preferredReadReplica ?? -1);
        writer.nullableBytes(partition.records, compact);
        if (compact) writer.uvarint(0);
      }
      if (compact) writer.uvarint(0);
    }
    if (compact) writer.uvarint(0);
    return true;
  },
};

function readTopics(reader: WireReader, compact: boolean): readonly Topic[] {
  const topics: Topic[] = [];
  for (let left = reader.arrayLength(compact, compact ? 3 : 6); left > 0; left--) {
    topics.push({ topic: reader.string(compact), partitions: readPartitions(reader, compact) });
    if (compact) reader.skipTaggedFields();
  }
  return topics;
}

function readPartitions(reader: WireReader, compact: boolean): readonly Partition[] {
  const partitions: Partition[] = [];
  for (let left = reader.arrayLength(compact, compact ? 33 : 28); left > 0; left--) {
    partitions.push({
      partition: reader.int32(),
      currentLeaderEpoch: reader.int32(),
      fetchOffset: reader.int64(),
      lastFetchedEpoch: compact ? reader.int32() : -1,
      logStartOffset: reader.int64(),
      partitionMaxBytes: reader.int32(),
    });
    if (compact) reader.skipTaggedFields();
  }
  return partitions;
}

function readForgotten(reader: WireReader, compact: boolean): readonly Forgotten[] {
  const forgotten: Forgotten[] = [];
  for (let left = reader.arrayLength(compact, compact ? 3 : 6); left > 0; left--) {
    const topic = reader.string(compact);
    const partitions: number[] = [];
    for (let more = reader.arrayLength(compact, 4); more > 0; more--) partitions.push(reader.int32());
    forgotten.push({ topic, partitions });
    if (compact) reader.skipTaggedFields();
  }
  return forgotten;
}
