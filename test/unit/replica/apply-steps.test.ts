import { expect, it } from '@jest/globals';
import { generation, groupId, monotonicMs, slot, wallMs } from '../../../src/kernel/index.js';
import { encodeCommand, type GroupCommand, type Machine } from '../../../src/machine/index.js';
import type { Entry } from '../../../src/paxos/index.js';
import { blankDisk, openMemoryStorage } from '../../../src/storage/index.js';
import type { Clock } from '../../../src/replica/index.js';
import type { ShardHost } from '../../../src/replica/shard-host.js';
import { Compaction } from '../../../src/replica/compaction.js';
import { guardedStorage } from '../../../src/replica/guarded-storage.js';
import { logTo } from '../../harness/lines.js';
import { IDS, ONE_OF_THREE, oneShard } from './one-shard.js';
import { join } from '../../harness/joins.js';

const GROUP = groupId('large');
const MEMBERS = 1_000;
const LEADER = { ballot: { round: 1, priority: 1, replica: IDS[1]! } };

const joins = (index: number): GroupCommand => join(GROUP, `m${index}`);

/** A replica that is told by its leader what is chosen; its turns go on when they are told to. */
async function follower() {
  const syncs: (() => void)[] = [];
  const turns: (() => void)[] = [];
  const opened = await openMemoryStorage({ disk: blankDisk(), later: (sync) => syncs.push(sync) });
  const host = oneShard(
    opened.storage,
    { records: [], machine: undefined },
    { later: (goOn) => turns.push(goOn) },
    ONE_OF_THREE,
    { turnMs: 0 },
  );
  let last = 0;
  return {
    host,
    compact(): void {
      const guarded = guardedStorage(opened, (action) => action());
      new Compaction(
        guarded,
        1,
        { keepFrom: () => undefined },
        logTo(() => undefined),
      ).maybeRun([host]);
      while (syncs.length > 0) syncs.shift()!();
    },
    chosen(...commands: readonly GroupCommand[]): void {
      const entries = commands.map((command): Entry => ({
        kind: 'command',
        payload: encodeCommand({ at: wallMs(1_000), command }),
      }));
      const firstSlot = slot(last + 1);
      last += commands.length;
      const accept = { kind: 'accept' as const, ...LEADER, firstSlot, entries, chosenThrough: slot(last) };
      host.receive(IDS[1]!, { configuration: 1, ...accept });
      while (syncs.length > 0) syncs.shift()!();
    },
    turn: (): boolean => {
      turns.shift()?.();
      return turns.length > 0;
    },
    get last(): number {
      return last;
    },
  };
}
const bytes = (machine: Machine): string => Buffer.concat([...machine.snapshot()]).toString('hex');

it('a large group changes over several turns, or at once for who needs the state of its slot, to the same end', async () => {
  const [one, other] = [await follower(), await follower()];
  for (const each of [one, other]) {
    each.chosen(...Array.from({ length: MEMBERS }, (_, index) => joins(index)));
    while (each.turn());
    expect(each.host.machine.appliedThrough).toBe(MEMBERS);
    const { token } = [...each.host.machine.groups.timers()].find(({ timer }) => timer.kind === 'initial')!;
    each.chosen({ kind: 'group.expire', group: GROUP, timer: { kind: 'initial' }, token });
    expect(each.host.machine.underWay).toBe(true);
    expect(each.host.status().appliedThrough).toBe(MEMBERS);
  }
  one.host.finishApplying();
  const early = bytes(one.host.machine);
  expect(one.turn()).toBe(false);
  while (one.turn());
  while (other.turn());
  expect(early).toBe(bytes(other.host.machine));
  for (const { host, last } of [one, other]) {
    expect(host.machine.groups.describe(GROUP)).toMatchObject({
      state: 'CompletingRebalance',
      generation: generation(1),
    });
    expect(host.machine.hash).toBe(one.host.machine.hash);
    expect(host.status().appliedThrough).toBe(last);
  }
});

it('the log is cut while a large group changes: the snapshot is the one that its slot says', async () => {
  const one = await follower();
  const { host } = one;
  one.chosen(...Array.from({ length: MEMBERS }, (_, index) => joins(index)));
  while (one.turn());
  const { token } = [...host.machine.groups.timers()].find(({ timer }) => timer.kind === 'initial')!;
  one.chosen({ kind: 'group.expire', group: GROUP, timer: { kind: 'initial' }, token });
  expect(host.machine.underWay).toBe(true);
  one.compact();
  expect(host.status()).toMatchObject({ appliedThrough: MEMBERS + 1, firstSlot: MEMBERS + 2 });
});

/** Two of three replicas, one of which leads as soon as both have met. */
async function leader() {
  let now = 0;
  const clock: Clock = {
    monotonic: () => monotonicMs(now),
    wall: () => wallMs(now),
    after: () => () => undefined,
    endOfTurn: () => undefined,
  };
  const todo: (() => void)[] = [];
  const turns: (() => void)[] = [];
  const told: string[] = [];
  const hosts: ShardHost[] = [];
  const host = async (self: number): Promise<ShardHost> => {
    const { storage } = await openMemoryStorage({ disk: blankDisk(), later: (sync) => todo.push(sync) });
    return oneShard(
      storage,
      { records: [], machine: undefined },
      {
        clock,
        later: (goOn) => turns.push(goOn),
        send: (_shard, { to, message }) => {
          const other = hosts[IDS.indexOf(to)];
          todo.push(() => other?.receive(IDS[self]!, message));
        },
        leadershipChanged: (_host, before, after) => {
          if (before.serving && !after.serving) told.push('leads no more');
        },
      },
      { ...ONE_OF_THREE, self: IDS[self]! },
      { turnMs: 0 },
    );
  };
  hosts.push(await host(0), await host(1));
  hosts.forEach((each, index) => each.step({ kind: 'peerUp', peer: IDS[1 - index]! }));
  const go = (): void => {
    for (let act = todo.shift() ?? turns.shift(); act !== undefined; act = todo.shift() ?? turns.shift())
      act();
  };
  const leads = (): ShardHost | undefined => hosts.find(({ leadership }) => leadership.serving);
  for (let ticks = 0; ticks < 1_000 && leads() === undefined; ticks++) {
    now += 20;
    for (const each of hosts) each.tick();
    go();
  }
  return { led: leads()!, hosts, turns, told, todo };
}

it('who is told to wait by what was chosen is known before all that wait hear that the leader leads no more', async () => {
  const { led, hosts, turns, told, todo } = await leader();
  for (const index of [0, 1]) led.submit(joins(index), ({ kind }) => told.push(kind));
  led.endTurn();
  while (told.length === 0) todo.shift()!();
  // Both are chosen: the second one waits for its turn.
  expect([told.length, turns.length]).toEqual([1, 1]);
  const peer = IDS[1 - hosts.indexOf(led)]!;
  const ballot = { round: 1_000, priority: 0, replica: peer };
  led.receive(peer, { configuration: 1, kind: 'rejected', ballot });
  expect(told).toEqual(['ok', 'ok', 'leads no more']);
});
