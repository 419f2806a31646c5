import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { groupId, topicName } from '../../../src/kernel/index.js';
import { answerOf, GROUP, GroupsWorld, TOPIC } from './world.js';

/**
 * State x request -> answer, as Kafka's coordinator has it (GroupMetadataManager and its classic group, 4.x). `A` leads
 * the group, `B` follows. While preparing, `B` waits at the barrier and `A` has not come yet; while completing, neither has
 * synced. In every state but the first there was a generation before. `-` : the request makes no sense there.
 */
const STATES = ['missing', 'Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'] as const;
type State = (typeof STATES)[number];

const OLD = 'an older generation';
const request = {
  'join, no id, id required (v4+)': (w) => w.join({ idRequired: true }),
  'join, no id (v3)': (w) => w.join(),
  'join, unknown id': (w) => w.join({ id: 'nobody' }),
  'join, the leader again': (w) => w.join({ id: 'A' }),
  'join, the leader again, after a take-over': (w) => w.join({ id: 'A', resuming: true }),
  'join, a follower again': (w) => w.join({ id: 'B' }),
  'join, a follower with other protocols': (w) => w.join({ id: 'B', protocols: ['range', 'sticky'] }),
  'join, another protocol type': (w) => w.join({ protocolType: 'connect' }),
  'join, no protocol in common': (w) => w.join({ protocols: ['RoundRobinAssigner'] }),
  'join, no protocols at all': (w) => w.join({ protocols: [] }),
  'join, the group is full': (w) => w.join({ sizeMax: 2 }),
  'join, unknown instance with an id': (w) => w.join({ id: 'A', instance: 'i-9' }),
  'sync, the leader': (w) => w.sync('A', { A: [0], B: [1] }),
  'sync, a follower': (w) => w.sync('B'),
  'sync, unknown id': (w) => w.sync('nobody'),
  [`sync, ${OLD}`]: (w) => w.sync('A', {}, { generation: w.generation - 1 }),
  'sync, another protocol': (w) => w.sync('A', {}, { protocol: 'sticky' }),
  heartbeat: (w) => w.heartbeat('A'),
  'heartbeat, unknown id': (w) => w.heartbeat('nobody'),
  [`heartbeat, ${OLD}`]: (w) => w.heartbeat('A', { generation: w.generation - 1 }),
  'heartbeat, unknown instance': (w) => w.heartbeat('A', { instance: 'i-9' }),
  'commit, a member': (w) => w.commit('A', 0, 5),
  'commit, unknown id': (w) => w.commit('nobody', 0, 5),
  [`commit, ${OLD}`]: (w) => w.commit('A', 0, 5, { generation: w.generation - 1 }),
  'commit, a member that knows of missing groups (v9+)': (w) =>
    w.commit('A', 0, 5, { groupNotFoundKnown: true }),
  'commit, nobody (simple)': (w) => w.commit('', 0, 5, { generation: -1 }),
  'commit, too long a note': (w) => w.commit('', 0, 5, { generation: -1, metadata: 'x'.repeat(17) }),
  'leave, a member': (w) => w.leave({ id: 'B' }),
  'leave, unknown id': (w) => w.leave({ id: 'nobody' }),
  'leave, unknown instance': (w) => w.leave({ instance: 'i-9' }),
  'delete the group': (w) => w.apply({ kind: 'group.delete', group: groupId(GROUP) }).reply,
  'delete offsets of the topic in use': (w) => deleteOffsets(w, TOPIC),
  'delete offsets of another topic': (w) => deleteOffsets(w, 'other'),
} satisfies Record<string, (w: GroupsWorld) => ReturnType<GroupsWorld['join']> | string>;

function deleteOffsets(w: GroupsWorld, topic: string): ReturnType<GroupsWorld['join']> {
  return w.apply({
    kind: 'group.deleteOffsets',
    group: groupId(GROUP),
    topics: [{ topic: topicName(topic), partitions: [0] }],
  }).reply;
}

const ID = 'MEMBER_ID_REQUIRED';
const UNKNOWN = 'UNKNOWN_MEMBER_ID';
const BUSY = 'REBALANCE_IN_PROGRESS';
const ILLEGAL = 'ILLEGAL_GENERATION';
const INCONSISTENT = 'INCONSISTENT_GROUP_PROTOCOL';
const FULL = 'GROUP_MAX_SIZE_REACHED';
const NOT_FOUND = 'GROUP_ID_NOT_FOUND';
const NON_EMPTY = 'NON_EMPTY_GROUP';
const TOO_LARGE = 'OFFSET_METADATA_TOO_LARGE';
const IN_USE = 'GROUP_SUBSCRIBED_TO_TOPIC';

// prettier-ignore
const TABLE: Record<keyof typeof request, readonly [string, string, string, string, string]> = {
  //                                                     missing       Empty         Preparing     Completing    Stable
  'join, no id, id required (v4+)':                     [ID,           ID,           ID,           ID,           ID],
  'join, no id (v3)':                                   ['waits',      'waits',      'waits',      'waits',      'waits'],
  'join, unknown id':                                   [UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN],
  'join, the leader again':                             [UNKNOWN,      UNKNOWN,      'waits',      'NONE',       'waits'],
  'join, the leader again, after a take-over':          [UNKNOWN,      UNKNOWN,      'waits',      'NONE',       'NONE'],
  'join, a follower again':                             [UNKNOWN,      UNKNOWN,      'waits',      'NONE',       'NONE'],
  'join, a follower with other protocols':              [UNKNOWN,      UNKNOWN,      'waits',      'waits',      'waits'],
  'join, another protocol type':                        ['waits',      'waits',      INCONSISTENT, INCONSISTENT, INCONSISTENT],
  'join, no protocol in common':                        ['waits',      'waits',      INCONSISTENT, INCONSISTENT, INCONSISTENT],
  'join, no protocols at all':                          [INCONSISTENT, INCONSISTENT, INCONSISTENT, INCONSISTENT, INCONSISTENT],
  'join, the group is full':                            ['waits',      'waits',      'waits',      FULL,         FULL],
  'join, unknown instance with an id':                  [UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN],
  'sync, the leader':                                   [UNKNOWN,      UNKNOWN,      BUSY,         'waits',      'NONE'],
  'sync, a follower':                                   [UNKNOWN,      UNKNOWN,      BUSY,         'waits',      'NONE'],
  'sync, unknown id':                                   [UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN],
  [`sync, ${OLD}`]:                                     [UNKNOWN,      UNKNOWN,      ILLEGAL,      ILLEGAL,      ILLEGAL],
  'sync, another protocol':                             [UNKNOWN,      UNKNOWN,      INCONSISTENT, INCONSISTENT, INCONSISTENT],
  heartbeat:                                            [UNKNOWN,      UNKNOWN,      BUSY,         'NONE',       'NONE'],
  'heartbeat, unknown id':                              [UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN],
  [`heartbeat, ${OLD}`]:                                [UNKNOWN,      UNKNOWN,      ILLEGAL,      ILLEGAL,      ILLEGAL],
  'heartbeat, unknown instance':                        [UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN],
  'commit, a member':                                   [ILLEGAL,      UNKNOWN,      'NONE',       BUSY,         'NONE'],
  'commit, unknown id':                                 [ILLEGAL,      UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN],
  [`commit, ${OLD}`]:                                   [ILLEGAL,      UNKNOWN,      ILLEGAL,      ILLEGAL,      ILLEGAL],
  'commit, a member that knows of missing groups (v9+)':[NOT_FOUND,    UNKNOWN,      'NONE',       BUSY,         'NONE'],
  'commit, nobody (simple)':                            ['NONE',       'NONE',       UNKNOWN,      UNKNOWN,      UNKNOWN],
  'commit, too long a note':                            [TOO_LARGE,    TOO_LARGE,    UNKNOWN,      UNKNOWN,      UNKNOWN],
  'leave, a member':                                    [UNKNOWN,      UNKNOWN,      'NONE',       'NONE',       'NONE'],
  'leave, unknown id':                                  [UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN],
  'leave, unknown instance':                            [UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN,      UNKNOWN],
  'delete the group':                                   [NOT_FOUND,    'NONE',       NON_EMPTY,    NON_EMPTY,    NON_EMPTY],
  'delete offsets of the topic in use':                 [NOT_FOUND,    'NONE',       IN_USE,       IN_USE,       IN_USE],
  'delete offsets of another topic':                    [NOT_FOUND,    'NONE',       'NONE',       'NONE',       'NONE'],
};

function worldIn(state: State): GroupsWorld {
  const world = new GroupsWorld();
  if (state === 'missing') return world;
  // Two members, the second generation: there is an older one.
  world.stable('B', 'A');
  world.leave({ id: 'B' });
  world.join({ id: 'A' });
  world.sync('A', { A: [0, 1] });
  if (state === 'Empty') world.leave({ id: 'A' });
  else {
    world.join({ newId: 'B' });
    if (state !== 'PreparingRebalance') world.join({ id: 'A' });
    if (state === 'Stable') {
      world.sync('A', { A: [0], B: [1] });
      world.sync('B');
    }
  }
  world.forget();
  return world;
}

describe.each(STATES)('a classic group that is %s', (state) => {
  it('is set up as the table says', () => {
    const world = worldIn(state);
    expect(world.state).toBe(state);
    if (['missing', 'Empty'].includes(state)) return;
    expect(world.members).toEqual(expect.arrayContaining(['A', 'B']));
    expect(world.leader).toBe('A');
  });

  const column = STATES.indexOf(state);
  it.each(Object.entries(TABLE).map(([name, answers]) => [name, answers[column]!] as const))(
    '%s -> %s',
    (name, expected) => {
      const world = worldIn(state);
      const before = world.snapshot();
      const answer = request[name as keyof typeof request](world);
      expect(typeof answer === 'string' ? answer : answerOf(answer)).toBe(expected);
      // What is refused changes nothing; an id that was handed out and a join that found the group missing do.
      const refused = !['NONE', 'waits', ID].includes(expected);
      if (refused && state !== 'missing') expect(world.snapshot()).toEqual(before);
    },
  );
});

it('docs/groups.md shows this table', () => {
  const page = readFileSync(new URL('../../../docs/groups.md', import.meta.url), 'utf8');
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const lines = page.split('\n');
  const head = lines.findIndex((line) => line.startsWith('| request '));
  expect(cells(lines[head]!)).toEqual(['request', ...STATES]);
  const shown = lines.slice(head + 2, lines.indexOf('', head)).map(cells);
  expect(shown).toEqual(Object.entries(TABLE).map(([name, answers]) => [name, ...answers]));
});
