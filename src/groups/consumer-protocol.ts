import { type TopicName, topicName } from '../kernel/index.js';
import type { TopicPartitions } from './types/commands.js';

/**
 * The payloads that Kafka's consumers put into the classic protocol: ConsumerProtocolSubscription and
 * ConsumerProtocolAssignment, versions 0 to 3. The coordinator only needs topics and partitions, which come first in
 * every version. A payload that cannot be read gives undefined: clients may send any bytes.
 */
export const CONSUMER_PROTOCOL_TYPE = 'consumer';

/** An assignment of nothing: version 0, no topics, null user data. */
export const EMPTY_ASSIGNMENT: Uint8Array = Buffer.from([0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);

class Unreadable extends Error {}

class PayloadReader {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  #take(bytes: number): number {
    const at = this.#at;
    if (bytes < 0 || at + bytes > this.#bytes.length) throw new Unreadable();
    this.#at += bytes;
    return at;
  }
  i16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }
  i32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }
  string(): string {
    const length = this.i16();
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }
  /** The length of an array. Each of its items has at least a byte. */
  length(): number {
    const length = this.i32();
    if (length < 0 || length > this.#bytes.length) throw new Unreadable();
    return length;
  }
}

function reading<T>(bytes: Uint8Array, read: (reader: PayloadReader) => T): T | undefined {
  try {
    return read(new PayloadReader(bytes));
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** The topics a member subscribes to, or undefined when the payload is not a subscription. */
export function subscribedTopics(metadata: Uint8Array): readonly TopicName[] | undefined {
  return reading(metadata, (r) => {
    if (r.i16() < 0) throw new Unreadable();
    const topics: TopicName[] = [];
    for (let left = r.length(); left > 0; left--) topics.push(topicName(r.string()));
    return topics;
  });
}

/** The partitions of an assignment, or undefined when the payload is not an assignment. Zero bytes assign nothing. */
export function assignedPartitions(assignment: Uint8Array): readonly TopicPartitions[] | undefined {
  return assignment.length === 0 ? [] : reading(assignment, readAssignment);
}

/** Loops, and no closure for each item: the assignment of a group of thousands is read in one command. */
function readAssignment(r: PayloadReader): readonly TopicPartitions[] {
  if (r.i16() < 0) throw new Unreadable();
  const topics: TopicPartitions[] = [];
  for (let left = r.length(); left > 0; left--) {
    const topic = topicName(r.string());
    const partitions: number[] = [];
    for (let more = r.length(); more > 0; more--) partitions.push(r.i32());
    topics.push({ topic, partitions });
  }
  return topics;
}
