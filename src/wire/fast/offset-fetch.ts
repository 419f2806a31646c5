import type { DecodedRequest, FastPath, ResponseInput } from '../api.js';
import type { offsetFetch } from '../apis/09-offset-fetch.js';
import type { WireReader } from '../reader.js';
import { NO_UUID } from '../schema.js';
import type { WireWriter } from '../writer.js';

type Request = DecodedRequest<typeof offsetFetch>;
type Reply = ResponseInput<typeof offsetFetch>;

type Group = Request['groups'][number];
type NamedTopic = NonNullable<Request['topics']>[number];
type GroupTopic = NonNullable<Group['topics']>[number];
type GroupReply = NonNullable<Reply['groups']>[number];
type TopicReply = NonNullable<Reply['topics']>[number] | GroupReply['topics'][number];

/** v4 (kafkajs) to v7 (librdkafka) for one group, v8 and v9 (Java, librdkafka) for many, by name. */
export const offsetFetchFast: FastPath<Request, Reply> = {
  versions: [4, 9],
  readRequest: (reader, version) => {
    const compact = version >= 6;
    const batch = version >= 8;
    const request = {
      groupId: batch ? '' : reader.string(compact),
      topics: batch ? NONE : readNamedTopics(reader, compact),
      groups: batch ? readGroups(reader, version) : NONE,
      requireStable: version >= 7 ? reader.boolean() : false,
    };
    if (compact) reader.skipTaggedFields();
    return request;
  },
  writeResponse: (writer, version, { throttleTimeMs = 0, topics = NONE, errorCode = 0, groups = NONE }) => {
    const compact = version >= 6;
    writer.int32(throttleTimeMs);
    if (version >= 8) writeGroups(writer, groups);
    else {
      writeTopics(writer, version, compact, topics);
      writer.int16(errorCode);
    }
    if (compact) writer.uvarint(0);
    return true;
  },
};

const NONE: readonly never[] = [];

function readIndexes(reader: WireReader, compact: boolean): readonly number[] {
  const indexes: number[] = [];
  for (let left = reader.arrayLength(compact, 4); left > 0; left--) indexes.push(reader.int32());
  return indexes;
}

function readNamedTopics(reader: WireReader, compact: boolean): readonly NamedTopic[] | null {
  const length = reader.nullableArrayLength(compact, compact ? 3 : 6);
  if (length < 0) return null;
  const topics: NamedTopic[] = [];
  for (let left = length; left > 0; left--) {
    topics.push({ name: reader.string(compact), partitionIndexes: readIndexes(reader, compact) });
    if (compact) reader.skipTaggedFields();
  }
  return topics;
}

/** Only flexible versions have groups. */
function readGroups(reader: WireReader, version: number): readonly Group[] {
  const groups: Group[] = [];
  for (let left = reader.arrayLength(true, version >= 9 ? 8 : 3); left > 0; left--) {
    groups.push({
      groupId: reader.string(true),
      memberId: version >= 9 ? reader.nullableString(true) : null,
      memberEpoch: version >= 9 ? reader.int32() : -1,
      topics: readGroupTopics(reader),
    });
    reader.skipTaggedFields();
  }
  return groups;
}
function readGroupTopics(reader: WireReader): readonly GroupTopic[] | null {
  const length = reader.nullableArrayLength(true, 3);
  if (length < 0) return null;
  const topics: GroupTopic[] = [];
  for (let left = length; left > 0; left--) {
    topics.push({
      name: reader.string(true),
      topicId: NO_UUID,
      partitionIndexes: readIndexes(reader, true),
    });
    reader.skipTaggedFields();
  }
  return topics;
}

function writeGroups(writer: WireWriter, groups: readonly GroupReply[]): void {
  writer.arrayLength(groups.length, true);
  for (const { groupId, topics, errorCode = 0 } of groups) {
    writer.string(groupId, true);
    writeTopics(writer, 8, true, topics);
    writer.int16(errorCode);
    writer.uvarint(0);
  }
}

function writeTopics(
  writer: WireWriter,
  version: number,
  compact: boolean,
  topics: readonly TopicReply[],
): void {
  writer.arrayLength(topics.length, compact);
  for (const { name = '', partitions } of topics) {
    writer.string(name, compact);
    writer.arrayLength(partitions.length, compact);
    for (const partition of partitions) {
      writer.int32(partition.partitionIndex);
      writer.int64(partition.committedOffset);
      if (version >= 5) writer.int32(partition.committedLeaderEpoch ?? -1);
      writer.nullableString(partition.metadata, compact);
      writer.int16(partition.errorCode);
      if (compact) writer.uvarint(0);
    }
    if (compact) writer.uvarint(0);
  }
}
