import { describe, expect, it } from '@jest/globals';
import { replicaId, type ReplicaId, slot } from '../../../src/kernel/index.js';
import { BALLOT_ZERO, type Effect, type Entry } from '../../../src/paxos/index.js';
import { type Body, ELECTION_TIMEOUT_MS, loneCore } from './lone-core.js';

const [ONE, TWO, THREE] = [1, 2, 3].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId];

/** Replica 1 of three, which lags and hears no leader. */
class Laggard {
  now = 0;
  readonly #lone = loneCore([ONE, TWO, THREE], false);

  hear(from: ReplicaId, body: Body): readonly Effect[] {
    return this.#lone.hear(from, body, this.now);
  }
  /** Whom it asks for which slot when peers that have chosen through `chosen` say that they are there. */
  asksAfterHeartbeats(chosen: number, from: readonly ReplicaId[] = [TWO, THREE]): string[] {
    this.now += 10;
    return from.flatMap((peer) =>
      asked(
        this.hear(peer, {
          kind: 'heartbeat',
          round: 1,
          ballot: BALLOT_ZERO,
          leads: false,
          chosenThrough: slot(chosen),
        }),
      ),
    );
  }
  asksAfterAnswer(from: ReplicaId, firstSlot: number, count: number, chosen: number): string[] {
    const entry: Entry = { kind: 'noop' };
    return asked(
      this.hear(from, {
        kind: 'chosenEntries',
        firstSlot: slot(firstSlot),
        entries: Array.from({ length: count }, () => ({ ballot: BALLOT_ZERO, entry })),
        chosenThrough: slot(chosen),
      }),
    );
  }
}

const asked = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) =>
    effect.kind === 'send' && effect.message.kind === 'catchUp'
      ? [`${effect.to} from ${effect.message.fromSlot}`]
      : [],
  );

describe('a replica that lags', () => {
  it('asks one peer, and nobody again while the answer is under way', () => {
    const laggard = new Laggard();
    expect(laggard.asksAfterHeartbeats(9)).toEqual(['2 from 1']);
    for (let i = 0; i < 3; i++) expect(laggard.asksAfterHeartbeats(9)).toEqual([]);
  });

  it('asks for the rest as soon as an answer is there', () => {
    const laggard = new Laggard();
    laggard.asksAfterHeartbeats(9);
    expect(laggard.asksAfterAnswer(TWO, 1, 4, 9)).toEqual(['2 from 5']);
    expect(laggard.asksAfterAnswer(TWO, 5, 5, 9)).toEqual([]);
    expect(laggard.asksAfterHeartbeats(9)).toEqual([]);
  });

  it('takes an answer that does not come for lost', () => {
    const laggard = new Laggard();
    laggard.asksAfterHeartbeats(9);
    const askedAt = laggard.now;
    let again: string[] = [];
    while (again.length === 0 && laggard.now < 1_000) again = laggard.asksAfterHeartbeats(9);
    expect(again).toEqual(['2 from 1']);
    expect(laggard.now - askedAt).toBe(ELECTION_TIMEOUT_MS);
  });

  it('asks another when the one that it asked is not heard any more', () => {
    const laggard = new Laggard();
    laggard.asksAfterHeartbeats(9);
    expect(laggard.asksAfterHeartbeats(9, [THREE])).toEqual([]);
    expect(laggard.asksAfterHeartbeats(9, [THREE])).toEqual([]);
    expect(laggard.asksAfterHeartbeats(9, [THREE])).toEqual(['3 from 1']);
  });
});
