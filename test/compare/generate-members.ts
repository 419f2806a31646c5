import type { Action, Member, Writing } from './generate.js';
import { MISSING_TOPIC, TOPICS } from './sequence.js';

/** Longer than any sequence takes. */
const LONG_MS = 120_000;
/** Longer than the requests between two words of a member take, and worth waiting for. */
const SHORT_MS = 1_500;
/** Never at the moment at which a session ends. */
const BARRIER_MS = 2_500;

const group = (writing: Writing): unknown => ({ $group: writing.group });
const id = (client: string, back = 0): unknown => (back === 0 ? { $id: client } : { $id: client, back });
const live = ({ members }: Writing): readonly Member[] => members.filter((member) => member.live);

function protocols({ random, protocolType }: Writing, member: Member): readonly unknown[] {
  const metadata =
    protocolType === 'consumer'
      ? { $subscription: member.topics }
      : { $bytes: Buffer.from(`${member.client}:${member.topics.join()}`).toString('base64') };
  const names = random.chance(0.15) ? ['range', 'roundrobin'] : ['range'];
  return names.map((name) => ({ name, metadata }));
}

function joinBody(writing: Writing, member: Member, memberId: unknown, more: object = {}): object {
  const { random, shortBarriers, protocolType } = writing;
  return {
    groupId: group(writing),
    sessionTimeoutMs: member.shortSession ? SHORT_MS : LONG_MS,
    rebalanceTimeoutMs: shortBarriers ? BARRIER_MS : LONG_MS,
    memberId,
    groupInstanceId: member.instance,
    protocolType,
    protocols: protocols(writing, member),
    reason: random.chance(0.2) ? 'because' : null,
    ...more,
  };
}
const joinVersions = ({ instance }: Member): readonly [number, number] =>
  instance === null ? [0, 9] : [5, 9];

function enter(writing: Writing, member: Member): void {
  member.live = true;
  member.shortSession = writing.shortSessions && writing.random.chance(0.5);
  writing.ask(member.client, 'JoinGroup', joinBody(writing, member, ''), joinVersions(member));
  const asked = writing.steps.at(-1)!;
  member.named = member.instance !== null || (asked.kind === 'ask' && asked.version >= 4);
  if (member.instance === null && member.named)
    writing.ask(member.client, 'JoinGroup', joinBody(writing, member, id(member.client)), [4, 9]);
}

function rejoin(writing: Writing, member: Member): void {
  writing.ask(member.client, 'JoinGroup', joinBody(writing, member, id(member.client)), joinVersions(member));
}

/** Everybody hands in an assignment that only the leader's server reads. */
function sync(writing: Writing, member: Member, more: object = {}): void {
  const { random, protocolType, members } = writing;
  const everybody = members.filter((each) => each.live);
  const assignments = everybody.map((each, index) => ({
    memberId: id(each.client),
    assignment:
      protocolType === 'consumer'
        ? {
            $assignment: { 'cmp-a': [0, 1, 2].filter((partition) => partition % everybody.length === index) },
          }
        : { $bytes: Buffer.from(`for ${each.client}`).toString('base64') },
  }));
  const named = random.chance(0.9) ? { protocolType, protocolName: 'range' } : {};
  writing.ask(
    member.client,
    'SyncGroup',
    {
      groupId: group(writing),
      generationId: { $generation: member.client, plus: 0 },
      memberId: id(member.client),
      groupInstanceId: member.instance,
      ...named,
      assignments: { $ifLeader: member.client, then: assignments },
      ...more,
    },
    member.instance === null ? [0, 5] : [3, 5],
  );
}

function shuffled<T>({ random }: Writing, items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function heartbeat(writing: Writing, member: Member, more: object = {}): void {
  writing.ask(
    member.client,
    'Heartbeat',
    {
      groupId: group(writing),
      generationId: { $generation: member.client, plus: 0 },
      memberId: id(member.client),
      groupInstanceId: member.instance,
      ...more,
    },
    member.instance === null ? [0, 4] : [3, 4],
  );
}

/** A whole rebalance: all live members join, or all but one, and synchronise. */
function rebalance(writing: Writing): void {
  const present = shuffled(writing, live(writing));
  const away = present.length > 1 && writing.random.chance(0.1) ? present[0] : undefined;
  const coming = present.filter((member) => member !== away);
  for (const member of coming) rejoin(writing, member);
  if (away !== undefined && writing.shortBarriers) {
    writing.steps.push({ kind: 'until', what: 'joined', group: writing.group, client: coming[0]!.client });
    if (away.instance === null) away.live = false;
  } else if (away !== undefined) rejoin(writing, away);
  for (const member of shuffled(writing, coming)) sync(writing, member);
}

function join(writing: Writing): void {
  const outside = writing.members.filter((member) => !member.live);
  if (outside.length === 0) return rebalance(writing);
  enter(writing, writing.random.pick(outside));
  if (writing.random.chance(0.8)) rebalance(writing);
}

function someMember(writing: Writing): Member {
  const present = live(writing);
  return writing.random.pick(present.length > 0 && writing.random.chance(0.9) ? present : writing.members);
}

function leave(writing: Writing): void {
  const { random } = writing;
  const member = someMember(writing);
  const identities: readonly object[] = [
    { memberId: id(member.client), groupInstanceId: member.instance },
    { memberId: '', groupInstanceId: member.instance ?? 'i-nobody' },
  ];
  const leaving = [random.pick(member.instance === null ? [identities[0]!] : identities)];
  if (random.chance(0.2)) leaving.push({ memberId: 'nobody', groupInstanceId: null });
  if (random.chance(0.1)) leaving.push({ memberId: 'nobody', groupInstanceId: 'i-ada' });
  if (random.chance(0.1)) leaving.push(leaving[0]!);
  if (random.chance(0.5) && member.instance === null) {
    writing.ask(
      member.client,
      'LeaveGroup',
      { groupId: group(writing), memberId: id(member.client) },
      [0, 2],
    );
  } else {
    writing.ask(member.client, 'LeaveGroup', { groupId: group(writing), members: leaving }, [3, 5]);
  }
  member.live = false;
  if (random.chance(0.6) && live(writing).length > 0) rebalance(writing);
}

/** A process with the same instance id comes back, and the one before speaks up. */
function restart(writing: Writing): void {
  const known = live(writing).filter(({ instance }) => instance !== null);
  if (known.length === 0) return join(writing);
  const member = writing.random.pick(known);
  writing.ask(member.client, 'JoinGroup', joinBody(writing, member, ''), [5, 9]);
  if (writing.random.chance(0.6)) heartbeat(writing, member, { memberId: id(member.client, 1) });
  if (writing.random.chance(0.4)) sync(writing, member, { memberId: id(member.client, 1) });
  if (writing.random.chance(0.4))
    writing.ask(member.client, 'JoinGroup', joinBody(writing, member, id(member.client, 1)), [5, 9]);
  if (writing.random.chance(0.7)) sync(writing, member);
  if (writing.random.chance(0.5)) rebalance(writing);
}

function badJoin(writing: Writing): void {
  const { random, protocolType } = writing;
  const member = someMember(writing);
  const bytes = { $bytes: 'AAE=' };
  const more: object = random.pick([
    { memberId: 'nobody' },
    { memberId: 'nobody', groupInstanceId: 'i-nobody' },
    { groupInstanceId: 'i-nobody' },
    { groupId: '' },
    { sessionTimeoutMs: 1 },
    { sessionTimeoutMs: -1 },
    { sessionTimeoutMs: 2_000_000 },
    { protocols: [] },
    { protocols: [{ name: 'another', metadata: bytes }] },
    { protocols: [{ name: '', metadata: bytes }] },
    { protocolType: protocolType === 'consumer' ? 'connect' : 'consumer' },
    { protocolType: '' },
  ]);
  writing.ask(member.client, 'JoinGroup', joinBody(writing, member, id(member.client), more), [5, 9]);
}

function badSync(writing: Writing): void {
  const member = someMember(writing);
  const more: object = writing.random.pick([
    { generationId: { $generation: member.client, plus: 1 } },
    { generationId: { $generation: member.client, plus: -1 } },
    { generationId: -1 },
    { memberId: 'nobody' },
    { memberId: '' },
    { groupId: '' },
    { protocolName: 'another', protocolType: writing.protocolType },
    { protocolName: 'range', protocolType: 'another' },
    { protocolName: null, protocolType: null },
    { assignments: [{ memberId: 'nobody', assignment: { $bytes: '' } }] },
  ]);
  sync(writing, member, more);
}

function goodOrBadHeartbeat(writing: Writing): void {
  const member = someMember(writing);
  if (writing.random.chance(0.5)) return heartbeat(writing, member);
  const more: object = writing.random.pick([
    { generationId: { $generation: member.client, plus: 1 } },
    { generationId: { $generation: member.client, plus: -1 } },
    { generationId: -1 },
    { memberId: 'nobody' },
    { memberId: '' },
    { groupId: '' },
    { groupId: { $group: writing.otherGroup } },
  ]);
  heartbeat(writing, member, more);
}

function otherSubscription(writing: Writing): void {
  const present = live(writing).filter(({ instance }) => instance === null);
  if (present.length === 0) return join(writing);
  const member = writing.random.pick(present);
  member.topics = writing.random.pick([
    ['cmp-a', 'cmp-b'],
    ['cmp-b'],
    ['cmp-a', MISSING_TOPIC],
    Object.keys(TOPICS),
  ]);
  rejoin(writing, member);
  if (writing.random.chance(0.8)) rebalance(writing);
}

/** Falls silent until its session is over. */
function expire(writing: Writing): void {
  const member = live(writing).find(({ shortSession }) => shortSession);
  if (member === undefined) return join(writing);
  writing.steps.push({ kind: 'until', what: 'gone', group: writing.group, client: member.client });
  member.live = false;
  heartbeat(writing, member);
}

/** Loses its connection while it waits at the barrier, and asks again. */
function retryJoin(writing: Writing): void {
  const present = live(writing);
  if (present.length < 2) return join(writing);
  const member = writing.random.pick(present);
  rejoin(writing, member);
  if (member.named && writing.random.chance(0.7))
    writing.steps.push({ kind: 'close', client: member.client });
  rejoin(writing, member);
  if (writing.random.chance(0.8)) rebalance(writing);
}

export const MEMBER_ACTIONS: readonly Action[] = [
  [5, join],
  [3, rebalance],
  [3, goodOrBadHeartbeat],
  [2, leave],
  [2, restart],
  [2, badJoin],
  [2, badSync],
  [1.5, otherSubscription],
  [1.5, expire],
  [1, retryJoin],
  [1, (writing) => sync(writing, someMember(writing))],
  [1, (writing) => rejoin(writing, someMember(writing))],
];
