import { WireReader, WireWriter } from '../../src/wire/index.js';

/** Partitions by topic. */
export type Assignment = Readonly<Record<string, readonly number[]>>;

/** What members of protocol type "consumer" put into JoinGroup and SyncGroup: ConsumerProtocol v0, which all can read. */
export function encodeSubscription(topics: readonly string[], userData?: Uint8Array): Buffer {
  const writer = new WireWriter();
  writer.int16(0);
  writer.int32(topics.length);
  for (const topic of topics) writer.nullableString(topic, false);
  writer.int32(userData?.length ?? -1);
  if (userData !== undefined) writer.raw(Buffer.from(userData));
  return Buffer.from(writer.view());
}
export function decodeSubscription(bytes: Buffer): readonly string[] {
  const reader = new WireReader(bytes);
  reader.int16();
  return Array.from({ length: reader.int32() }, () => reader.nullableString(false) ?? '');
}

export function encodeAssignment(assignment: Assignment): Buffer {
  const writer = new WireWriter();
  writer.int16(0);
  const entries = Object.entries(assignment);
  writer.int32(entries.length);
  for (const [topic, partitions] of entries) {
    writer.nullableString(topic, false);
    writer.int32(partitions.length);
    for (const partition of partitions) writer.int32(partition);
  }
  writer.int32(-1);
  return Buffer.from(writer.view());
}
export function decodeAssignment(bytes: Buffer): Assignment {
  if (bytes.length === 0) return {};
  const reader = new WireReader(bytes);
  reader.int16();
  const assignment: Record<string, number[]> = {};
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.nullableString(false) ?? '';
    assignment[topic] = Array.from({ length: reader.int32() }, () => reader.int32());
  }
  return assignment;
}

/** Hands the partitions of one topic out in turn, members by id. */
export function dealPartitions(
  topic: string,
  partitions: number,
  memberIds: readonly string[],
): ReadonlyMap<string, Assignment> {
  const sorted = [...memberIds].sort();
  return new Map(
    sorted.map((memberId, index) => [
      memberId,
      {
        [topic]: Array.from({ length: partitions }, (_, partition) => partition).filter(
          (partition) => partition % sorted.length === index,
        ),
      },
    ]),
  );
}
