import { describe, expect, it } from '@jest/globals';
import { monotonicMs, NO_SLOT, replicaId, type Slot, slot } from '../../../src/kernel/index.js';
import type { Effect, Message } from '../../../src/paxos/index.js';
import { loneCore } from './lone-core.js';

const TWO = replicaId(2);
const NOW = 40;

const sentTo = (effects: readonly Effect[], kind: Message['kind']): readonly Message[] =>
  effects.flatMap((effect) =>
    effect.kind === 'send' && effect.to === TWO && effect.message.kind === kind ? [effect.message] : [],
  );

/** Replica 1 of three, which leads, with a test that plays replica 2. */
function leader() {
  const { core, hear } = loneCore([1, 2, 3].map(replicaId), true);
  const now = monotonicMs(NOW);
  const reply = (matched: Slot, round = 1) =>
    hear(
      TWO,
      {
        kind: 'heartbeatReply',
        round,
        ballot: core.status(now).promised,
        follows: true,
        ...{ content: false, votes: true, electable: true, priority: 0 },
        matched,
        chosenThrough: NO_SLOT,
      },
      NOW,
    );
  reply(NO_SLOT);
  core.step({ kind: 'tick' }, now);
  core.step({ kind: 'persisted', id: 1 }, now);
  const { promised: ballot } = core.status(now);
  const promise = { kind: 'promise', ballot, firstSlot: slot(1), accepted: [], last: true } as const;
  hear(TWO, { ...promise, chosenThrough: NO_SLOT, logStart: slot(1) }, NOW);
  expect(core.status(now).leadership.role).toBe('leader');
  return { core, reply, now };
}

describe('a new link to a peer', () => {
  it('is asked over how far the peer has come, and what was lost with the old one is sent at its answer', () => {
    const { core, reply, now } = leader();
    const payload = Buffer.from('a');
    expect(
      sentTo(core.step({ kind: 'propose', proposals: [{ id: 1, payload }] }, now), 'accept'),
    ).toHaveLength(1);
    // An answer that crosses it is no reason to send it again.
    expect(sentTo(reply(NO_SLOT), 'accept')).toEqual([]);
    expect(sentTo(core.step({ kind: 'peerUp', peer: TWO }, now), 'heartbeat')).toHaveLength(1);
    const again = sentTo(reply(NO_SLOT), 'accept');
    // In chunks of one.
    expect(again).toMatchObject([
      { firstSlot: 1, entries: [{ kind: 'noop' }] },
      { firstSlot: 2, entries: [{ kind: 'command', payload }] },
    ]);
    expect(sentTo(reply(NO_SLOT), 'accept')).toEqual([]);
  });

  it('makes the peer say anew what it knows: it may have come back with another disk', () => {
    const { core, hear } = loneCore([1, 2, 3].map(replicaId), true);
    const now = monotonicMs(NOW);
    const known = (): number | undefined =>
      core.status(now).peers.find(({ id }) => id === TWO)!.chosenThrough;
    const ballot = { round: 0, priority: 0, replica: TWO };
    hear(TWO, { kind: 'heartbeat', round: 1, ballot, leads: false, chosenThrough: slot(7) }, NOW);
    expect(known()).toBe(7);
    core.step({ kind: 'peerUp', peer: TWO }, now);
    expect(known()).toBe(0);
    hear(TWO, { kind: 'heartbeat', round: 1, ballot, leads: false, chosenThrough: slot(3) }, NOW);
    expect(known()).toBe(3);
  });

  it('costs nothing where nothing was lost', () => {
    const { core, reply, now } = leader();
    core.step({ kind: 'peerUp', peer: TWO }, now);
    expect(sentTo(reply(slot(1)), 'accept')).toEqual([]);
    core.step({ kind: 'propose', proposals: [{ id: 1, payload: Buffer.from('a') }] }, now);
    expect(sentTo(reply(slot(1)), 'accept')).toEqual([]);
  });
});
