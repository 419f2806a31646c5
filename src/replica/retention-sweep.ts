import {
  type GroupId,
  type ShardId,
  type TopicName,
  unwatched,
  type WallMs,
  type Work,
} from '../kernel/index.js';
import type { Expirable, MachineView } from '../machine/index.js';
import type { Coordinator } from './coordinator.js';
import type { Measures } from './measures.js';
import type { Clock } from './ports.js';
import type { ShardHost } from './shard-host.js';

/** Offsets that are looked at before the loop is given back. */
const LOOKED_AT_MAX = 1_000;
/** Offsets that one command removes at every replica at once. */
const REMOVED_MAX = 500;

type Named = Map<GroupId, Map<TopicName, number[]>>;

/**
 * Looks for offsets and groups past their retention in the shards that are led here, in slices, and proposes what it finds, a
 * part at a time: however many there are, neither the search nor the removal holds the loop of a replica.
 */
export class RetentionSweep {
  readonly #coordinator: Coordinator;
  readonly #work: Work;
  readonly #clock: Pick<Clock, 'endOfTurn'>;
  readonly #measures: Pick<Measures, 'expired'> | undefined;
  readonly #underWay = new Set<ShardId>();

  constructor(
    coordinator: Coordinator,
    clock: Pick<Clock, 'endOfTurn'>,
    work: Work = unwatched,
    measures: Pick<Measures, 'expired'> | undefined = undefined,
  ) {
    this.#work = work;
    this.#measures = measures;
    this.#coordinator = coordinator;
    this.#clock = clock;
  }

  /** In a shard that is led here and holds groups, if its time is sure. */
  startWhere(mayDelete: (host: ShardHost) => boolean, host: ShardHost): void {
    const { shard, leadership, machine } = host;
    if (!leadership.serving || machine.groups.groupCount === 0 || !mayDelete(host)) return;
    this.start(shard, host.stamp());
  }

  /** `at`: the time that the shard has reached. One that is still under way goes on instead. */
  start(shard: ShardId, at: WallMs): void {
    if (this.#underWay.has(shard) || !this.#coordinator.serves(shard)) return;
    const { groups }: MachineView = this.#coordinator.peek(shard);
    if (groups.groupCount === 0) return;
    this.#underWay.add(shard);
    const { offsetsRetentionMs } = this.#coordinator.groupSettings;
    const found = groups.expirable(at, offsetsRetentionMs);
    this.#work('sweep', () => this.#slice(shard, found[Symbol.iterator](), new Map(), 0));
  }

  #slice(shard: ShardId, search: Iterator<Expirable | null>, named: Named, count: number): void {
    if (!this.#coordinator.serves(shard)) return void this.#underWay.delete(shard);
    for (let looked = 0; looked < LOOKED_AT_MAX && count < REMOVED_MAX; looked++) {
      const next = search.next();
      if (next.done === true)
        return count === 0 ? void this.#underWay.delete(shard) : this.#remove(shard, search, named);
      if (next.value === null) continue;
      name(named, next.value);
      count++;
    }
    if (count >= REMOVED_MAX) return this.#remove(shard, search, named);
    this.#later(() => this.#slice(shard, search, named, count));
  }

  #remove(shard: ShardId, search: Iterator<Expirable | null>, named: Named): void {
    const groups = [...named].map(([group, byTopic]) => ({
      group,
      topics: [...byTopic].map(([topic, partitions]) => ({ topic, partitions })),
    }));
    const { offsetsRetentionMs } = this.#coordinator.groupSettings;
    this.#coordinator.submit(shard, { kind: 'group.expireThese', offsetsRetentionMs, groups }, ({ kind }) => {
      // Refused: the next sweep, or the next leader, finds them again.
      if (kind !== 'ok') return void this.#underWay.delete(shard);
      this.#measures?.expired(groups.reduce((sum, { topics }) => sum + offsetsOf(topics), 0));
      this.#later(() => this.#slice(shard, search, new Map(), 0));
    });
  }

  #later(slice: () => void): void {
    this.#clock.endOfTurn(() => this.#work('sweep', slice));
  }
}

const offsetsOf = (topics: readonly { readonly partitions: readonly number[] }[]): number =>
  topics.reduce((sum, { partitions }) => sum + partitions.length, 0);

function name(named: Named, { group, topic, partition }: Expirable): void {
  let byTopic = named.get(group);
  if (byTopic === undefined) named.set(group, (byTopic = new Map<TopicName, number[]>()));
  if (topic === null) return;
  const partitions = byTopic.get(topic);
  if (partitions === undefined) byTopic.set(topic, [partition]);
  else partitions.push(partition);
}
