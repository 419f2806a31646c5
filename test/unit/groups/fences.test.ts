import { describe, expect, it } from '@jest/globals';
import { generation, memberId, slot, wallMs } from '../../../src/kernel/index.js';
import { createGroups, restoreGroups, snapshotGroups, tokensFromNow } from '../../../src/groups/index.js';
import { Fences } from '../../../src/groups/fences.js';
import { fenceToken } from '../../../src/kernel/index.js';

const context = (at: number) => ({ slot: slot(at), at: wallMs(0) });

describe('where tokens start', () => {
  it('is above all that a cluster formed a second earlier can have given in that second', () => {
    const [earlier, later] = [1_700_000_000_000, 1_700_000_001_000].map((ms) => tokensFromNow(wallMs(ms)));
    expect(later! - earlier!).toBe(2 ** 21);
    expect(earlier! % 2 ** 21).toBe(0);
  });

  it('stays below 2^53 whatever the clock says, and takes a clock of before 1970', () => {
    for (const ms of [Date.UTC(2106, 0), Date.UTC(9999, 0), Number.MAX_SAFE_INTEGER])
      expect(tokensFromNow(wallMs(ms)) + 2 ** 40).toBeLessThan(Number.MAX_SAFE_INTEGER);
    expect(tokensFromNow(wallMs(-5))).toBe(0);
  });

  it('never goes down, and a snapshot keeps it', () => {
    let groups = createGroups();
    const start = (from: number, at: number): unknown =>
      groups.apply({ kind: 'group.startTokens', from }, context(at)).reply;
    expect(start(2 ** 50, 1)).toEqual({ kind: 'done' });
    start(2 ** 40, 2);
    expect(groups.tokensFrom).toBe(2 ** 50);
    groups = restoreGroups(Buffer.concat([...snapshotGroups(groups)]));
    expect(groups.tokensFrom).toBe(2 ** 50);
  });

  it('is not in a snapshot before it was set, so that version 0.1.0 can read that', () => {
    const bytes = Buffer.concat([...snapshotGroups(createGroups())]);
    expect(bytes[0]).toBe(1);
    expect(restoreGroups(bytes).tokensFrom).toBe(0);
  });
});

describe('fences', () => {
  it('keep the token of an owner that stays, and give any other the token of the command', () => {
    const fences = new Fences();
    const own = (scope: string, owner: string) => ({ scope, owner: memberId(owner), instanceId: null });
    fences.assign([own('a', 'x'), own('b', 'x')], fenceToken(7), generation(1));
    fences.assign([own('a', 'x'), own('b', 'y')], fenceToken(9), generation(2));
    expect(fences.all().map(({ scope, token }) => [scope, token])).toEqual([
      ['a', 7],
      ['b', 9],
    ]);
    fences.takeOver(memberId('y'), memberId('z'), fenceToken(11));
    expect(fences.all().at(-1)).toMatchObject({ owner: 'z', token: 11 });
  });
});
