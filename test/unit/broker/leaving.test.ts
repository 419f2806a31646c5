import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/wire/index.js';
import { bench, type Bench } from './broker-bench.js';
import { turns } from './client.js';
import { heartbeatOf } from './requests.js';

const MOVE_MS = 6_000;
const POLL_MS = 10;

/** A member whose group another replica coordinates by now, and a broker that is told to stop. */
async function stopping({ broker, coordinator, client }: Bench) {
  const member = await client();
  expect((await member.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(0);
  coordinator.moveLead(2);
  let ended = false;
  const stopped = broker.stop().then(() => (ended = true));
  return { member, stopped, hasEnded: () => ended };
}
/** What is due happens, and what follows from it. */
async function pass(clock: Bench['clock'], ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += POLL_MS) {
    clock.advance(POLL_MS);
    await turns(1);
  }
}

describe('a broker that stops', () => {
  it('serves on until the member has been told that another replica coordinates its group', async () => {
    const made = await bench({ membersMoveMs: MOVE_MS });
    const { member, stopped, hasEnded } = await stopping(made);
    await pass(made.clock, MOVE_MS / 2);
    expect([hasEnded(), member.isClosed]).toEqual([false, false]);
    // Who looks for the coordinator may come here.
    const asking = await made.client();
    const found = await asking.call(10, 1, { key: 'billing', keyType: 0 });
    expect(found.nodeId).toBe(2);
    expect((await member.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(16);
    made.clock.advance(POLL_MS);
    await stopped;
    await member.closed;
  });

  it('waits for no member longer than it may', async () => {
    const made = await bench({ membersMoveMs: MOVE_MS });
    const { member, stopped, hasEnded } = await stopping(made);
    await pass(made.clock, MOVE_MS - POLL_MS);
    expect(hasEnded()).toBe(false);
    made.clock.advance(POLL_MS);
    await stopped;
    await member.closed;
  });

  it('does not wait when all others stop too: it could name none', async () => {
    const made = await bench({ membersMoveMs: MOVE_MS });
    const { coordinator } = made;
    coordinator.addresses = coordinator.addresses.map((each) => ({ ...each, leaving: true }));
    await (
      await stopping(made)
    ).stopped;
  });

  it('does not wait for clients that are no members', async () => {
    const { broker, client } = await bench({ membersMoveMs: MOVE_MS });
    const admin = await client();
    await admin.call(3, 1, { topics: [] });
    await broker.stop();
    await admin.closed;
  });
});

describe('a replica that is about to stop', () => {
  it('coordinates nothing for who asks now, and is listed as long as it serves', async () => {
    const { coordinator, client } = await bench();
    const kafka = await client();
    const found = async () => {
      const { errorCode: code, nodeId } = await kafka.call(10, 1, { key: 'billing', keyType: 0 });
      return code === 0 ? nodeId : code;
    };
    expect(await found()).toBe(1);
    coordinator.addresses = coordinator.addresses.map((each) => ({ ...each, leaving: each.id === 1 }));
    expect(await found()).toBe(errorCode('COORDINATOR_NOT_AVAILABLE'));
    coordinator.moveLead(2);
    expect(await found()).toBe(2);
    const { brokers } = await kafka.call(3, 1, { topics: [] });
    expect(brokers.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);
  });
});
