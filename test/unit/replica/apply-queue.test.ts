import { describe, expect, it } from '@jest/globals';
import { monotonicMs, slot } from '../../../src/kernel/index.js';
import type { AppliedStep, BegunCommand, Machine } from '../../../src/machine/index.js';
import type { Entry } from '../../../src/paxos/index.js';
import { ApplyQueue } from '../../../src/replica/apply-queue.js';

/** A loop that turns when it is told to, and a machine whose entries take `steps` steps of `stepMs` milliseconds each. */
function queue(stepMs: number) {
  let now = 0;
  const nextTurn: (() => void)[] = [];
  const told: string[] = [];
  const took = (): void => void (now += stepMs);
  const NOTHING: AppliedStep = { news: [], timers: [] };
  function* rest(steps: number): Generator<AppliedStep, void, void> {
    for (let step = 1; step < steps; step++) {
      took();
      yield NOTHING;
    }
  }
  const begin = (at: number, payload: Uint8Array | null): BegunCommand => {
    const steps = payload![0]!;
    took();
    told.push(`${at} begins`);
    const reply = { kind: 'done' } as const;
    return { reply, ...NOTHING, rest: steps === 1 ? undefined : rest(steps) };
  };
  const applies: ApplyQueue = new ApplyQueue({
    clock: { monotonic: () => monotonicMs(now) },
    machine: () => ({ begin }) as unknown as Machine,
    begun: () => undefined,
    caused: () => undefined,
    applied: (at) => told.push(`${at} is applied`),
    turn: (action) => action(),
    later: () => nextTurn.push(() => applies.goOn()),
  });
  return {
    applies,
    told,
    chosen: (first: number, ...steps: number[]): void => {
      const entries = steps.map((count): Entry => ({ kind: 'command', payload: Uint8Array.of(count) }));
      applies.chosen({
        kind: 'chosen',
        firstSlot: slot(first),
        entries,
        proposals: steps.map(() => undefined),
      });
    },
    get idle(): boolean {
      return nextTurn.length === 0;
    },
    /** Milliseconds that the turn took. */
    turn: (): number => {
      const before = now;
      nextTurn.shift()!();
      return now - before;
    },
    elapsed: (): number => now,
  };
}
const TURN_MS = 8;

describe('what is chosen', () => {
  it('is applied at once when there is time', () => {
    const { chosen, applies, told, idle } = queue(1);
    chosen(1, 1, 1);
    applies.afterwards(() => told.push('read 7'));
    expect(told).toEqual(['1 begins', '1 is applied', '2 begins', '2 is applied', 'read 7']);
    expect(idle).toBe(true);
  });

  it('is applied over as many turns as it needs, in its order; a read waits for what was chosen before it', () => {
    const q = queue(1);
    q.chosen(1, ...Array.from({ length: 20 }, () => 1));
    expect(q.elapsed()).toBe(TURN_MS);
    q.applies.afterwards(() => q.told.push('read 7'));
    q.chosen(21, 1);
    expect(q.elapsed()).toBe(TURN_MS);
    while (!q.idle) expect(q.turn()).toBeLessThanOrEqual(TURN_MS);
    const applied = q.told.filter((line) => !line.endsWith('begins'));
    const through = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => `${from + i} is applied`);
    expect(applied).toEqual([...through(1, 20), 'read 7', '21 is applied']);
  });

  it('waits until the command before it has done all its steps', () => {
    const q = queue(5);
    q.chosen(1, 4, 1);
    expect(q.told).toEqual(['1 begins']);
    while (!q.idle) expect(q.turn()).toBeLessThanOrEqual(TURN_MS + 5);
    expect(q.told).toEqual(['1 begins', '1 is applied', '2 begins', '2 is applied']);
  });

  it('is all applied when that is asked for, and nothing is left for the next turn', () => {
    const q = queue(5);
    q.chosen(1, 4, 1, 3);
    q.applies.afterwards(() => q.told.push('read 7'));
    q.applies.finish();
    const all = [
      '1 begins',
      '1 is applied',
      '2 begins',
      '2 is applied',
      '3 begins',
      '3 is applied',
      'read 7',
    ];
    expect(q.told).toEqual(all);
    while (!q.idle) q.turn();
    expect(q.told).toEqual(all);
  });
});
