import { describe, expect, it } from '@jest/globals';
import { createGroups, DEFAULT_GROUP_SETTINGS, snapshotGroups } from '../../../src/groups/index.js';
import type { AppliedStep, GroupCommand, Groups, GroupReply } from '../../../src/machine/index.js';
import { createMachine, encodeCommand, restoreMachine } from '../../../src/machine/index.js';
import { generation, groupId, memberId, shardId, slot, wallMs } from '../../../src/kernel/index.js';
import { encodeAssignment } from '../../harness/consumer-protocol.js';
import { join } from '../../harness/joins.js';

const GROUP = groupId('large');
const id = (index: number): ReturnType<typeof memberId> => memberId(`m${index}`);

const joins = (index: number, known = false): GroupCommand =>
  join(GROUP, id(index), {
    memberId: known ? id(index) : memberId(''),
    settings: { ...DEFAULT_GROUP_SETTINGS, groupSizeMax: 100_000 },
  });
const sync = (index: number, at: number, assignments: readonly number[] = []): GroupCommand => ({
  kind: 'group.sync',
  group: GROUP,
  generation: generation(at),
  memberId: id(index),
  instanceId: null,
  protocolType: null,
  protocolName: null,
  assignments: assignments.map((partition, member) => ({
    memberId: id(member),
    assignment: encodeAssignment({ t: [partition] }),
  })),
});
const rollCall: GroupCommand = { kind: 'group.rollCall', quietMs: 0 };

/** The first barrier opens, by its timer. */
function opens(groups: Groups): GroupCommand {
  const { token } = [...groups.timers()].find(({ timer }) => timer.kind === 'initial')!;
  return { kind: 'group.expire', group: GROUP, timer: { kind: 'initial' }, token };
}
const numbers = (count: number, shift = 0): number[] =>
  Array.from({ length: count }, (_, i) => (i + shift) % count);

/** A group in all that thousands of members go through together. */
function* story(groups: Groups, count: number): Iterable<GroupCommand> {
  for (const i of numbers(count)) yield joins(i);
  yield opens(groups);
  for (const i of numbers(count).slice(1)) yield sync(i, 1);
  yield sync(0, 1, numbers(count));
  for (const i of numbers(count)) yield joins(i, true);
  for (const i of numbers(count).slice(1)) yield sync(i, 2);
  // A new member while all wait for their assignment, and a new leader of the shard while it waits.
  yield joins(count);
  yield rollCall;
  for (const i of numbers(count)) yield joins(i, true);
  yield opens(groups);
  yield sync(0, 3, numbers(count, 1));
}

interface Told {
  readonly reply: GroupReply;
  readonly steps: readonly AppliedStep[];
}
class Shard {
  readonly groups = createGroups();
  readonly #membersAStep: number | undefined;
  #slot = 0;
  constructor(membersAStep?: number) {
    this.#membersAStep = membersAStep;
  }
  apply(command: GroupCommand): Told {
    const context = { slot: slot(++this.#slot), at: wallMs(this.#slot), membersAStep: this.#membersAStep };
    const { reply, news, timers, rest } = this.groups.begin(command, context);
    const steps: AppliedStep[] = [{ news, timers }];
    for (let step = rest?.next(); step !== undefined && step.done !== true; step = rest!.next())
      steps.push(step.value);
    return { reply, steps };
  }
  bytes(): string {
    return Buffer.concat([...snapshotGroups(this.groups)]).toString('hex');
  }
}

describe('a command at a group of many members', () => {
  it('does the same in steps as at once, and tells the same in the same order', () => {
    const [whole, small] = [new Shard(1_000_000), new Shard(1)];
    let inSteps = 0;
    for (const command of story(whole.groups, 20)) {
      const [a, b] = [whole.apply(command), small.apply(command)];
      expect(a.steps).toHaveLength(1);
      if (b.steps.length > 1) inSteps++;
      expect(b.reply).toEqual(a.reply);
      expect(b.steps.flatMap(({ news }) => news)).toEqual(a.steps[0]!.news);
      expect(b.steps.flatMap(({ timers }) => timers)).toEqual(a.steps[0]!.timers);
      expect(small.bytes()).toBe(whole.bytes());
    }
    // Two barriers, two assignments, and one that is given up.
    expect(inSteps).toBeGreaterThanOrEqual(5);
    expect(whole.groups.describe(GROUP)!.state).toBe('Stable');
    expect(whole.groups.fences(GROUP)).toHaveLength(20);
  });

  it('does little in each step, however large the group', () => {
    const shard = new Shard();
    const count = 5_000;
    let [most, steps] = [0, 0];
    const tell = ({ steps: told }: Told): void => {
      steps = told.length;
      for (const { news, timers } of told) most = Math.max(most, news.length, timers.length);
    };
    for (const command of story(shard.groups, count)) tell(shard.apply(command));
    // Reads the assignment, orders it by partition, grants the tokens, answers: each goes over all members.
    expect(steps).toBeGreaterThan((5 * count) / 250);
    expect(shard.groups.describe(GROUP)!.state).toBe('Stable');
    expect(most).toBeLessThanOrEqual(260);
  });
});

describe('a machine with a command under way', () => {
  const begun = (): {
    machine: ReturnType<typeof createMachine>;
    rest: IterableIterator<AppliedStep>;
    at: number;
  } => {
    const machine = createMachine({ shard: shardId(0), shards: 1, membersAStep: 1 });
    let at = 0;
    for (const command of story(machine.groups as Groups, 5)) {
      const payload = encodeCommand({ at: wallMs(1_000), command });
      const { rest } = machine.begin(slot(++at), payload)!;
      if (command.kind === 'group.sync' && rest !== undefined) return { machine, rest, at };
      while (rest?.next().done === false);
    }
    throw new Error('no command was under way');
  };

  it('counts it as applied when all steps are done, and takes no other before', () => {
    const { machine, rest, at } = begun();
    expect(machine.appliedThrough).toBe(at - 1);
    expect(() => machine.begin(slot(at), null)).toThrow(/waits until the command before it/);
    while (rest.next().done !== true);
    expect(machine.appliedThrough).toBe(at);
    machine.apply(slot(at + 1), null);
  });

  it('gives no snapshot before all steps are done', () => {
    const { machine, rest } = begun();
    expect(() => [...machine.snapshot()]).toThrow(/in the middle of a command/);
    const told = [...rest].flatMap(({ news }) => news.map(({ kind }) => kind));
    expect(told.filter((kind) => kind === 'sync-answer')).toHaveLength(5);
    const restored = restoreMachine({ shard: shardId(0), shards: 1 }, Buffer.concat([...machine.snapshot()]));
    expect(restored.groups.fences(GROUP)).toHaveLength(5);
    expect(restored.hash).toBe(machine.hash);
  });
});
