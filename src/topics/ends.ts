import {
  ByteWriter,
  codec,
  crc32c,
  type Int64,
  MalformedBytesError,
  type PartedBytes,
  type Steps,
  type TopicId,
} from '../kernel/index.js';
import { branded } from './codecs.js';
import type { PartitionEnd } from './types.js';

/** How far commits have come in one shard. */
export interface SeenEnd {
  readonly offset: Int64;
  /** Of the last time that a user set the end back, as far as this shard knows. What was seen before does not count. */
  readonly revision: number;
}

/** What one shard knows of the ends of partitions. `endOf` joins what all of them know. */
export interface EndsView {
  /** False until the shard was told to keep them: the cluster comes from a version that did not. */
  readonly started: boolean;
  /** Undefined when nothing was committed in this shard. */
  seen(topic: TopicId, partition: number): SeenEnd | undefined;
  /** What a user said; known in shard 0 alone. */
  said(topic: TopicId, partition: number): Int64 | undefined;
}

interface TopicEnds {
  readonly said: Map<number, Int64>;
  readonly seen: Map<number, { offset: Int64; revision: number }>;
}

/** The end of a partition: the furthest that was committed in any shard or said by a user; 0 when there is neither. */
export function endOf(shards: readonly EndsView[], topic: TopicId, partition: number): Int64 {
  let end: Int64 = 0;
  let revision = 0;
  for (const shard of shards) {
    const said = shard.said(topic, partition);
    if (said !== undefined && said > end) end = said;
    revision = Math.max(revision, shard.seen(topic, partition)?.revision ?? 0);
  }
  for (const shard of shards) {
    const seen = shard.seen(topic, partition);
    if (seen !== undefined && seen.revision === revision && seen.offset > end) end = seen.offset;
  }
  return end;
}

const FORMAT = 1;
const CHUNK_BYTES = 512 * 1024;
export const partitionEnd = codec.struct<PartitionEnd>({ partition: codec.uint, offset: codec.int64 });
const saidCodec = codec.map(codec.uint, codec.int64);
const seenEndCodec = codec.struct<SeenEnd>({ offset: codec.int64, revision: codec.uint });
const seenCodec = codec.map(codec.uint, seenEndCodec);

const lower = (a: Int64, b: Int64): Int64 => (a < b ? a : b);

/** The ends of partitions in one shard: replicated state. Topics are known by their ids. Deterministic. */
export class Ends implements EndsView {
  #started = false;
  readonly #topics = new Map<TopicId, TopicEnds>();

  get started(): boolean {
    return this.#started;
  }
  seen(topic: TopicId, partition: number): SeenEnd | undefined {
    return this.#topics.get(topic)?.seen.get(partition);
  }
  said(topic: TopicId, partition: number): Int64 | undefined {
    return this.#topics.get(topic)?.said.get(partition);
  }

  /** From here on the ends are the same on every replica: what went before is forgotten for what is committed now. */
  start(committed: Iterable<PartitionEnd & { readonly topic: TopicId }>): void {
    if (this.#started) return;
    this.#started = true;
    this.derive(committed);
  }
  /** Before the start: what can be known from the offsets alone. */
  derive(committed: Iterable<PartitionEnd & { readonly topic: TopicId }>): void {
    this.#topics.clear();
    for (const { topic, partition, offset } of committed) this.raise(topic, partition, offset);
  }

  /** A commit was applied. */
  raise(topic: TopicId, partition: number, offset: Int64): void {
    if (offset <= 0) return;
    const { seen } = this.#of(topic);
    const known = seen.get(partition);
    if (known === undefined) seen.set(partition, { offset, revision: 0 });
    else if (offset > known.offset) known.offset = offset;
  }
  /** In shard 0: a user says how far the source is. `back`: also where that is less than was said before. */
  say(topic: TopicId, ends: readonly PartitionEnd[], back: boolean): void {
    const { said } = this.#of(topic);
    for (const { partition, offset } of ends) {
      const known = said.get(partition);
      if (back || known === undefined || offset > known) said.set(partition, offset);
    }
  }
  /** A user set ends back: what was committed beyond them counts no more. */
  setBack(topic: TopicId, ends: readonly PartitionEnd[], revision: number): void {
    const { seen } = this.#of(topic);
    for (const { partition, offset } of ends) {
      const known = seen.get(partition);
      if (known !== undefined && known.revision >= revision) continue;
      seen.set(partition, { offset: lower(known?.offset ?? 0, offset), revision });
    }
  }
  /** Whether the offset is as far as commits have come in this shard. */
  isReachedBy(topic: TopicId, partition: number, offset: Int64): boolean {
    const known = this.#topics.get(topic)?.seen.get(partition);
    return known !== undefined && offset >= known.offset;
  }
  /** The furthest offset was deleted, and this one remains. */
  lower(topic: TopicId, partition: number, remaining: Int64): void {
    const known = this.#topics.get(topic)?.seen.get(partition);
    if (known !== undefined) known.offset = lower(known.offset, remaining);
  }
  forget(topic: TopicId): void {
    this.#topics.delete(topic);
  }
  /** Forgets all topics but those. */
  keep(isTopic: (topic: TopicId) => boolean): void {
    for (const topic of this.#topics.keys()) if (!isTopic(topic)) this.#topics.delete(topic);
  }
  /** Of every end that a user set back, as shard 0 knows it: this shard may not have been told. */
  learnSetBacks(facts: Ends): void {
    for (const [topic, { seen, said }] of facts.#topics) {
      for (const [partition, { offset, revision }] of seen) {
        // What was said is no lower than what it was set back to, and the end is no lower than what was said.
        const end = { partition, offset: said.get(partition) ?? offset };
        if (revision > 0) this.setBack(topic, [end], revision);
      }
    }
  }

  /** Adds the ends of a topic to a running CRC. */
  fingerprint(topic: TopicId, previous: number): number {
    const writer = new ByteWriter(256);
    this.#write(writer, this.#of(topic));
    return crc32c(writer.view(), previous);
  }

  #of(topic: TopicId): TopicEnds {
    let ends = this.#topics.get(topic);
    if (ends === undefined) {
      ends = { said: new Map(), seen: new Map() };
      this.#topics.set(topic, ends);
    }
    return ends;
  }

  #write(writer: ByteWriter, { said, seen }: TopicEnds): void {
    saidCodec.write(writer, said);
    seenCodec.write(writer, seen);
  }

  /** In chunks of about half a MiB; it ends where it ends, so that other state can follow. */
  *snapshot(): Iterable<Uint8Array> {
    const writer = new ByteWriter(1024);
    writer.u8(FORMAT);
    writer.varint(this.#topics.size);
    for (const [topic, ends] of this.#topics) {
      branded.topicId.write(writer, topic);
      this.#write(writer, ends);
      if (writer.length < CHUNK_BYTES) continue;
      yield writer.copy();
      writer.reset();
    }
    yield writer.copy();
  }

  /** Reads what `snapshot` gave, and no further, in steps. Throws MalformedBytesError. */
  static *restoring(bytes: PartedBytes): Steps<Ends> {
    const ends = new Ends();
    ends.#started = true;
    const topics = yield* bytes.item((reader) => {
      const format = reader.u8();
      if (format !== FORMAT)
        throw new MalformedBytesError(`ends in format ${format}, this version knows ${FORMAT}`);
      return reader.varint();
    });
    for (let i = 0; i < topics; i++) {
      const { said, seen } = ends.#of(yield* bytes.item((reader) => branded.topicId.read(reader)));
      yield* bytes.counted((reader) => said.set(reader.varint(), codec.int64.read(reader)));
      yield* bytes.counted((reader) => seen.set(reader.varint(), seenEndCodec.read(reader)));
    }
    return ends;
  }
}
