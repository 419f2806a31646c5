import { type Int64, type TopicName, type WallMs, wallMs } from '../kernel/index.js';
import type { OffsetToCommit } from './types/commands.js';
import type { CommittedOffset } from './types/views.js';

/** Fields that few offsets have. They are stored apart, so that a million plain offsets stay small. */
interface Extra {
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** When it expires (OffsetCommit v2-4); null = the setting decides. */
  readonly expiresAt: WallMs | null;
}

interface TopicOffsets {
  /** The id of the topic that the offsets were committed for. A topic that is deleted and created again has another id. */
  topicId: string | null;
  /** By partition. */
  readonly offset: (Int64 | undefined)[];
  readonly committedAt: number[];
  readonly extra: Map<number, Extra>;
  count: number;
}

/** An offset with all that a snapshot must keep. */
export interface StoredOffset extends CommittedOffset {
  readonly expiresAt: WallMs | null;
}

/** The committed offsets of one group, in columns. They do not depend on the protocol of its members. */
export class OffsetTable {
  readonly #topics = new Map<TopicName, TopicOffsets>();
  #count = 0;

  get count(): number {
    return this.#count;
  }
  copy(): OffsetTable {
    const copy = new OffsetTable();
    copy.#count = this.#count;
    for (const [topic, table] of this.#topics)
      copy.#topics.set(topic, {
        ...table,
        offset: table.offset.slice(),
        committedAt: table.committedAt.slice(),
        extra: new Map(table.extra),
      });
    return copy;
  }

  put(offset: OffsetToCommit, at: WallMs, expiresAt: WallMs | null): void {
    const { topic, topicId, partition, leaderEpoch, metadata } = offset;
    let table = this.#topics.get(topic);
    if (table !== undefined && table.topicId !== null && topicId !== null && table.topicId !== topicId) {
      // The topic was deleted and created again: offsets of the old topic mean nothing.
      this.removeTopic(topic);
      table = undefined;
    }
    if (table === undefined) {
      table = { topicId, offset: [], committedAt: [], extra: new Map(), count: 0 };
      this.#topics.set(topic, table);
    }
    table.topicId ??= topicId;
    if (table.offset[partition] === undefined) {
      table.count++;
      this.#count++;
    }
    table.offset[partition] = offset.offset;
    table.committedAt[partition] = at;
    if (leaderEpoch === -1 && metadata === '' && expiresAt === null) table.extra.delete(partition);
    else table.extra.set(partition, { leaderEpoch, metadata, expiresAt });
  }

  get(topic: TopicName, partition: number): StoredOffset | undefined {
    const table = this.#topics.get(topic);
    const offset = table?.offset[partition];
    if (table === undefined || offset === undefined) return undefined;
    const extra = table.extra.get(partition);
    return {
      topic,
      topicId: table.topicId,
      partition,
      offset,
      leaderEpoch: extra?.leaderEpoch ?? -1,
      metadata: extra?.metadata ?? '',
      committedAt: wallMs(table.committedAt[partition]!),
      expiresAt: extra?.expiresAt ?? null,
    };
  }

  *all(): Iterable<StoredOffset> {
    for (const [topic, table] of this.#topics) {
      // Keys, not indices: a topic may have offsets for a few high partitions only.
      for (const partition of Object.keys(table.offset)) {
        const offset = this.get(topic, Number(partition));
        if (offset !== undefined) yield offset;
      }
    }
  }

  /** What is stored of the places that are asked for. Takes as many steps as the shorter of the two lists has. */
  *ofThese(places: ReadonlyMap<TopicName, ReadonlySet<number>>): Iterable<StoredOffset> {
    const topics = this.#topics.size < places.size ? this.#topics.keys() : places.keys();
    for (const topic of topics) {
      const table = this.#topics.get(topic);
      const asked = places.get(topic);
      if (table === undefined || asked === undefined) continue;
      const partitions = table.count < asked.size ? Object.keys(table.offset).map(Number) : asked;
      for (const partition of partitions) {
        const offset = asked.has(partition) ? this.get(topic, partition) : undefined;
        if (offset !== undefined) yield offset;
      }
    }
  }

  remove(topic: TopicName, partition: number): boolean {
    const table = this.#topics.get(topic);
    if (table?.offset[partition] === undefined) return false;
    table.offset[partition] = undefined;
    table.extra.delete(partition);
    this.#count--;
    if (--table.count === 0) this.#topics.delete(topic);
    return true;
  }

  /** Offsets that were committed for a topic with another id than `topicId` stay. */
  removeTopic(topic: TopicName, topicId: string | null = null): void {
    const table = this.#topics.get(topic);
    if (table === undefined || (topicId !== null && table.topicId !== null && table.topicId !== topicId))
      return;
    this.#count -= table.count;
    this.#topics.delete(topic);
  }
}
