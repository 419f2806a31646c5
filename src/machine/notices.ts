import { assert, codec } from '../kernel/index.js';
import { noticesCodec } from './commands.js';
import type { Notice } from './types.js';

/**
 * Sends facts of shard 0 to the other shards: an at-least-once sender log and an idempotent receiver.
 * Shard 0 keeps a notice until every other shard has acknowledged it; a receiver remembers the highest it has acted on.
 */
export interface NoticeLog {
  /** In shard 0: a fact that all other shards must learn. */
  publish(fact: Notice['fact']): void;
  /** In shard 0: what this shard has not acknowledged, oldest first, as much of it as one command carries. */
  pending(shard: number): readonly Notice[];
  /** In shard 0. Acknowledgements may come twice and out of order. */
  acknowledge(shard: number, through: number): void;
  /** In a receiving shard: returns the notices that are new here, and counts them as seen. */
  receive(notices: readonly Notice[]): readonly Notice[];
  readonly seenThrough: number;
  save(): NoticeLogState;
}

/** Each notice is work for every group of the receiving shard: so many are delivered at once. */
const DELIVERED_MAX = 25;

export interface NoticeLogState {
  readonly nextSequence: number;
  readonly outbox: readonly Notice[];
  /** By shard; shard 0's own place is unused. */
  readonly acknowledged: readonly number[];
  readonly seenThrough: number;
}

export const noticeLogCodec = codec.struct<NoticeLogState>({
  nextSequence: codec.uint,
  outbox: noticesCodec,
  acknowledged: codec.array(codec.uint),
  seenThrough: codec.uint,
});

export function emptyNoticeLog(shards: number): NoticeLogState {
  return { nextSequence: 1, outbox: [], acknowledged: new Array<number>(shards).fill(0), seenThrough: 0 };
}

export function createNoticeLog(saved: NoticeLogState): NoticeLog {
  let { nextSequence, seenThrough } = saved;
  let outbox = [...saved.outbox];
  const acknowledged = [...saved.acknowledged];

  return {
    publish(fact) {
      if (acknowledged.length > 1) outbox.push({ sequence: nextSequence, fact });
      nextSequence++;
    },
    pending(shard) {
      const through = acknowledged[shard] ?? 0;
      if (shard === 0 || outbox.length === 0) return [];
      // Sequences have no gaps.
      const from = Math.max(0, through + 1 - outbox[0]!.sequence);
      return outbox.slice(from, from + DELIVERED_MAX);
    },
    acknowledge(shard, through) {
      assert(shard > 0 && shard < acknowledged.length, `shard ${shard} receives notices`);
      acknowledged[shard] = Math.max(acknowledged[shard]!, Math.min(through, nextSequence - 1));
      const byAll = Math.min(...acknowledged.slice(1));
      if (outbox.length > 0) outbox = outbox.slice(Math.max(0, byAll + 1 - outbox[0]!.sequence));
    },
    receive(notices) {
      const fresh: Notice[] = [];
      for (const notice of notices) {
        // There is never a gap: the sender repeats all notices from the oldest one that is not acknowledged.
        if (notice.sequence <= seenThrough) continue;
        seenThrough = notice.sequence;
        fresh.push(notice);
      }
      return fresh;
    },
    get seenThrough() {
      return seenThrough;
    },
    save: () => ({ nextSequence, outbox, acknowledged, seenThrough }),
  };
}
