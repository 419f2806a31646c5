import type { DecodedRequest, FastPath, ResponseInput } from '../api.js';
import type { offsetCommit } from '../apis/08-offset-commit.js';
import type { WireReader } from '../reader.js';
import { NO_UUID } from '../schema.js';

type Request = DecodedRequest<typeof offsetCommit>;
type Reply = ResponseInput<typeof offsetCommit>;

type Topic = Request['topics'][number];
type Partition = Topic['partitions'][number];

/** v5 (kafkajs) to v9 (Java, librdkafka): topics by name, no retention time. */
export const offsetCommitFast: FastPath<Request, Reply> = {
  versions: [5, 9],
  readRequest: (reader, version) => {
    const compact = version >= 8;
    const request = {
      groupId: reader.string(compact),
      generationIdOrMemberEpoch: reader.int32(),
      memberId: reader.string(compact),
      groupInstanceId: version >= 7 ? reader.nullableString(compact) : null,
      retentionTimeMs: -1,
      topics: readTopics(reader, version, compact),
    };
    if (compact) reader.skipTaggedFields();
    return request;
  },
  writeResponse: (writer, version, { throttleTimeMs = 0, topics }) => {
    const compact = version >= 8;
    writer.int32(throttleTimeMs);
    writer.arrayLength(topics.length, compact);
    for (const { name = '', partitions } of topics) {
      writer.string(name, compact);
      writer.arrayLength(partitions.length, compact);
      for (const { partitionIndex, errorCode } of partitions) {
        writer.int32(partitionIndex);
        writer.int16(errorCode);
        if (compact) writer.uvarint(0);
      }
      if (compact) writer.uvarint(0);
    }
    if (compact) writer.uvarint(0);
    return true;
  },
};

function readTopics(reader: WireReader, version: number, compact: boolean): readonly Topic[] {
  const topics: Topic[] = [];
  for (let left = reader.arrayLength(compact, compact ? 3 : 6); left > 0; left--) {
    topics.push({
      name: reader.string(compact),
      topicId: NO_UUID,
      partitions: readPartitions(reader, version, compact),
    });
    if (compact) reader.skipTaggedFields();
  }
  return topics;
}

function readPartitions(reader: WireReader, version: number, compact: boolean): readonly Partition[] {
  const partitions: Partition[] = [];
  for (let left = reader.arrayLength(compact, compact ? 18 : version >= 6 ? 18 : 14); left > 0; left--) {
    partitions.push({
      partitionIndex: reader.int32(),
      committedOffset: reader.int64(),
      committedLeaderEpoch: version >= 6 ? reader.int32() : -1,
      committedMetadata: reader.nullableString(compact),
    });
    if (compact) reader.skipTaggedFields();
  }
  return partitions;
}
