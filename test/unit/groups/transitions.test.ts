import { describe, expect, it } from '@jest/globals';
import { groupId, InvariantError } from '../../../src/kernel/index.js';
import {
  type ClassicEvent,
  type ClassicState,
  enter,
  TRANSITIONS,
} from '../../../src/groups/classic/states.js';
import { GROUP, GroupsWorld } from './world.js';

/** One test for every state and event, legal or not. A new edge needs a play here; a new event does not compile without. */
const STATES = Object.keys(TRANSITIONS) as ClassicState[];
const EVENTS = Object.keys({
  'member-joined': 0,
  'member-left': 0,
  'session-expired': 0,
  'subscription-changed': 0,
  'leader-rejoined': 0,
  'static-replaced': 0,
  'sync-missed': 0,
  'barrier-opened': 0,
  'members-gone': 0,
  'assignment-received': 0,
} satisfies Record<ClassicEvent, 0>) as ClassicEvent[];

type Play = (world: GroupsWorld) => void;

const completing: Play = (w) => {
  for (const id of ['A', 'B']) w.join({ newId: id });
  w.pass(200);
};
const completingWithStatic: Play = (w) => {
  w.join({ newId: 'A' });
  w.join({ newId: 'S-1', instance: 's', protocols: ['range', 'sticky'] });
  w.pass(200);
};
const stable: Play = (w) => w.stable('A', 'B');

/** What brings a group into the state, and what then makes the event happen. */
const PLAYS: Readonly<Record<string, readonly [before: Play, event: Play]>> = {
  'Empty, member-joined': [(w) => w.commit('', 0, 5, { generation: -1 }), (w) => w.join({ newId: 'A' })],
  'PreparingRebalance, barrier-opened': [(w) => w.join({ newId: 'A' }), (w) => w.pass(100)],
  'PreparingRebalance, members-gone': [(w) => w.join({ newId: 'A' }), (w) => w.leave({ id: 'A' })],
  'CompletingRebalance, assignment-received': [completing, (w) => w.sync('A', { A: [0], B: [1] })],
  'CompletingRebalance, member-joined': [completing, (w) => w.join({ newId: 'C' })],
  'CompletingRebalance, member-left': [completing, (w) => w.leave({ id: 'B' })],
  'CompletingRebalance, session-expired': [
    completing,
    (w) => {
      w.pass(9_000);
      w.heartbeat('A');
      w.pass(1_000);
    },
  ],
  'CompletingRebalance, subscription-changed': [completing, (w) => w.join({ id: 'B', topics: ['other'] })],
  'CompletingRebalance, static-replaced': [
    completingWithStatic,
    (w) => w.join({ newId: 'S-2', instance: 's', protocols: ['range', 'sticky'] }),
  ],
  'CompletingRebalance, sync-missed': [
    (w) => {
      for (const id of ['A', 'B']) w.join({ newId: id, rebalanceMs: 5_000 });
      w.pass(100);
      w.sync('B');
    },
    (w) => w.pass(5_000),
  ],
  'Stable, member-joined': [stable, (w) => w.join({ newId: 'C' })],
  'Stable, member-left': [stable, (w) => w.leave({ id: 'B' })],
  'Stable, session-expired': [
    stable,
    (w) => {
      w.pass(9_000);
      w.heartbeat('A');
      w.pass(1_000);
    },
  ],
  'Stable, subscription-changed': [stable, (w) => w.join({ id: 'B', topics: ['other'] })],
  'Stable, leader-rejoined': [stable, (w) => w.join({ id: 'A' })],
  'Stable, static-replaced': [
    (w) => {
      w.join({ newId: 'S-1', instance: 's', protocols: ['range', 'sticky'] });
      w.pass(100);
      w.sync('S-1', { 'S-1': [0] }, { instance: 's' });
    },
    (w) => w.join({ newId: 'S-2', instance: 's', protocols: ['sticky', 'range'] }),
  ],
  'Stable, sync-missed': [
    (w) => {
      for (const id of ['A', 'B']) w.join({ newId: id, rebalanceMs: 5_000 });
      w.pass(100);
      w.sync('A', { A: [0], B: [1] });
    },
    (w) => w.pass(5_000),
  ],
};

describe.each(STATES)('a classic group that is %s', (state) => {
  describe.each(EVENTS)('when %s', (event) => {
    const next = TRANSITIONS[state][event];
    const play = PLAYS[`${state}, ${event}`];

    if (next === undefined) {
      it('stops the replica: it cannot happen', () => {
        const group = { id: GROUP, state };
        expect(() => enter(group, event)).toThrow(InvariantError);
        expect(group.state).toBe(state);
        expect(play).toBeUndefined();
      });
      return;
    }

    it(`becomes ${next}`, () => {
      const world = new GroupsWorld();
      if (play === undefined) throw new Error('this edge has no play');
      const [before, act] = play;
      before(world);
      expect(world.state).toBe(state);
      world.forget();
      const seen = watch(world, () => act(world));
      expect(seen).toContain(`${state} -> ${next}`);
      // A rebalance says why it started, and the cause is the event.
      const causes = world.told('rebalance-started').map(({ trigger }) => trigger.cause as string);
      if (next === 'PreparingRebalance') expect(causes[0]).toBe(event);
    });
  });
});

/** The edges that a group takes while `act` runs: one command may take two, so the records tell of the one between. */
function watch(world: GroupsWorld, act: () => void): readonly string[] {
  const edges: string[] = [];
  const apply = world.apply.bind(world);
  world.apply = (command) => {
    const before = world.state;
    const outcome = apply(command);
    const started = outcome.news.some(({ kind }) => kind === 'rebalance-started');
    const states = [before, ...(started ? ['PreparingRebalance'] : []), world.state];
    states.forEach((state, i) => i > 0 && edges.push(`${states[i - 1]} -> ${state}`));
    return outcome;
  };
  act();
  return edges;
}

it('every state can be reached from Empty, and Empty from every state', () => {
  const from = (start: ClassicState): Set<ClassicState> => {
    const reached = new Set([start]);
    for (const state of reached) for (const next of Object.values(TRANSITIONS[state])) reached.add(next);
    return reached;
  };
  for (const state of STATES) expect(from(state)).toEqual(new Set(STATES));
});

it('a group that is deleted has no state', () => {
  const world = new GroupsWorld();
  world.commit('', 0, 5, { generation: -1 });
  expect(world.state).toBe('Empty');
  world.apply({ kind: 'group.delete', group: groupId(GROUP) });
  expect(world.state).toBe('missing');
});
