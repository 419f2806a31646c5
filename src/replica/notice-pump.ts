import { shardId, type ShardId } from '../kernel/index.js';
import type { News } from '../machine/index.js';
import type { Coordinator } from './coordinator.js';

const FACTS = shardId(0);

/** News of shard 0 that the other shards are told of. */
const NOTICED: ReadonlySet<News['kind']> = new Set(['topic-deleted', 'ends-set-back']);

/**
 * Carries facts of shard 0 to the other shards, from the replica that leads shard 0: sends each shard what it has not
 * acknowledged, again and again until it has. Lost, doubled and late deliveries are the receiver's to drop (by sequence).
 */
export class NoticePump {
  readonly #coordinator: Coordinator;
  readonly #underWay = new Set<ShardId>();

  constructor(coordinator: Coordinator) {
    this.#coordinator = coordinator;
  }

  /** News of shard 0. */
  told(news: readonly News[]): void {
    if (news.some(({ kind }) => NOTICED.has(kind))) this.pump();
  }

  pump(): void {
    if (!this.#coordinator.serves(FACTS)) return;
    for (let shard = 1; shard < this.#coordinator.shards; shard++) this.#deliver(shardId(shard));
  }

  #deliver(shard: ShardId): void {
    const notices = this.#coordinator.peek(FACTS).pendingNotices(shard);
    if (notices.length === 0 || this.#underWay.has(shard)) return;
    this.#underWay.add(shard);
    this.#coordinator.submitAnywhere(shard, { kind: 'notice.receive', notices }, (received) => {
      if (received.kind !== 'ok') return void this.#underWay.delete(shard);
      const { through } = received.reply;
      this.#coordinator.submit(FACTS, { kind: 'notice.acknowledge', shard, through }, (acknowledged) => {
        this.#underWay.delete(shard);
        // A command carries a part of them.
        if (acknowledged.kind === 'ok') this.#deliver(shard);
      });
    });
  }
}
