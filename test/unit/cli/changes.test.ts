import { describe, expect, it } from '@jest/globals';
import { changesBetween, changeText, type Seen } from '../../../src/cli/changes.js';
import { screenOf } from '../../../src/cli/screen.js';

const member = (memberId: string, partitions: readonly number[]) => ({
  memberId,
  instanceId: null,
  clientId: memberId,
  clientHost: '/10.0.0.1',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 60_000,
  waiting: false,
  partitions: [{ topic: 'tenants', partitions }],
});
const fence = (partition: number, owner: string, token: number) => ({
  scope: `billing/tenants/${partition}`,
  owner,
  instanceId: null,
  token,
  generation: 1,
  sessionTimeoutMs: 10_000,
});
const rebalance = (generation: number, outcome: string, memberId: string) => ({
  trigger: { cause: 'member-joined', memberId, reason: 'it starts' },
  generationBefore: generation - 1,
  generation,
  outcome,
  startedAt: `2026-01-01T00:00:0${generation}.000Z`,
  joinedAt: null,
  stableAt: null,
  stopMs: null,
  alignMs: null,
  totalMs: outcome === 'running' ? null : 1_500,
  members: 1,
  stragglers: outcome === 'running' ? [] : [{ memberId: 'a', waitedMs: 1_200, removed: false }],
  partitionsMoved: outcome === 'running' ? null : 2,
  assignment: [],
});
const seen = (
  members: Record<string, readonly number[]>,
  fences: Seen['fences'],
  rebalances: Seen['rebalances'],
  leader = 1,
): Seen => ({
  detail: {
    asOf: { replica: 1, shard: 0, slot: 1, leader },
    group: {
      group: 'billing',
      type: 'classic',
      state: 'Stable',
      protocolType: 'consumer',
      members: Object.keys(members).length,
      generation: 1,
      shard: 0,
      leader,
      protocolName: 'range',
      groupLeader: 'a',
    },
    members: Object.entries(members).map(([id, partitions]) => member(id, partitions)),
  },
  fences,
  rebalances,
});
const NOTHING: Seen = { detail: null, fences: [], rebalances: [] };
const texts = (before: Seen, after: Seen): readonly string[] => changesBetween(before, after).map(changeText);

describe('what `quorate groups watch` tells', () => {
  const alone = seen(
    { a: [0, 1, 2] },
    [fence(0, 'a', 10), fence(1, 'a', 10), fence(2, 'a', 10)],
    [rebalance(1, 'stable', 'a')],
  );

  it('nothing, while nothing changes', () => {
    expect(texts(alone, alone)).toEqual([]);
    expect(texts(NOTHING, NOTHING)).toEqual([]);
  });

  it('a group that comes and goes', () => {
    expect(texts(NOTHING, alone)).toEqual([
      'the group is there',
      'rebalance: member-joined a (it starts)',
      'a joined from /10.0.0.1',
      'tenants[0-2]: nobody -> a',
      'generation 1 is stable, after 1.5 s, 2 partitions moved, a came last, after 1.2 s',
    ]);
    expect(texts(alone, NOTHING)).toEqual(['the group is gone', 'a left', 'tenants[0-2]: a -> nobody']);
  });

  it('a rebalance when it starts and when it ends, and who hands what to whom', () => {
    const history = alone.rebalances;
    const running = { ...alone, rebalances: [...history, rebalance(2, 'running', 'b')] };
    expect(texts(alone, running)).toEqual(['rebalance: member-joined b (it starts)']);
    const shared = seen(
      { a: [0, 1], b: [2] },
      [fence(0, 'a', 10), fence(1, 'a', 10), fence(2, 'b', 20)],
      [...history, rebalance(2, 'stable', 'b')],
    );
    expect(texts(running, shared)).toEqual([
      'b joined from /10.0.0.1',
      'tenants[2]: a -> b',
      'generation 2 is stable, after 1.5 s, 2 partitions moved, a came last, after 1.2 s',
    ]);
  });

  it('a partition that its owner lost and got again, under a higher token', () => {
    const again = { ...alone, fences: [fence(0, 'a', 11), ...alone.fences.slice(1)] };
    expect(texts(alone, again)).toEqual(['tenants[0]: a -> a']);
  });

  it('a coordinator that moved', () => {
    const moved = seen({ a: [0, 1, 2] }, alone.fences, alone.rebalances, 3);
    expect(texts(alone, moved)).toEqual(['replica 3 coordinates; it was 1']);
  });
});

describe('the screen of `quorate groups watch`', () => {
  const partitions = Array.from({ length: 40 }, (_, partition) => partition);
  const large = seen(
    { a: partitions },
    partitions.map((each) => fence(each, 'a', 10)),
    [],
  );
  const told = Array.from({ length: 30 }, (_, at) => `change ${at}`);

  it.each([10, 24, 60, 200])('fits into %i rows, and ends with the last change', (rows) => {
    const lines = screenOf('billing', large, told, { rows, columns: 60 });
    expect(lines.length).toBeLessThan(rows);
    expect(lines.every((line) => line.length <= 60)).toBe(true);
    expect(lines[0]).toBe('billing');
    expect(lines.at(-1)).toBe('change 29');
  });

  it('says how many it leaves out', () => {
    const lines = screenOf('billing', large, told, { rows: 24, columns: 120 });
    const shown = lines.filter((line) => line.startsWith('billing/tenants/')).length;
    expect(lines).toContain(`... and ${40 - shown} more`);
    const all = screenOf('billing', large, told, { rows: 200, columns: 120 });
    expect(all.filter((line) => line.startsWith('billing/tenants/'))).toHaveLength(40);
  });

  it('of a group that is not there has its changes alone', () => {
    expect(screenOf('billing', NOTHING, ['x'], { rows: 24, columns: 80 })).toEqual(['billing', '', 'x']);
  });
});
