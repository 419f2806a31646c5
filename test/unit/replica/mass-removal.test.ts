import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  type generation,
  groupId,
  memberId,
  type MemberId,
  monotonicMs,
  shardId,
  slot,
  wallMs,
} from '../../../src/kernel/index.js';
import {
  type Applied,
  createMachine,
  encodeCommand,
  type GroupCommand,
  type Machine,
} from '../../../src/machine/index.js';
import { type DueTimer, GroupTimers } from '../../../src/replica/group-timers.js';
import { encodeAssignment } from '../../harness/consumer-protocol.js';
import { join } from '../../harness/joins.js';

const GROUP = groupId('billing');
const MEMBERS = 1_500;
const SESSION_MS = 600_000;
const REBALANCE_MS = 60_000;
const TICK_MS = 50;
/** So many members one command may remove. */
const A_COMMAND = 250;

/** A leader as far as timers go: what is due is proposed and applied at once. */
class Leader {
  readonly machine: Machine = createMachine({ shard: shardId(0), shards: 1 });
  readonly timers = new GroupTimers(monotonicMs(0));
  now = 0;
  /** How many members each command since the last `forget` removed. */
  removed: number[] = [];
  #slot = 0;

  apply(command: GroupCommand): Applied {
    const payload = encodeCommand({ at: wallMs(1_000 + this.now), command });
    const applied = this.machine.apply(slot(++this.#slot), payload)!;
    for (const change of applied.timers)
      this.timers.change(change, { now: monotonicMs(this.now), heard: true });
    this.removed.push(applied.news.filter(({ kind }) => kind === 'member-left').length);
    return applied;
  }
  /** How many expiries were proposed. */
  tick(): number {
    this.now += TICK_MS;
    const now = monotonicMs(this.now);
    const proposed: DueTimer[] = [];
    for (const due of this.timers.due(now))
      if (!this.timers.endsInParts(due, this.machine, now)) proposed.push(due);
    for (const { group, timer, token } of proposed) this.apply({ kind: 'group.expire', group, timer, token });
    return proposed.length;
  }
  join(index: number): void {
    const isMember = this.machine.groups.has(GROUP) && this.members.has(id(index));
    this.apply(
      join(GROUP, id(index), {
        memberId: isMember ? id(index) : memberId(''),
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: REBALANCE_MS,
      }),
    );
  }
  sync(index: number): void {
    this.apply({
      kind: 'group.sync',
      group: GROUP,
      generation: this.generation,
      memberId: id(index),
      instanceId: null,
      protocolType: null,
      protocolName: null,
      assignments: index > 0 ? [] : [{ memberId: id(0), assignment: encodeAssignment({ t: [0] }) }],
    });
  }
  get #description() {
    return this.machine.groups.describe(GROUP)!;
  }
  get state(): string {
    return this.#description.state;
  }
  get generation(): ReturnType<typeof generation> {
    return this.#description.generation;
  }
  readonly members = new Set<MemberId>();
  stay(): readonly string[] {
    return this.#description.memberDetails.map(({ memberId: member }) => member);
  }
}
const id = (index: number): MemberId => memberId(`m${index}`);

describe('thousands of members that are gone at once', () => {
  let leader: Leader;
  beforeEach(() => {
    leader = new Leader();
    for (let i = 0; i < MEMBERS; i++) leader.join(i);
    for (let i = 0; i < MEMBERS; i++) leader.members.add(id(i));
    while (leader.state !== 'CompletingRebalance') leader.tick();
    leader.removed = [];
  });
  const sync = (count: number): void => {
    for (let i = count - 1; i >= 0; i--) leader.sync(i);
    leader.removed = [];
  };
  const until = (ms: number): void => {
    for (const end = leader.now + ms; leader.now < end;) leader.tick();
  };

  it('do not join: they are removed a part at a time, and the barrier opens for those that came', () => {
    sync(MEMBERS);
    leader.join(0);
    until(REBALANCE_MS - 2 * TICK_MS);
    expect(leader.stay()).toHaveLength(MEMBERS);
    until(4 * TICK_MS);
    // One that comes while the others are being removed.
    const late = MEMBERS - 1;
    leader.join(late);
    until(MEMBERS);
    expect([leader.state, leader.stay()]).toEqual(['CompletingRebalance', ['m0', `m${late}`]]);
    expect(Math.max(...leader.removed)).toBeLessThanOrEqual(A_COMMAND);
    expect(leader.removed.reduce((sum, count) => sum + count, 0)).toBe(MEMBERS - 2);
  });

  it('do not synchronise: they are removed a part at a time, and the others join again', () => {
    sync(1);
    until(REBALANCE_MS + MEMBERS);
    leader.join(0);
    expect([leader.state, leader.stay()]).toEqual(['CompletingRebalance', ['m0']]);
    expect(Math.max(...leader.removed)).toBeLessThanOrEqual(A_COMMAND);
    expect(leader.removed.reduce((sum, count) => sum + count, 0)).toBe(MEMBERS - 1);
  });

  it('fall silent: a tick proposes so many expiries and no more', () => {
    sync(MEMBERS);
    leader.now += SESSION_MS;
    const proposed: number[] = [];
    while (leader.state !== 'Empty') proposed.push(leader.tick());
    expect(Math.max(...proposed)).toBeLessThanOrEqual(A_COMMAND);
    expect(proposed.length).toBeGreaterThanOrEqual(MEMBERS / A_COMMAND);
  });
});
