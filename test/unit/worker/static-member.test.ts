import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../../src/kernel/index.js';
import { type Effect, type MachineSettings } from '../../../src/worker/machine-types.js';
import { WorkerMachine } from '../../../src/worker/machine.js';

const SETTINGS: MachineSettings = {
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 500,
  drainMs: 1_000,
  clockDriftRatio: 0.01,
  cooperative: true,
  backOff: { firstMs: 50, mostMs: 1_000 },
};

/** Starts, joins generation 2 and gets partition 0; returns what follows that. */
function begins(machine: WorkerMachine, now: number): readonly Effect[] {
  const [join] = machine.step({ kind: 'start' }, now) as [Extract<Effect, { kind: 'join' }>];
  return takesPart(machine, join, now);
}
function takesPart(
  machine: WorkerMachine,
  { attempt }: Extract<Effect, { kind: 'join' }>,
  now: number,
): readonly Effect[] {
  const joined = { memberId: 'm', generation: 2, protocolName: 'cooperative-sticky', members: null };
  const effects = machine.step({ kind: 'joined', attempt, sentAt: now, code: 0, ...joined }, now);
  const sync = effects.find((effect) => effect.kind === 'sync')!;
  const assigned = [{ topic: 't', partition: 0, token: 7n }];
  return machine.step({ kind: 'synced', attempt: sync.attempt, sentAt: now, code: 0, assigned }, now);
}
const joinOf = (effects: readonly Effect[]) => effects.find((effect) => effect.kind === 'join');

describe('a static member that comes back', () => {
  it('asks for a rebalance once: what was taken from the process before it may have no owner yet', () => {
    const machine = new WorkerMachine({ ...SETTINGS, instanceId: 'w' }, seededRandom(1));
    const effects = begins(machine, 0);
    expect(effects.map(({ kind }) => kind)).toContain('open');
    const join = joinOf(effects);
    expect(join?.owned).toEqual([{ topic: 't', partition: 0 }]);
    expect(joinOf(takesPart(machine, join!, 10))).toBeUndefined();
  });

  it('does so again after it has left and started again, and never where a rebalance has one round', () => {
    const machine = new WorkerMachine({ ...SETTINGS, instanceId: 'w' }, seededRandom(1));
    takesPart(machine, joinOf(begins(machine, 0))!, 10);
    const ended = machine.step({ kind: 'leave', reason: 'a pause', silently: true }, 20);
    for (const id of ended.flatMap((effect) => (effect.kind === 'end' ? effect.ids : [])))
      machine.step({ kind: 'settled', id }, 30);
    expect(joinOf(begins(machine, 40))).toBeDefined();
    const eager = new WorkerMachine({ ...SETTINGS, instanceId: 'w', cooperative: false }, seededRandom(1));
    expect(joinOf(begins(eager, 0))).toBeUndefined();
    const dynamic = new WorkerMachine({ ...SETTINGS, instanceId: null }, seededRandom(1));
    expect(joinOf(begins(dynamic, 0))).toBeUndefined();
  });
});
