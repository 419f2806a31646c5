import { type TopicName, type WallMs, wallMs } from '../kernel/index.js';
import type { CommittedOffset, OffsetToCommit } from './types.js';

/** What few offsets have: kept apart, so that a million plain ones stay small. */
interface Extra {
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** When it may go, whatever the setting says (OffsetCommit v2-4); null = by the setting. */
  readonly expiresAt: WallMs | null;
}

interface TopicOffsets {
  /** Of the incarnation of the topic that was committed for; offsets of an older one are void. */
  topicId: string | null;
  /** By partition. */
  readonly offset: (number | undefined)[];
  readonly committedAt: number[];
  readonly extra: Map<number, Extra>;
  count: number;
}

/** An offset with everything that a snapshot must keep of it. */
export interface StoredOffset extends CommittedOffset {
  readonly expiresAt: WallMs | null;
}

/** The committed offsets of one group, in columns. Independent of the protocol that its members speak. */
export class OffsetTable {
  readonly #topics = new Map<TopicName, TopicOffsets>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  put(offset: Omit<OffsetToCommit, never>, at: WallMs, expiresAt: WallMs | null): void {
    const { topic, topicId, partition, leaderEpoch, metadata } = offset;
    let table = this.#topics.get(topic);
    if (table !== undefined && table.topicId !== null && topicId !== null && table.topicId !== topicId) {
      // The topic was made anew: what was committed for the old one means nothing.
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

  remove(topic: TopicName, partition: number): boolean {
    const table = this.#topics.get(topic);
    if (table?.offset[partition] === undefined) return false;
    table.offset[partition] = undefined;
    table.extra.delete(partition);
    this.#count--;
    if (--table.count === 0) this.#topics.delete(topic);
    return true;
  }

  /** Offsets committed for another incarnation of the topic than `topicId` stay. */
  removeTopic(topic: TopicName, topicId: string | null = null): void {
    const table = this.#topics.get(topic);
    if (table === undefined || (topicId !== null && table.topicId !== null && table.topicId !== topicId))
      return;
    this.#count -= table.count;
    this.#topics.delete(topic);
  }

  /** Removes what is past its time; `base` says since when an offset is unused, undefined while it is in use. */
  expire(now: WallMs, retentionMs: number, base: (offset: StoredOffset) => WallMs | undefined): void {
    for (const offset of [...this.all()]) {
      const since = base(offset);
      if (since === undefined) continue;
      const until = offset.expiresAt ?? since + retentionMs;
      if (now >= until) this.remove(offset.topic, offset.partition);
    }
  }
}
