import {
  crc32c,
  type GroupId,
  type MonotonicMs,
  type ShardId,
  shardId,
  type TopicId,
  type TopicName,
} from '../kernel/index.js';
import type { BrokerAddress, Coordinator } from '../replica/index.js';
import type { Topic, TopicsView } from '../machine/index.js';

/** The shard that holds the cluster's facts. */
export const FACTS = shardId(0);

/** How long the answers of all replicas together may miss a shard whose leader has changed. Milliseconds. */
const MOVED_LATELY_MS = 1_000;
/** So many deleted topics are remembered. */
const DELETED_MAX = 10_000;

/** The replicas and what they lead, the same from every replica (docs/clients.md#replica-ids, docs/clients.md#every-replica-answers). */
export class ClusterFacts {
  readonly #coordinator: Coordinator;
  readonly #movedAt = new Map<ShardId, MonotonicMs>();
  /** By name and by id, the oldest first: how many partitions a topic had. */
  readonly #deleted = new Map<TopicName | TopicId, number>();

  constructor(coordinator: Coordinator) {
    this.#coordinator = coordinator;
  }

  /** As Kafka does it: those that live. A client that is told of a dead one waits for it to answer. */
  brokers(): readonly BrokerAddress[] {
    return this.#coordinator.brokers().filter(({ up }) => up);
  }

  /**
   * The replica that coordinates the groups of a shard; undefined while none is known that a client could reach, and from when
   * it says that it is about to stop until another one has taken over. Metadata lists it as long as it serves: kafkajs ends
   * its connection to a coordinator that is not listed, and gives up its membership.
   */
  leaderOf(shard: ShardId): BrokerAddress | undefined {
    const leader = this.#coordinator.leaderOf(shard);
    if (leader === undefined) return undefined;
    return this.brokers().find(({ id, leaving }) => id === leader && leaving !== true);
  }

  /** The leader of the cluster's facts if clients can reach it, else any listed replica (docs/clients.md#replica-ids). */
  controllerId(brokers: readonly BrokerAddress[]): number {
    const leader = this.#coordinator.leaderOf(FACTS);
    return brokers.find(({ id }) => id === leader)?.id ?? brokers[0]?.id ?? -1;
  }

  /** To be told of each change of a shard's leader. */
  leadMoved(shard: ShardId): void {
    this.#movedAt.set(shard, this.#coordinator.now());
  }
  /**
   * Another replica that clients can reach leads the shard, and has done so for a while: a client that asks all replicas gets
   * the shard's groups from that one. Right after a change each of two replicas may name the other one as leader.
   */
  settledElsewhere(shard: ShardId): boolean {
    const leader = this.#coordinator.leaderOf(shard);
    if (leader === undefined || leader === this.#coordinator.self) return false;
    if (!this.brokers().some(({ id }) => id === leader)) return false;
    const movedAt = this.#movedAt.get(shard);
    return movedAt === undefined || this.#coordinator.now() - movedAt >= MOVED_LATELY_MS;
  }

  /** To be told of each topic that is deleted. */
  topicDeleted({ name, id, partitions }: Topic): void {
    for (const key of [name, id]) {
      this.#deleted.delete(key);
      this.#deleted.set(key, partitions);
    }
    for (const oldest of this.#deleted.keys()) {
      if (this.#deleted.size <= 2 * DELETED_MAX) return;
      this.#deleted.delete(oldest);
    }
  }
  /** A topic had the partition, and was deleted since this replica started. Another one may have its name now. */
  wasDeleted(topic: TopicName | TopicId, partition: number): boolean {
    return partition >= 0 && partition < (this.#deleted.get(topic) ?? 0);
  }

  get topics(): TopicsView {
    return this.#coordinator.peek(FACTS).topics;
  }
  /** Whether a request that makes the group if there is none would make one too many. */
  takesNoMore(group: GroupId): boolean {
    const { groupSettings, shards } = this.#coordinator;
    const { groups } = this.#coordinator.peek(this.#coordinator.shardOf(group));
    return groups.groupCount >= Math.ceil(groupSettings.groupsMax / shards) && !groups.has(group);
  }
  /** False before this replica has applied anything of the cluster's facts: then no topic may be called unknown. */
  get factsKnown(): boolean {
    return this.#coordinator.peek(FACTS).appliedThrough > 0;
  }
  hasPartition(topic: Topic | undefined, partition: number): boolean {
    return topic !== undefined && partition >= 0 && partition < topic.partitions;
  }
}

/**
 * Where clients fetch from. Any replica can answer an empty Fetch, so this only spreads the load: a partition stays with
 * its home as long as that one is up, and the others do not move when it is not.
 */
export class PartitionLeaders {
  readonly #all: readonly BrokerAddress[];
  readonly #up: readonly BrokerAddress[];

  constructor(all: readonly BrokerAddress[]) {
    this.#all = [...all].sort((a, b) => a.id - b.id);
    const up = this.#all.filter((broker) => broker.up);
    const inSync = up.filter(({ votes }) => votes !== false);
    this.#up = inSync.length > 0 ? inSync : up;
  }

  of(topic: TopicName, partition: number): number {
    const at = (crc32c(Buffer.from(topic)) + partition) >>> 0;
    const home = this.#all[at % this.#all.length];
    if (home !== undefined && this.#up.includes(home)) return home.id;
    return this.#up[Math.floor(at / this.#all.length) % this.#up.length]?.id ?? -1;
  }
}
