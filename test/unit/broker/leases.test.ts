import { expect, it } from '@jest/globals';
import { errorCode } from '../../../src/wire/index.js';
import { bench } from './broker-bench.js';
import { heartbeatOf } from './requests.js';

/** The lease holds when the answer is read, and no more when it is to leave. */
async function member() {
  const made = await bench();
  const { coordinator } = made;
  coordinator.leaseHolds = () => {
    coordinator.leaseHolds = () => false;
    return true;
  };
  return { ...made, kafka: await made.client() };
}

it('an answer that outlived the lease leaves once the others have said that this replica leads', async () => {
  const { kafka, coordinator, broker } = await member();
  const { errorCode: code } = await kafka.call(12, 3, heartbeatOf('billing'));
  expect(code).toBe(errorCode('NONE'));
  expect(coordinator.reads).toBe(1);
  expect(broker.snapshot().leaseLost).toBe(1);
});

it('and is a refusal where it does not lead any more', async () => {
  const { kafka, coordinator } = await member();
  coordinator.onHeartbeat = () => {
    coordinator.leader = () => 2;
    return { error: 'NONE', renew: true };
  };
  const { errorCode: code } = await kafka.call(12, 3, heartbeatOf('billing'));
  expect(code).toBe(errorCode('NOT_COORDINATOR'));
});

it('what the client asked for after it is answered after it', async () => {
  const { kafka, coordinator } = await member();
  const read = coordinator.read.bind(coordinator);
  const held: (() => void)[] = [];
  coordinator.read = (shard, done) => held.push(() => read(shard, done));
  const first = kafka.call(12, 3, heartbeatOf('billing'));
  const second = kafka.call(18, 0, {});
  expect(await kafka.silent(second)).toBe(true);
  for (const goOn of held) goOn();
  await Promise.all([first, second]);
  expect(kafka.order).toEqual([1, 2]);
});
