import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../../src/kernel/index.js';
import { WorkerMachine } from '../../../src/worker/machine.js';
import { type Effect, UNREACHABLE } from '../../../src/worker/machine-types.js';

const SESSION_MS = 10_000;
const GRACE_MS = 3_000;
const DRIFT = 0.01;
const START = 1_000;
const PART = { topic: 't', partition: 0, token: 7n };
const MEMBER = { memberId: 'm-1', generation: 1 };

/** A worker that owns one partition since START, of a coordinator that waits so long for one whose connection has ended. */
function owner(graceMs: number): WorkerMachine {
  const machine = new WorkerMachine(
    {
      ...{ sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: 500, drainMs: 1_000 },
      ...{ clockDriftRatio: DRIFT, cooperative: true, backOff: { firstMs: 50, mostMs: 1_000 } },
    },
    seededRandom(1),
  );
  const [join] = machine.step({ kind: 'start' }, START) as [Extract<Effect, { kind: 'join' }>];
  const joined = {
    kind: 'joined',
    attempt: join.attempt,
    ...MEMBER,
    protocolName: 'cooperative-sticky',
  } as const;
  const asked = machine.step({ ...joined, members: null, sentAt: START, code: 0 }, START);
  const sync = asked.find((effect) => effect.kind === 'sync')!;
  machine.step(
    { kind: 'synced', attempt: sync.attempt, assigned: [PART], graceMs, sentAt: START, code: 0 },
    START,
  );
  return machine;
}
const beat = (machine: WorkerMachine, sentAt: number, at: number, code = 0): readonly Effect[] =>
  machine.step({ kind: 'beat', ...MEMBER, sentAt, code }, at);
const lossesAt = (machine: WorkerMachine, at: number): readonly string[] =>
  machine.step({ kind: 'tick' }, at).flatMap((effect) => (effect.kind === 'end' ? [effect.why] : []));

describe('a worker whose connection to the coordinator is lost', () => {
  it('ends its leases within the grace: others take over then, however long its session is', () => {
    const machine = owner(GRACE_MS);
    beat(machine, START + 500, START + 600, UNREACHABLE);
    const endsAt = START + 600 + GRACE_MS * (1 - DRIFT);
    expect(machine.sessionEndsAt).toBe(endsAt);
    expect(machine.wakeAt).toBeLessThanOrEqual(endsAt);
    expect(lossesAt(machine, endsAt - 1)).toEqual([]);
    expect(lossesAt(machine, endsAt)).toEqual([
      'its connection to the coordinator was lost, and none was made in time',
    ]);
  });

  it('counts from the first failure, and keeps them once it is answered over another one', () => {
    const machine = owner(GRACE_MS);
    beat(machine, START + 500, START + 600, UNREACHABLE);
    beat(machine, START + 700, START + 2_000, UNREACHABLE);
    expect(machine.sessionEndsAt).toBe(START + 600 + GRACE_MS * (1 - DRIFT));
    beat(machine, START + 2_500, START + 2_600);
    expect(machine.sessionEndsAt).toBe(START + 2_500 + SESSION_MS * (1 - DRIFT));
    expect(lossesAt(machine, START + 5_000)).toEqual([]);
  });

  it('has its session where the coordinator waits for that, as Apache Kafka does', () => {
    const machine = owner(0);
    beat(machine, START + 500, START + 600, UNREACHABLE);
    expect(machine.sessionEndsAt).toBe(START + SESSION_MS * (1 - DRIFT));
  });
});
