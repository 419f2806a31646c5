import { groupId, type Int64, shardId, type TopicId } from '../kernel/index.js';
import type { Clock, Coordinator } from '../replica/index.js';
import type { ClusterFacts } from './cluster-facts.js';

/** How old what a scan found may be before the next asker starts another. Milliseconds. */
const FRESH_MS = 5_000;
/** Offsets looked at before the loop is given back. */
const SLICE_OFFSETS = 2_000;

/**
 * Where the partitions "end" (docs/clients.md#ends-of-partitions). There are no records, so a partition ends at the highest offset
 * that any group has committed: lag tools then show how far a group is behind the furthest one, and a reset to "latest"
 * goes there.
 *
 * Commits that pass through this replica are noted at once; those of other leaders are found in the applied state, by a
 * scan that runs in slices, only when somebody asks, and at most every few seconds. Ends never go back.
 */
export class VirtualEnds {
  readonly #coordinator: Coordinator;
  readonly #facts: ClusterFacts;
  readonly #clock: Clock;
  readonly #ends = new Map<TopicId, Int64[]>();
  #waiting: (() => void)[] = [];
  #scannedAt = Number.NEGATIVE_INFINITY;

  constructor(coordinator: Coordinator, facts: ClusterFacts, clock: Clock) {
    this.#coordinator = coordinator;
    this.#facts = facts;
    this.#clock = clock;
  }

  of(topic: TopicId, partition: number): Int64 {
    return this.#ends.get(topic)?.[partition] ?? 0;
  }

  note(topic: TopicId, partition: number, offset: Int64): void {
    let ends = this.#ends.get(topic);
    if (ends === undefined) {
      // A new topic is rare: the moment to forget those that are gone.
      for (const known of this.#ends.keys()) {
        if (this.#facts.topics.byId(known) === undefined) this.#ends.delete(known);
      }
      ends = [];
      this.#ends.set(topic, ends);
    }
    for (let at = ends.length; at <= partition; at++) ends.push(0);
    if (offset > ends[partition]!) ends[partition] = offset;
  }

  /** Calls back, in this turn or a later one, when the ends are fresh. */
  whenFresh(done: () => void): void {
    if (this.#coordinator.now() - this.#scannedAt < FRESH_MS) return done();
    this.#waiting.push(done);
    if (this.#waiting.length > 1) return;
    this.#slice(this.#scan());
  }

  #slice(scan: Generator<void, void>): void {
    if (scan.next().done !== true) return this.#clock.endOfTurn(() => this.#slice(scan));
    this.#scannedAt = this.#coordinator.now();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }

  *#scan(): Generator<void, void> {
    let seen = 0;
    for (let shard = 0; shard < this.#coordinator.shards; shard++) {
      const groups = this.#coordinator.peek(shardId(shard)).groups.list();
      for (const { group } of groups) {
        const view = this.#coordinator.peek(shardId(shard)).groups;
        for (const { topic, topicId, partition, offset } of view.committedAll(groupId(group))) {
          const known = this.#facts.topics.byName(topic);
          if (
            known !== undefined &&
            (topicId === null || topicId === known.id) &&
            partition < known.partitions
          ) {
            this.note(known.id, partition, offset);
          }
          seen++;
        }
        if (++seen >= SLICE_OFFSETS) {
          seen = 0;
          yield;
        }
      }
    }
  }
}
