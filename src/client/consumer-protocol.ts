import { WireReader, WireWriter } from '../wire/index.js';

/** Partitions by topic. */
export type PartitionsByTopic = ReadonlyMap<string, readonly number[]>;

/** What a member says of itself in JoinGroup: ConsumerProtocolSubscription. */
export interface Subscription {
  readonly topics: readonly string[];
  /** What it owns and will not give up by itself (KIP-429). */
  readonly owned: PartitionsByTopic;
  /** The generation in which it got them (KIP-792); -1: not known. */
  readonly generation: number;
}

/** Version 2 has the generation. Members that know only older versions read the fields that they know. */
const SUBSCRIPTION_VERSION = 2;

export function encodeSubscription({ topics, owned, generation }: Subscription): Buffer {
  const writer = new WireWriter();
  writer.int16(SUBSCRIPTION_VERSION);
  writer.arrayLength(topics.length, false);
  for (const topic of topics) writer.string(topic, false);
  writer.nullableBytes(null, false);
  writePartitions(writer, owned);
  writer.int32(generation);
  return Buffer.from(writer.view());
}

/** Throws WireError when the bytes are no subscription. */
export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new WireReader(bytes);
  const version = reader.int16();
  const topics = readList(reader, () => reader.string(false));
  reader.nullableBytes(false);
  const owned = version >= 1 ? readPartitions(reader) : new Map<string, readonly number[]>();
  return { topics, owned, generation: version >= 2 ? reader.int32() : -1 };
}

/** ConsumerProtocolAssignment, version 0. */
export function encodeAssignment(assignment: PartitionsByTopic): Buffer {
  const writer = new WireWriter();
  writer.int16(0);
  writePartitions(writer, assignment);
  writer.nullableBytes(null, false);
  return Buffer.from(writer.view());
}

/** No bytes assign nothing. Throws WireError when the bytes are no assignment. */
export function decodeAssignment(bytes: Buffer): PartitionsByTopic {
  if (bytes.length === 0) return new Map();
  const reader = new WireReader(bytes);
  reader.int16();
  return readPartitions(reader);
}

function writePartitions(writer: WireWriter, byTopic: PartitionsByTopic): void {
  writer.arrayLength(byTopic.size, false);
  for (const [topic, partitions] of byTopic) {
    writer.string(topic, false);
    writer.arrayLength(partitions.length, false);
    for (const partition of partitions) writer.int32(partition);
  }
}
function readPartitions(reader: WireReader): PartitionsByTopic {
  const entries = readList(
    reader,
    () => [reader.string(false), readList(reader, () => reader.int32())] as const,
  );
  return new Map(entries);
}
function readList<T>(reader: WireReader, item: () => T): T[] {
  const items: T[] = [];
  for (let left = reader.arrayLength(false, 1); left > 0; left--) items.push(item());
  return items;
}
