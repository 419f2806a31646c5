import { describe, expect, it } from '@jest/globals';
import { type Model, type Operation, unexplained } from '../../../src/simulator/linearizability.js';

interface Access extends Operation {
  readonly kind: 'write' | 'read' | 'maybe';
  readonly value: number;
}

const REGISTER: Model<Access, number> = {
  initial: 0,
  key: String,
  next(state, { kind, value }) {
    if (kind === 'read') return state === value ? [state] : [];
    return kind === 'write' ? [value] : [value, state];
  },
};

const at = (kind: Access['kind'], value: number, startedAt: number, endedAt = Infinity): Access => ({
  ...{ kind, value, startedAt, endedAt },
});
const holds = (...history: readonly Access[]): boolean => unexplained(history, REGISTER) === undefined;

describe('the check of linearizability', () => {
  it('takes one thing after the other', () => {
    expect(holds(at('write', 1, 0, 1), at('read', 1, 2, 3), at('write', 2, 4, 5), at('read', 2, 6, 7))).toBe(
      true,
    );
  });

  it('refuses a read of what was overwritten before it began, and names it', () => {
    const stale = at('read', 1, 6, 7);
    expect(unexplained([at('write', 1, 0, 1), at('write', 2, 2, 3), stale], REGISTER)).toBe(stale);
  });

  it('lets operations that overlap happen in any order, but in one', () => {
    const writes = [at('write', 1, 0, 10), at('write', 2, 0, 10)];
    expect(holds(...writes, at('read', 2, 1, 2), at('read', 1, 3, 4))).toBe(true);
    expect(holds(...writes, at('read', 2, 1, 2), at('read', 1, 3, 4), at('read', 2, 5, 6))).toBe(false);
  });

  it('knows that what nobody was told may have happened, late or never', () => {
    const unknown = at('maybe', 1, 0);
    expect(holds(unknown, at('read', 0, 5, 6), at('read', 1, 7, 8))).toBe(true);
    expect(holds(unknown, at('read', 0, 5, 6))).toBe(true);
    expect(holds(unknown, at('read', 1, 5, 6), at('read', 0, 7, 8))).toBe(false);
  });

  it('refuses a value from nowhere', () => {
    expect(holds(at('write', 1, 0, 1), at('read', 3, 2, 3))).toBe(false);
  });

  it('judges a long history in which many overlap', () => {
    const history: Access[] = [];
    for (let i = 1; i <= 400; i++) history.push(at('write', i, i * 10, i * 10 + 35));
    expect(holds(...history, at('read', 400, 4_100, 4_110))).toBe(true);
    expect(holds(...history, at('read', 390, 4_100, 4_110))).toBe(false);
  });

  it('judges a history of tens of thousands', () => {
    const history: Access[] = [];
    for (let i = 1; i <= 50_000; i++) history.push(at('write', i, i * 10, i * 10 + 15));
    expect(holds(...history, at('read', 50_000, 600_000, 600_001))).toBe(true);
    expect(holds(...history, at('read', 49_000, 600_000, 600_001))).toBe(false);
  });
});
