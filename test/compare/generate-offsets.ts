import type { Action, Member, Writing } from './generate.js';
import { MISSING_TOPIC, TOPICS } from './sequence.js';

const NAMES = [...Object.keys(TOPICS), 'cmp-a', 'cmp-a', MISSING_TOPIC];
const OFFSETS: readonly unknown[] = [0, 1, 41, 42, 1_000_000, -1, { $int64: '9007199254740993' }, -5];
/** As long as a note may be. */
const LONGEST_NOTE = { $long: 'x', times: 4_096 };
const NOTES = [null, null, '', 'note', 'ü', LONGEST_NOTE, { ...LONGEST_NOTE, times: 4_097 }];

function topicsOf<P>(
  { random }: Writing,
  byId: boolean,
  partition: (index: number) => P,
  listed: 'partitions' | 'partitionIndexes' = 'partitions',
): readonly object[] {
  const names = random.chance(0.7)
    ? [random.pick(NAMES)]
    : [...new Set([random.pick(NAMES), random.pick(NAMES)])];
  return names.map((name) => {
    const indexes = random.chance(0.85) ? [random.below(3)] : [0, 1, random.pick([-1, 2, 7])];
    const partitions = indexes.map(partition);
    return byId ? { topicId: { $topicId: name }, [listed]: partitions } : { name, [listed]: partitions };
  });
}

function commit(writing: Writing, who: object, within: readonly [number, number]): void {
  const { random } = writing;
  const version = writing.version('OffsetCommit', within);
  const topics = topicsOf(writing, version >= 10, (partitionIndex) => ({
    partitionIndex,
    committedOffset: random.pick(OFFSETS),
    committedLeaderEpoch: random.pick([-1, 0, 3]),
    committedMetadata: random.pick(NOTES),
  }));
  writing.ask('ada', 'OffsetCommit', { groupId: { $group: writing.group }, ...who, topics }, [
    version,
    version,
  ]);
}

function memberCommit(writing: Writing): void {
  const { random, members } = writing;
  const present = members.filter(({ live }) => live);
  const member: Member = random.pick(present.length > 0 ? present : members);
  const good = {
    generationIdOrMemberEpoch: { $generation: member.client, plus: 0 },
    memberId: { $id: member.client },
    groupInstanceId: member.instance,
  };
  const bad: readonly object[] = [
    { generationIdOrMemberEpoch: { $generation: member.client, plus: 1 } },
    { generationIdOrMemberEpoch: { $generation: member.client, plus: -1 } },
    { generationIdOrMemberEpoch: -1 },
    { memberId: 'nobody' },
    { memberId: '' },
    { memberId: { $id: member.client, back: 1 } },
    { groupId: '', memberId: 'nobody' },
    { groupId: { $group: writing.otherGroup } },
  ];
  const who = random.chance(0.6) ? good : { ...good, ...random.pick(bad) };
  commit(writing, who, member.instance === null ? [2, 10] : [7, 10]);
}

function simpleCommit(writing: Writing): void {
  const { random, group, otherGroup } = writing;
  const groupId = { $group: random.chance(0.6) ? otherGroup : group };
  const who = random.chance(0.8) ? { memberId: '' } : { memberId: 'admin' };
  const retention = random.chance(0.1) ? { retentionTimeMs: 60_000 } : {};
  commit(writing, { groupId, generationIdOrMemberEpoch: -1, ...who, ...retention }, [2, 10]);
}

function fetched(writing: Writing): void {
  const { random } = writing;
  const version = writing.version('OffsetFetch');
  const groupId = { $group: random.pick([writing.group, writing.otherGroup]) };
  const ask = (body: object): void =>
    writing.ask(
      'ada',
      'OffsetFetch',
      { ...(version >= 7 ? { requireStable: random.chance(0.3) } : {}), ...body },
      [version, version],
    );
  const topics = (): readonly object[] | null => {
    if (version >= 2 && random.chance(0.4)) return null;
    return topicsOf(writing, version >= 10, (index) => index, 'partitionIndexes');
  };
  if (version < 8) return ask({ groupId, topics: topics() });
  const groups: object[] = [{ groupId, topics: topics(), ...askerOf(writing, version) }];
  if (random.chance(0.3)) groups.push({ groupId: { $group: 'B' }, topics: topics() });
  ask({ groups });
}

/** From v9 on a member may say who it is. */
function askerOf({ random, members }: Writing, version: number): object {
  if (version < 9 || random.chance(0.6)) return {};
  const { client } = random.pick(members);
  return random.pick([
    { memberId: { $id: client }, memberEpoch: { $generation: client, plus: 0 } },
    { memberId: { $id: client }, memberEpoch: { $generation: client, plus: -1 } },
    { memberId: 'nobody', memberEpoch: 1 },
    { memberId: '', memberEpoch: -1 },
  ]);
}

function deleteOffsets(writing: Writing): void {
  const groupId = writing.random.chance(0.1)
    ? ''
    : { $group: writing.random.pick([writing.group, writing.otherGroup]) };
  const topics = topicsOf(writing, false, (partitionIndex) => ({ partitionIndex }));
  writing.ask('ada', 'OffsetDelete', { groupId, topics: writing.random.chance(0.1) ? [] : topics });
}

function listOffsets(writing: Writing): void {
  const timestamp = writing.random.pick([-1, -2]);
  const topics = topicsOf(writing, false, (partitionIndex) => ({ partitionIndex, timestamp }));
  writing.ask('ada', 'ListOffsets', { replicaId: -1, topics });
}

export const OFFSET_ACTIONS: readonly Action[] = [
  [3, memberCommit],
  [2, simpleCommit],
  [3, fetched],
  [1, deleteOffsets],
  [0.5, listOffsets],
];
