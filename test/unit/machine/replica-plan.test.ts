import { describe, expect, it } from '@jest/globals';
import { replicaId, shardId, slot, wallMs } from '../../../src/kernel/index.js';
import { encodeCommand } from '../../../src/machine/commands.js';
import {
  createMachine,
  type Machine,
  type ReplicasCommand,
  restoreMachine,
} from '../../../src/machine/index.js';

const SHARDS = 2;
const disk = (id: number, incarnation = `disk ${id}`) => ({
  ...{ id: replicaId(id), incarnation },
  ...{ peer: { host: 'h', port: id }, kafka: { host: 'h', port: id }, http: null },
});
const setOf = (...ids: readonly number[]) => ({
  replicas: ids.map((id) => disk(id)),
  quorums: Buffer.from([1]),
});

/** Shard 0, which gets commands with one second between them. */
function facts(featureLevel?: number) {
  const machine = createMachine({ shard: shardId(0), shards: SHARDS, featureLevel });
  const say = (command: ReplicasCommand, to: Machine = machine): string => {
    const at = wallMs(1_000_000 + 1_000 * to.appliedThrough + 0.5);
    const applied = to.apply(slot(to.appliedThrough + 1), encodeCommand({ at, command }))!;
    return (applied.reply as { error: string }).error;
  };
  const reports = (kind: 'replicas.ready' | 'replicas.sealed', number: number, shards = [0, 1]): string[] =>
    shards.map((shard) => say({ kind, number, shard }));
  return { machine, say, reports };
}

/** Replicas 1, 2 and 3 are to become 1, 4 and 5, and shard 0 has changed. */
function sealing() {
  const it = facts();
  const plan = { number: 1, what: 'add 4, add 5', current: setOf(1, 2, 3), target: setOf(1, 4, 5) };
  expect(it.say({ kind: 'replicas.plan', ...plan })).toBe('NONE');
  it.reports('replicas.ready', 1);
  it.reports('replicas.sealed', 1, [0]);
  expect(it.machine.replicas.plan).toMatchObject({ phase: 'sealing', sealed: [0], since: 1_000_000 });
  const supersede = (over: number, number: number, ...ids: number[]): string =>
    it.say({ kind: 'replicas.supersede', over, number, what: 'other', target: setOf(...ids) });
  const readyIn = (number: number, configurations = [2, 1]): void =>
    configurations.forEach((configuration, shard) =>
      expect(it.say({ kind: 'replicas.readyIn', number, shard, configuration })).toBe('NONE'),
    );
  return { ...it, supersede, readyIn };
}

describe('a plan in the place of one that seals', () => {
  it('ends with its replicas, and whoever may have voted otherwise is removed', () => {
    const { machine, supersede, readyIn, reports, say } = sealing();
    expect(supersede(1, 2, 1, 6, 7)).toBe('NONE');
    expect(machine.replicas.plan).toMatchObject({
      number: 2,
      phase: 'preparing',
      over: { number: 1, sealed: [0] },
    });
    // Of the plan before nothing counts meanwhile.
    expect(reports('replicas.sealed', 1, [1])).toEqual(['NO_SUCH_PLAN']);
    expect(reports('replicas.ready', 2, [0])).toEqual(['OUT_OF_DATE']);
    readyIn(2);
    expect(machine.replicas.plan).toMatchObject({
      ...{ phase: 'sealing', over: null, further: [{ id: 4 }, { id: 5 }] },
      readyIn: [
        { shard: 0, configuration: 2 },
        { shard: 1, configuration: 1 },
      ],
    });
    expect(say({ kind: 'replicas.cancel', number: 2 })).toBe('TOO_LATE');
    reports('replicas.sealed', 2);
    const { number, plan, current, removed } = machine.replicas;
    expect([number, plan]).toEqual([2, null]);
    expect(current!.replicas.map(({ id }) => id)).toEqual([1, 6, 7]);
    expect(removed.map(({ id }) => id)).toEqual([2, 3, 4, 5]);
  });

  it('gives the place back when it is called off, with what was said before', () => {
    const { machine, supersede, say, reports } = sealing();
    const before = machine.replicas.plan;
    supersede(1, 2, 1, 6, 7);
    expect(say({ kind: 'replicas.cancel', number: 2 })).toBe('NONE');
    expect(machine.replicas).toMatchObject({ plan: before, lastNumber: 2 });
    reports('replicas.sealed', 1, [1]);
    expect(machine.replicas).toMatchObject({ number: 1, plan: null, removed: [{ id: 2 }, { id: 3 }] });
  });

  it('can itself be followed by one in its place', () => {
    const { machine, supersede, readyIn, reports } = sealing();
    supersede(1, 2, 1, 6, 7);
    expect(supersede(2, 3, 1, 2, 3)).toBe('OUT_OF_DATE');
    readyIn(2);
    expect(supersede(2, 3, 1, 2, 3)).toBe('NONE');
    readyIn(3, [3, 2]);
    reports('replicas.sealed', 3);
    expect(machine.replicas.removed.map(({ id }) => id).sort()).toEqual([4, 5, 6, 7]);
  });

  it('is refused for a plan that prepares, is over, or is another one', () => {
    const { say } = facts();
    const target = setOf(1, 2, 4);
    const of = (over: number, number: number): string =>
      say({ kind: 'replicas.supersede', over, number, what: 'other', target });
    expect(of(1, 1)).toBe('NO_SUCH_PLAN');
    say({ kind: 'replicas.plan', number: 1, what: 'add 4', current: setOf(1, 2, 3), target });
    expect(of(1, 2)).toBe('OUT_OF_DATE');
    expect(of(7, 2)).toBe('NO_SUCH_PLAN');
  });

  it('is whole in a snapshot, and an older version keeps all but since when a plan is under way', () => {
    const { machine, supersede, readyIn } = sealing();
    supersede(1, 2, 1, 6, 7);
    const whole = (): Machine => {
      const options = { shard: shardId(0), shards: SHARDS };
      const again = restoreMachine(options, Buffer.concat([...machine.snapshot()]));
      expect(again.replicas).toEqual(machine.replicas);
      return again;
    };
    whole();
    readyIn(2);
    expect(whole().hash).toBe(machine.hash);

    const [older, newer] = [facts(6), facts()];
    const plan = { number: 1, what: 'add 4', current: setOf(1, 2, 3), target: setOf(1, 2, 4) };
    for (const each of [older, newer]) each.say({ kind: 'replicas.plan', ...plan });
    const options = { shard: shardId(0), shards: SHARDS, featureLevel: 6 };
    const kept = restoreMachine(options, Buffer.concat([...older.machine.snapshot()]));
    expect(kept.replicas).toEqual({
      ...newer.machine.replicas,
      plan: { ...newer.machine.replicas.plan, since: null },
    });
    for (const each of [kept, newer.machine])
      newer.say({ kind: 'replicas.ready', number: 1, shard: 1 }, each);
    expect(kept.hash).toBe(newer.machine.hash);
  });
});
