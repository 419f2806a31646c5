import {
  generation,
  type GroupId,
  int64,
  type Int64,
  memberId,
  type TopicName,
  topicName,
} from '../kernel/index.js';
import type { CommittedOffset, GroupCommand, OffsetToCommit, Topic } from '../machine/index.js';

/** Where a reset goes. `shift`: by so many from where the offset is now. */
export type ResetTarget =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: Int64 }
  | { readonly kind: 'shift'; readonly by: bigint };

/** A topic with some of its partitions; all of them when it names none. */
export interface Selection {
  readonly topic: TopicName;
  readonly partitions: readonly number[] | null;
}

/** What is to become of one offset. Null: there is none. */
export interface OffsetChange {
  readonly topic: TopicName;
  readonly partition: number;
  readonly from: Int64 | null;
  readonly to: Int64 | null;
}

/** What a plan is made from. */
export interface PlanFacts {
  topicOf(name: TopicName): Topic | undefined;
  endOf(topic: Topic, partition: number): Int64;
  readonly committed: readonly CommittedOffset[];
}

/** The request names something that is not there. */
export class PlanProblem extends Error {
  override readonly name = 'PlanProblem';
}

/** "earliest", "latest", "1000", "+10", "-10". Undefined: none of them. */
export function resetTarget(text: string): ResetTarget | undefined {
  if (text === 'earliest' || text === 'latest') return { kind: text };
  if (/^[+-]\d{1,19}$/.test(text)) return { kind: 'shift', by: BigInt(text) };
  const offset = offsetOf(text);
  return offset === undefined ? undefined : { kind: 'offset', offset };
}

/** An offset of 64 bits, as digits or as a number. Undefined: it is none. */
export function offsetOf(value: unknown): Int64 | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string' || !/^\d{1,19}$/.test(value)) return undefined;
  const offset = BigInt(value);
  return offset < 2n ** 63n ? int64(offset) : undefined;
}

/** "tenants" or "tenants:0,1,5". Undefined: it cannot be read. */
export function selectionOf(text: string): Selection | undefined {
  const [, topic, list] = /^([^:]+)(?::(\d{1,9}(?:,\d{1,9})*))?$/.exec(text) ?? [];
  if (topic === undefined) return undefined;
  return { topic: topicName(topic), partitions: list?.split(',').map(Number) ?? null };
}

/**
 * The changes of a reset, by topic and partition. Without a selection: of every offset the group has. An offset that does
 * not exist is not shifted. Throws PlanProblem.
 */
export function planReset(
  target: ResetTarget,
  selections: readonly Selection[] | null,
  facts: PlanFacts,
): readonly OffsetChange[] {
  return chosen(selections, facts).flatMap(({ topic, partition, from }) => {
    const known = facts.topicOf(topic);
    // Committed for a topic that is gone.
    if (known === undefined) return [];
    const to = resetTo(target, from, () => facts.endOf(known, partition));
    return to === undefined ? [] : [{ topic, partition, from, to }];
  });
}

function resetTo(target: ResetTarget, from: Int64 | null, end: () => Int64): Int64 | undefined {
  switch (target.kind) {
    case 'earliest':
      return 0;
    case 'latest':
      return end();
    case 'offset':
      return target.offset;
    case 'shift': {
      if (from === null) return undefined;
      const to = BigInt(from) + target.by;
      if (to >= 2n ** 63n) throw new PlanProblem(`${String(from)} + ${target.by} is not an offset`);
      return to < 0n ? 0 : int64(to);
    }
  }
}

/** The changes that set offsets one by one. Throws PlanProblem. */
export function planOffsets(
  wanted: readonly { readonly topic: TopicName; readonly partition: number; readonly offset: Int64 }[],
  facts: PlanFacts,
): readonly OffsetChange[] {
  const selections = wanted.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
  return chosen(selections, facts).map((each, index) => ({ ...each, to: wanted[index]!.offset }));
}

/** The changes of a deletion: of offsets that are there. */
export function planDeletion(
  selections: readonly Selection[] | null,
  facts: PlanFacts,
): readonly OffsetChange[] {
  const wanted = (offset: CommittedOffset): boolean =>
    selections?.some(
      ({ topic, partitions }) => topic === offset.topic && (partitions?.includes(offset.partition) ?? true),
    ) ?? true;
  return facts.committed
    .filter(wanted)
    .map(({ topic, partition, offset }) => ({ topic, partition, from: offset, to: null }));
}

function chosen(
  selections: readonly Selection[] | null,
  facts: PlanFacts,
): readonly { readonly topic: TopicName; readonly partition: number; readonly from: Int64 | null }[] {
  const { committed } = facts;
  if (selections === null)
    return committed.map(({ topic, partition, offset }) => ({ topic, partition, from: offset }));
  const offsets = new Map(committed.map((each) => [`${each.topic}/${each.partition}`, each.offset]));
  return selections.flatMap(({ topic, partitions }) => {
    const known = facts.topicOf(topic);
    if (known === undefined) throw new PlanProblem(`There is no topic "${topic}".`);
    const wanted = partitions ?? Array.from({ length: known.partitions }, (_, partition) => partition);
    return wanted.map((partition) => {
      if (partition >= known.partitions)
        throw new PlanProblem(`The topic "${topic}" has ${known.partitions} partitions, not ${partition}.`);
      return { topic, partition, from: offsets.get(`${topic}/${partition}`) ?? null };
    });
  });
}

/** A simple commit, which a group without members takes. */
export function commitOf(
  group: GroupId,
  changes: readonly OffsetChange[],
  facts: PlanFacts,
  offsetMetadataBytesMax: number,
): Extract<GroupCommand, { kind: 'group.commit' }> {
  const offsets = changes.flatMap(({ topic, partition, to }): OffsetToCommit[] =>
    to === null
      ? []
      : [
          {
            topic,
            topicId: facts.topicOf(topic)?.id ?? null,
            partition,
            offset: to,
            leaderEpoch: -1,
            metadata: '',
          },
        ],
  );
  return {
    kind: 'group.commit',
    group,
    generation: generation(-1),
    memberId: memberId(''),
    instanceId: null,
    groupNotFoundKnown: true,
    retentionMs: null,
    offsetMetadataBytesMax,
    offsets,
  };
}

export function deletionOf(
  group: GroupId,
  changes: readonly OffsetChange[],
): Extract<GroupCommand, { kind: 'group.deleteOffsets' }> {
  const byTopic = new Map<TopicName, number[]>();
  for (const { topic, partition } of changes) {
    const partitions = byTopic.get(topic);
    if (partitions === undefined) byTopic.set(topic, [partition]);
    else partitions.push(partition);
  }
  const topics = [...byTopic].map(([topic, partitions]) => ({ topic, partitions }));
  return { kind: 'group.deleteOffsets', group, topics };
}
