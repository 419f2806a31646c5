import { describe, expect, it } from '@jest/globals';
import {
  allOrNothing,
  judge,
  judgeSeal,
  outcomeFromDigits,
  outcomeInDigits,
  sealInDigits,
  type WriteOutcome,
} from '../../../src/guard/index.js';

const record = { version: 7, fence: 5n };
const fence = (token: bigint) => ({ scope: 'g/t/0', token });
const stale = (token: bigint, current: bigint): WriteOutcome => ({
  kind: 'stale-epoch',
  scope: 'g/t/0',
  token,
  current,
});
const CHANGES = ['update', 'touch'] as const;
const AT_VERSION = ['update', 'touch', 'delete', 'check'] as const;

describe('the rule for a write', () => {
  it.each(CHANGES)('%s at the version that was read gives the next version, and keeps the fence', (kind) => {
    expect(judge({ kind, version: 7 }, { record, sealed: null })).toEqual({
      effect: 'put',
      outcome: { kind: 'written', version: 8 },
      next: { version: 8, fence: 5n },
    });
  });

  it.each(CHANGES)('%s under a fence leaves its token on the record', (kind) => {
    const judgement = judge({ kind, version: 7, fence: fence(6n) }, { record, sealed: 6n });
    expect(judgement).toMatchObject({ next: { version: 8, fence: 6n } });
  });

  it('check changes nothing; delete answers the last version and leaves the next one to the tombstone', () => {
    expect(judge({ kind: 'check', version: 7 }, { record, sealed: null })).toEqual({
      effect: 'none',
      outcome: { kind: 'written', version: 7 },
    });
    expect(judge({ kind: 'delete', version: 7, fence: fence(9n) }, { record, sealed: null })).toEqual({
      effect: 'remove',
      outcome: { kind: 'written', version: 7 },
      tombstone: { version: 8, fence: 9n },
    });
  });

  it.each(AT_VERSION)('%s at another version is a conflict, and of no record not found', (kind) => {
    for (const version of [6, 8])
      expect(judge({ kind, version }, { record, sealed: null })).toEqual({
        effect: 'none',
        outcome: { kind: 'version-conflict', expected: version, actual: 7 },
      });
    expect(judge({ kind, version: 7 }, { record: undefined, sealed: null })).toEqual({
      effect: 'none',
      outcome: { kind: 'not-found' },
    });
  });

  it('insert takes a free id, with a version above all that the id may have had', () => {
    const insert = { kind: 'insert' } as const;
    const versionOf = (known: Partial<Parameters<typeof judge>[1]>) =>
      judge(insert, { record: undefined, sealed: null, ...known }).outcome;
    expect(versionOf({})).toEqual({ kind: 'written', version: 1 });
    expect(versionOf({ tombstone: { version: 4, fence: null } })).toEqual({ kind: 'written', version: 5 });
    expect(versionOf({ tombstone: { version: 4, fence: null }, versionFloor: 9 })).toEqual({
      kind: 'written',
      version: 10,
    });
    expect(versionOf({ record })).toEqual({ kind: 'already-exists', actual: 7 });
  });

  it('a lower token than that of the record, its tombstone or the seal is stale, before anything else', () => {
    for (const kind of AT_VERSION) {
      const write = { kind, version: 1, fence: fence(4n) };
      expect(judge(write, { record, sealed: null }).outcome).toEqual(stale(4n, 5n));
      expect(judge(write, { record, sealed: 8n }).outcome).toEqual(stale(4n, 8n));
      expect(judge(write, { record: undefined, sealed: 8n }).outcome).toEqual(stale(4n, 8n));
      expect(judge(write, { record: undefined, sealed: 4n }).outcome).toEqual({ kind: 'not-found' });
    }
    const insert = { kind: 'insert', fence: fence(4n) } as const;
    expect(judge(insert, { record: undefined, tombstone: record, sealed: null }).outcome).toEqual(
      stale(4n, 5n),
    );
  });

  it('without a fence nothing is stale', () => {
    expect(judge({ kind: 'touch', version: 7, fence: null }, { record, sealed: 99n }).outcome.kind).toBe(
      'written',
    );
  });
});

describe('the rule for a seal', () => {
  const seal = (token: bigint, owner: string | null, present?: { token: bigint; owner: string | null }) =>
    judgeSeal({ ...fence(token), owner }, present);

  it('goes up, and says which token was there before', () => {
    expect(seal(4n, 'a')).toEqual({
      outcome: { kind: 'sealed', previous: null },
      next: { token: 4n, owner: 'a' },
    });
    expect(seal(5n, null, { token: 4n, owner: 'a' })).toEqual({
      outcome: { kind: 'sealed', previous: 4n },
      next: { token: 5n, owner: null },
    });
    expect(seal(3n, 'a', { token: 4n, owner: 'a' })).toEqual({ outcome: stale(3n, 4n), next: undefined });
  });

  it.each([
    ['a', 'a', 'a'],
    ['a', null, 'a'],
    [null, 'b', 'b'],
    [null, null, null],
    ['a', 'b', undefined],
  ])('the same token: %s is there, %s asks, %s holds it then', (present, asks, then) => {
    const { next, outcome } = seal(4n, asks, { token: 4n, owner: present });
    expect(next?.owner).toBe(then);
    expect(outcome).toEqual(then === undefined ? stale(4n, 4n) : { kind: 'sealed', previous: 4n });
  });
});

describe('outcomes', () => {
  it('of an all-or-nothing batch: one refusal skips the others', () => {
    const written: WriteOutcome = { kind: 'written', version: 2 };
    expect(allOrNothing([written, written])).toEqual([written, written]);
    expect(allOrNothing([written, { kind: 'not-found' }])).toEqual([
      { kind: 'skipped' },
      { kind: 'not-found' },
    ]);
  });

  it('carry tokens as digits in JSON, beyond 2^53 too', () => {
    const outcome = stale(1n, 2n ** 62n + 1n);
    const inDigits = outcomeInDigits(outcome);
    expect(inDigits).toMatchObject({ token: '1', current: '4611686018427387905' });
    expect(outcomeFromDigits(inDigits)).toEqual(outcome);
    expect(sealInDigits({ kind: 'sealed', previous: 3n })).toEqual({ kind: 'sealed', previous: '3' });
    expect(sealInDigits({ kind: 'sealed', previous: null })).toEqual({ kind: 'sealed', previous: null });
  });
});
