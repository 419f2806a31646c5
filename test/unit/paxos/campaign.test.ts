import { describe, expect, it } from '@jest/globals';
import { type MonotonicMs, monotonicMs, replicaId, type ReplicaId, slot } from '../../../src/kernel/index.js';
import type { Ballot, Effect, Entry, Paxos } from '../../../src/paxos/index.js';
import { type Body, loneCore } from './lone-core.js';
import { valueText } from './value.js';

const REPLICAS = [1, 2, 3, 4, 5].map(replicaId);
const command = (text: string): Entry => ({ kind: 'command', payload: Buffer.from(text) });
const ballot = (round: number, replica: number): Ballot => ({
  round,
  priority: 0,
  replica: replicaId(replica),
});

/** Replica 1 of five, alone with a test that plays the others. */
function candidate(
  settle: (core: Paxos, now: MonotonicMs) => void = (core, now) =>
    core.step({ kind: 'persisted', id: 1 }, now),
): {
  readonly core: Paxos;
  readonly hear: (from: ReplicaId, body: Body) => readonly Effect[];
  readonly mine: Ballot;
} {
  const lone = loneCore(REPLICAS, true);
  const { core } = lone;
  const now = monotonicMs(40);
  const hear = (from: ReplicaId, body: Body): readonly Effect[] => lone.hear(from, body, now);
  for (const from of REPLICAS.slice(1, 3)) {
    hear(from, {
      kind: 'heartbeatReply',
      round: 1,
      ballot: ballot(3, 2),
      follows: false,
      content: false,
      votes: true,
      electable: true,
      priority: 0,
      matched: slot(0),
      chosenThrough: slot(0),
    });
  }
  core.step({ kind: 'tick' }, now);
  settle(core, now);
  const { leadership, promised } = core.status(now);
  expect(leadership.role).toBe('candidate');
  return { core, hear, mine: promised };
}

const promise = (
  mine: Ballot,
  firstSlot: number,
  accepted: readonly { readonly ballot: Ballot; readonly entry: Entry }[],
  last: boolean,
  chosenThrough: number,
): Body => ({
  kind: 'promise',
  ballot: mine,
  firstSlot: slot(firstSlot),
  accepted,
  last,
  chosenThrough: slot(chosenThrough),
  logStart: slot(1),
});

const chosenIn = (effects: readonly Effect[]): readonly string[] =>
  effects.flatMap((effect) => (effect.kind === 'chosen' ? effect.entries.map(valueText) : []));

describe('a candidate that reads promises', () => {
  it('learns what a promise shows as chosen', () => {
    const { hear, mine } = candidate();
    const x = { ballot: ballot(3, 2), entry: command('x') };
    hear(replicaId(3), promise(mine, 1, [], true, 0));
    expect(chosenIn(hear(replicaId(2), promise(mine, 1, [x], true, 1)))).toEqual(['x']);
  });

  it('does not take for chosen what an earlier chunk showed as open, when a later one says that much is chosen', () => {
    // Between its two chunks replica 2 learned that slot 1 was chosen under a ballot of replica 4, which this candidate
    // has not heard of: with another value than the one that its first chunk showed.
    const { core, hear, mine } = candidate();
    const open = { ballot: ballot(3, 2), entry: command('open') };
    const z = { ballot: ballot(12, 4), entry: command('z') };
    hear(replicaId(3), promise(mine, 1, [], true, 0));
    hear(replicaId(2), promise(mine, 1, [open], false, 0));
    const effects = hear(replicaId(2), promise(mine, 2, [z], true, 2));
    expect(core.status(monotonicMs(40)).leadership.role).toBe('leader');
    expect(chosenIn(effects)).toEqual([]);
    expect(core.status(monotonicMs(40)).chosenThrough).toBe(0);
  });

  it('leads only with a prepare quorum that has reported everything', () => {
    const { core, hear, mine } = candidate();
    const x = { ballot: ballot(3, 2), entry: command('x') };
    hear(replicaId(3), promise(mine, 1, [], true, 0));
    hear(replicaId(2), promise(mine, 1, [x], false, 0));
    expect(core.status(monotonicMs(40)).leadership.role).toBe('candidate');
    hear(replicaId(3), promise(mine, 1, [], true, 0));
    expect(core.status(monotonicMs(40)).leadership.role).toBe('candidate');
    hear(replicaId(2), promise(mine, 2, [], true, 0));
    expect(core.status(monotonicMs(40)).leadership.role).toBe('leader');
  });

  it('leads only when its own promise is on its disk', () => {
    const { core, hear, mine } = candidate(() => undefined);
    for (const peer of REPLICAS.slice(1)) hear(peer, promise(mine, 1, [], true, 0));
    expect(core.status(monotonicMs(40)).leadership.role).toBe('candidate');
    core.step({ kind: 'persisted', id: 1 }, monotonicMs(40));
    expect(core.status(monotonicMs(40)).leadership.role).toBe('leader');
  });

  it('takes over an open suffix of any length', () => {
    const { core, hear, mine } = candidate();
    const open = Array.from({ length: 300_000 }, () => ({ ballot: ballot(3, 2), entry: command('x') }));
    hear(replicaId(3), promise(mine, 1, [], true, 0));
    hear(replicaId(2), promise(mine, 1, open, true, 0));
    const { leadership, lastSlot } = core.status(monotonicMs(40));
    expect([leadership.role, lastSlot]).toEqual(['leader', 300_001]);
  });
});
