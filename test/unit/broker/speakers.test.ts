import { describe, expect, it } from '@jest/globals';
import { groupId, memberId } from '../../../src/kernel/index.js';
import { bench, type Bench } from './broker-bench.js';
import { type TestClient, turns, until } from './client.js';
import { joinAnswer } from './fake-coordinator.js';
import { heartbeatOf, joinOf } from './requests.js';

const GRACE_MS = 3_000;
const BEAT_MS = 500;
const LATE_MS = GRACE_MS / 3;

/** Two members that have sent heartbeats for a while, each over a connection of its own. */
async function pair(settings: Parameters<typeof bench>[0] = {}) {
  const made = await bench({ disconnectGraceMs: GRACE_MS, ...settings });
  const [one, other] = [await made.client(), await made.client()];
  for (let i = 0; i < 40; i++) {
    await beat(one, 'm-1');
    await beat(other, 'm-2');
    made.clock.advance(BEAT_MS);
  }
  return { ...made, one, other };
}
const beat = (client: TestClient, member: string, instance: string | null = null) =>
  client.call(12, 4, { ...heartbeatOf('billing', member), groupInstanceId: instance });
const ends = async ({ broker }: Bench, client: TestClient): Promise<void> => {
  const before = broker.snapshot().connectionsOpen;
  await client.close();
  await until(() => broker.snapshot().connectionsOpen < before);
};
async function pass({ clock }: Bench, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    clock.advance(100);
    await turns(1);
  }
}

describe('a dynamic member whose connection ends without a leave', () => {
  it('is removed when it is not back within the grace', async () => {
    const made = await pair();
    await ends(made, made.one);
    await pass(made, GRACE_MS - 100);
    expect(made.coordinator.sessionsEnded).toEqual([]);
    await pass(made, 200);
    expect(made.coordinator.sessionsEnded).toEqual(['billing/m-1']);
  });

  it('stays when it speaks over another connection', async () => {
    const made = await pair();
    await ends(made, made.one);
    await pass(made, GRACE_MS - 200);
    await beat(await made.client(), 'm-1');
    await pass(made, 2 * GRACE_MS);
    expect(made.coordinator.sessionsEnded).toEqual([]);
  });

  it('stays when it speaks over another connection already, as clients do that have two', async () => {
    const made = await pair();
    const second = await made.client();
    await beat(second, 'm-1');
    await ends(made, made.one);
    await pass(made, 2 * GRACE_MS);
    expect(made.coordinator.sessionsEnded).toEqual([]);
  });

  it('stays when its JoinGroup comes, however long that takes', async () => {
    const made = await pair();
    await ends(made, made.one);
    made.coordinator.onCommand = () => 'hold';
    const back = await made.client();
    void back.call(11, 5, joinOf('billing', { memberId: 'm-1' })).catch(() => undefined);
    await until(() => made.coordinator.held.length > 0);
    await pass(made, 2 * GRACE_MS);
    expect(made.coordinator.sessionsEnded).toEqual([]);
  });

  it('is waited for until its next heartbeat is overdue: it may see only then that the connection has gone', async () => {
    const made = await pair();
    // Between two heartbeats it works for longer than the grace.
    made.clock.advance(2 * GRACE_MS);
    await beat(made.one, 'm-1');
    await beat(made.other, 'm-2');
    await ends(made, made.one);
    await pass(made, 2 * GRACE_MS + LATE_MS);
    expect(made.coordinator.sessionsEnded).toEqual([]);
    await pass(made, BEAT_MS + 200);
    expect(made.coordinator.sessionsEnded).toEqual(['billing/m-1']);
  });

  it('is not removed while all of its group are gone: a network or a proxy is, and nobody could take over', async () => {
    const made = await pair();
    await ends(made, made.one);
    await ends(made, made.other);
    await pass(made, 3 * GRACE_MS);
    expect(made.coordinator.sessionsEnded).toEqual([]);
    // One is back, and the other is not.
    await beat(await made.client(), 'm-2');
    await pass(made, GRACE_MS + 200);
    expect(made.coordinator.sessionsEnded).toContain('billing/m-1');
    expect(made.coordinator.sessionsEnded).not.toContain('billing/m-2');
  });

  it('keeps its session when another replica leads by then, or has led since it was heard', async () => {
    const made = await pair();
    await ends(made, made.one);
    made.coordinator.unheard.add('billing/m-1');
    await pass(made, 2 * GRACE_MS);
    expect(made.coordinator.sessionsEnded).toEqual([]);
    const moved = await pair();
    await ends(moved, moved.one);
    moved.coordinator.moveLead(2);
    await pass(moved, 2 * GRACE_MS);
    expect(moved.coordinator.sessionsEnded).toEqual([]);
  });

  it('keeps its session with a grace of 0, and when it is static', async () => {
    const made = await pair({ disconnectGraceMs: 0 });
    await ends(made, made.one);
    await pass(made, 2 * GRACE_MS);
    expect(made.coordinator.sessionsEnded).toEqual([]);
    const { client, ...rest } = await pair();
    const named = await client();
    await beat(named, 'm-3', 'pod-3');
    await ends({ client, ...rest }, named);
    await pass({ client, ...rest }, 2 * GRACE_MS);
    expect(rest.coordinator.sessionsEnded).toEqual([]);
  });

  it('keeps its session when the connection was ended here: it was idle', async () => {
    const made = await pair({ connectionIdleMs: 1_000 });
    while (!made.one.isClosed) await pass(made, 500);
    const [third, m2] = [await made.client(), memberId('m-2')];
    await beat(third, m2);
    for (let passed = 0; passed < 2 * GRACE_MS; passed += BEAT_MS) {
      await beat(third, m2);
      await pass(made, BEAT_MS);
    }
    expect(made.coordinator.sessionsEnded).toEqual([]);
  });

  it('is forgotten when it has left', async () => {
    const made = await pair();
    await ends(made, made.one);
    const group = groupId('billing');
    made.coordinator.tell(group, { kind: 'member-left', group, memberId: memberId('m-1'), cause: 'left' });
    await pass(made, 2 * GRACE_MS);
    expect(made.coordinator.sessionsEnded).toEqual([]);
  });

  it('is missed, too, when its connection ended before its JoinGroup was taken', async () => {
    const made = await pair();
    made.coordinator.onCommand = ({ kind }) => (kind === 'group.join' ? 'hold' : undefined);
    const third = await made.client();
    void third.call(11, 5, joinOf('billing', { memberId: 'm-3' })).catch(() => undefined);
    await until(() => made.coordinator.held.length > 0);
    await ends(made, third);
    made.coordinator.onCommand = ({ kind }) =>
      kind === 'group.join' ? { kind: 'join', answer: joinAnswer('m-3') } : undefined;
    for (const release of made.coordinator.held.splice(0)) release();
    await pass(made, 3 * GRACE_MS);
    expect(made.coordinator.sessionsEnded).toContain('billing/m-3');
  });
});
