import { describe, expect, it } from '@jest/globals';
import { groupId, memberId, monotonicMs } from '../../../src/kernel/index.js';
import { createMachine, type MachineView, type News } from '../../../src/machine/index.js';
import { GroupTimers } from '../../../src/replica/group-timers.js';

const GROUP = groupId('billing');
const SESSION_MS = 60_000;

/** A machine as far as timers go: a group of so many members. */
function groupOf(count: number): MachineView {
  const members = Array.from({ length: count }, (_, i) => memberId(`m${i}`));
  const machine = createMachine({ shard: 0 as never, shards: 1 });
  return {
    ...machine,
    groups: {
      timers: () =>
        members.map((member) => ({
          kind: 'arm',
          group: GROUP,
          timer: { kind: 'session', member },
          afterMs: SESSION_MS,
          token: 1,
        })),
      dynamicMembers: () => members,
    } as unknown as MachineView['groups'],
  };
}
const REBALANCES: readonly News[] = [
  {
    kind: 'rebalance-started',
    group: GROUP,
    trigger: { cause: 'member-joined', memberId: null, reason: null },
  },
];

describe('the timers of a new leader', () => {
  it('a group that rebalances waits 3 s for members that do not come back, and longer for thousands of them', () => {
    for (const [count, waitsMs] of [
      [2, 3_004],
      [5_000, 13_000],
      [100_000, SESSION_MS],
    ] as const) {
      const view = groupOf(count);
      const timers = new GroupTimers(monotonicMs(0));
      timers.takeOver(view, monotonicMs(0));
      timers.told(REBALANCES, view);
      timers.touch(GROUP, memberId('m0'), monotonicMs(0));
      expect(timers.due(monotonicMs(waitsMs - 20))).toEqual([]);
      let due = 0;
      // A part at a time.
      for (let at = waitsMs + 20, more = 1; more > 0; at += 20) {
        more = timers.due(monotonicMs(at)).length;
        due += more;
      }
      expect(due).toBeGreaterThanOrEqual(count - 1);
    }
  });

  it('know whom it has heard: commits alone do not count, whatever follows them does', () => {
    const view = groupOf(2);
    const [one, other] = [memberId('m0'), memberId('m1')];
    const timers = new GroupTimers(monotonicMs(0));
    timers.takeOver(view, monotonicMs(0));
    const heard = (): boolean[] => [one, other].map((member) => timers.heard(GROUP, member));
    for (const member of [one, other]) timers.touch(GROUP, member, monotonicMs(1), 'commit');
    expect(heard()).toEqual([false, false]);
    // Its session began again all the same.
    expect(timers.due(monotonicMs(SESSION_MS))).toEqual([]);
    timers.touch(GROUP, one, monotonicMs(2));
    expect(heard()).toEqual([true, false]);
    timers.touch(GROUP, one, monotonicMs(3), 'commit');
    expect(heard()).toEqual([true, false]);
    timers.takeOver(view, monotonicMs(4));
    expect(heard()).toEqual([false, false]);
  });

  it('keep the full session of a group that does not rebalance', () => {
    const view = groupOf(2);
    const timers = new GroupTimers(monotonicMs(0));
    timers.takeOver(view, monotonicMs(0));
    timers.told([], view);
    expect(timers.due(monotonicMs(SESSION_MS - 20))).toEqual([]);
    expect(timers.due(monotonicMs(SESSION_MS + 20))).toHaveLength(2);
  });
});
