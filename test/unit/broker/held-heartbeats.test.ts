import { describe, expect, it } from '@jest/globals';
import { groupId, memberId } from '../../../src/kernel/index.js';
import { errorCode } from '../../../src/wire/index.js';
import { bench, type Bench } from './broker-bench.js';
import type { TestClient } from './client.js';
import { heartbeatOf } from './requests.js';

const SESSION_MS = 12_000;
const HELD_MS = SESSION_MS / 6;
const GROUP = groupId('billing');
const MEMBER = memberId('m-1');
const OK = errorCode('NONE');
const REBALANCING = errorCode('REBALANCE_IN_PROGRESS');
const ELSEWHERE = errorCode('NOT_COORDINATOR');

/** A client of that name, in a group that is steady. */
async function member(
  name: string,
  settings: Parameters<typeof bench>[0] = {},
): Promise<Bench & { readonly kafka: TestClient }> {
  const made = await bench(settings);
  made.coordinator.onHeartbeat = () => ({ error: 'NONE', renew: true, steadyForMs: SESSION_MS });
  const kafka = await made.client();
  await kafka.call(18, 3, { clientSoftwareName: name, clientSoftwareVersion: '1' });
  return { ...made, kafka };
}
const beat = (kafka: TestClient): Promise<{ readonly errorCode: number; readonly drain: boolean }> =>
  kafka.call(12, 4, heartbeatOf('billing'));

describe('the heartbeat of a steady member', () => {
  it.each(['apache-kafka-java', 'librdkafka', 'confluent-kafka-python', 'kgo', 'quorate-worker'])(
    'is held for %s for a sixth of its session',
    async (name) => {
      const { kafka, clock } = await member(name);
      const answer = beat(kafka);
      expect(await kafka.silent(answer)).toBe(true);
      clock.advance(HELD_MS - 1);
      expect(await kafka.silent(answer)).toBe(true);
      clock.advance(1);
      expect((await answer).errorCode).toBe(OK);
    },
  );

  it('is answered at once to all others: kafkajs awaits it between two fetches, and gives no name', async () => {
    const { kafka } = await member('kafkajs');
    expect((await beat(kafka)).errorCode).toBe(OK);
    const { client, coordinator } = await bench();
    coordinator.onHeartbeat = () => ({ error: 'NONE', renew: true, steadyForMs: SESSION_MS });
    const nameless = await client();
    await nameless.call(18, 1, {});
    expect((await beat(nameless)).errorCode).toBe(OK);
  });

  it('is held for no longer than the setting says, and not at all with 0', async () => {
    const { kafka, clock } = await member('kgo', { heartbeatHoldMs: 500 });
    const answer = beat(kafka);
    expect(await kafka.silent(answer)).toBe(true);
    clock.advance(500);
    expect((await answer).errorCode).toBe(OK);
    const never = await member('kgo', { heartbeatHoldMs: 0 });
    expect((await beat(never.kafka)).errorCode).toBe(OK);
  });

  it('hears of a rebalance the moment that it begins, and of no other group', async () => {
    const { kafka, coordinator } = await member('kgo');
    const answer = beat(kafka);
    expect(await kafka.silent(answer)).toBe(true);
    const trigger = { cause: 'member-joined', memberId: MEMBER, reason: null } as const;
    coordinator.tell(groupId('other'), { kind: 'rebalance-started', group: groupId('other'), trigger });
    expect(await kafka.silent(answer)).toBe(true);
    coordinator.onHeartbeat = () => ({ error: 'REBALANCE_IN_PROGRESS', renew: true });
    coordinator.tell(GROUP, { kind: 'rebalance-started', group: GROUP, trigger });
    expect((await answer).errorCode).toBe(REBALANCING);
  });

  it('hears that the member was removed', async () => {
    const { kafka, coordinator } = await member('kgo');
    const answer = beat(kafka);
    expect(await kafka.silent(answer)).toBe(true);
    coordinator.onHeartbeat = () => ({ error: 'UNKNOWN_MEMBER_ID', renew: false });
    coordinator.tell(GROUP, {
      kind: 'member-left',
      group: GROUP,
      memberId: MEMBER,
      cause: 'session-expired',
    });
    expect((await answer).errorCode).toBe(errorCode('UNKNOWN_MEMBER_ID'));
  });

  it('is answered before whatever its client sends next, and that at once', async () => {
    const { kafka } = await member('librdkafka');
    const answers = [beat(kafka), kafka.call(3, 9, { topics: [] }), beat(kafka)] as const;
    expect((await answers[0]).errorCode).toBe(OK);
    await answers[1];
    expect(await kafka.silent(answers[2])).toBe(true);
    expect(kafka.order.slice(1)).toEqual([2, 3]);
    const next = beat(kafka);
    expect((await answers[2]).errorCode).toBe(OK);
    expect(await kafka.silent(next)).toBe(true);
  });

  it('is told at once that another replica leads the group', async () => {
    const { kafka, coordinator } = await member('kgo');
    const answer = beat(kafka);
    expect(await kafka.silent(answer)).toBe(true);
    coordinator.moveLead(2);
    expect((await answer).errorCode).toBe(ELSEWHERE);
  });

  it('is not answered from what may be old: without the lease the leader asks the others first', async () => {
    const { kafka, coordinator, clock } = await member('kgo');
    const answer = beat(kafka);
    expect(await kafka.silent(answer)).toBe(true);
    coordinator.lease = false;
    const before = coordinator.reads;
    clock.advance(HELD_MS);
    expect((await answer).errorCode).toBe(OK);
    expect(coordinator.reads).toBe(before + 1);
  });

  it('hears of an operator that wants the member to drain', async () => {
    const { kafka, broker } = await member('quorate-worker');
    const answer = beat(kafka);
    expect(await kafka.silent(answer)).toBe(true);
    broker.drain(GROUP, [MEMBER]);
    expect(await answer).toMatchObject({ errorCode: OK, drain: true });
    expect((await beat(kafka)).drain).toBe(true);
  });

  it('proves once that its member lives: when it came, not when it was answered', async () => {
    const { kafka, coordinator, clock } = await member('kgo');
    const answer = beat(kafka);
    expect(await kafka.silent(answer)).toBe(true);
    expect(coordinator.touched).toHaveLength(1);
    clock.advance(HELD_MS);
    await answer;
    expect(coordinator.touched).toHaveLength(1);
  });

  it('goes with its connection', async () => {
    const { kafka, broker } = await member('kgo');
    const answer = beat(kafka).catch(() => 'gone');
    expect(await kafka.silent(answer)).toBe(true);
    expect(broker.snapshot().parked.heartbeat).toBe(1);
    await kafka.close();
    expect(await answer).toBe('gone');
    while (broker.snapshot().parked.heartbeat > 0) await new Promise((resume) => setImmediate(resume));
  });
});
