import { describe, expect, it } from '@jest/globals';
import { BrokerError, ConnectionError } from '../../../src/client/index.js';
import { errorCode, type ErrorName } from '../../../src/wire/index.js';
import { type LeaseContext, RunningLease } from '../../../src/worker/running-lease.js';

const HELD = { id: 1, topic: 't', partition: 0, epoch: 1, token: 1n, memberId: 'a' };
const leaseWith = (context: Partial<LeaseContext>): RunningLease =>
  new RunningLease(HELD, {
    group: 'g',
    now: () => 0,
    madeAt: {},
    sessionEndsAt: () => 1_000,
    commit: () => Promise.resolve(0),
    committed: () => Promise.resolve(null),
    ...context,
  });

/** A lease whose commits are answered with these, one after the other. */
function leaseOf(answers: readonly (ErrorName | Error)[]): RunningLease {
  const left = [...answers];
  return leaseWith({
    commit: () => {
      const answer = left.shift()!;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(errorCode(answer));
    },
  });
}

describe('a commit of a lease', () => {
  it('waits for the coordinator, however its absence is told', async () => {
    const lease = leaseOf([
      new ConnectionError('127.0.0.1:1', 'refused'),
      new BrokerError('FindCoordinator', errorCode('COORDINATOR_NOT_AVAILABLE')),
      'NOT_COORDINATOR',
      'REBALANCE_IN_PROGRESS',
      'NONE',
    ]);
    await lease.commit(7);
    expect(lease.position).toBe(7n);
  });

  it('rejects with what does not pass by itself', async () => {
    await expect(leaseOf(['OFFSET_METADATA_TOO_LARGE']).commit(1)).rejects.toThrow(BrokerError);
    const denied = new BrokerError('FindCoordinator', errorCode('GROUP_AUTHORIZATION_FAILED'));
    await expect(leaseOf([denied]).commit(1)).rejects.toBe(denied);
  });

  it('rejects when the lease is lost while it waits', async () => {
    const lease = leaseOf(Array.from({ length: 100 }, () => 'NOT_COORDINATOR' as const));
    const committing = lease.commit(1);
    setImmediate(() => lease.ends('lost', 'the group has removed this member', 0));
    await expect(committing).rejects.toThrow(/removed this member/);
  });
});

describe('the position of a lease', () => {
  const positions = (answers: readonly (bigint | number | null | Error)[]): RunningLease => {
    const left = [...answers];
    return leaseWith({
      committed: () => {
        const answer = left.shift()!;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    });
  };
  const moved = new BrokerError('OffsetFetch', errorCode('NOT_COORDINATOR'));

  it('is asked for until the coordinator answers', async () => {
    const lease = positions([new ConnectionError('127.0.0.1:1', 'refused'), moved, 7]);
    await lease.readPosition();
    expect(lease.position).toBe(7n);
    const none = positions([moved, null]);
    await none.readPosition();
    expect(none.position).toBeNull();
  });

  it('is not waited for when the lease has ended', async () => {
    const lease = positions(Array.from({ length: 100 }, () => moved));
    const reading = lease.readPosition();
    lease.ends('revoked', 'the group gives it to another member', 10);
    await reading;
    expect(lease.position).toBeNull();
  });

  it('that may not be read is an error', async () => {
    const denied = new BrokerError('OffsetFetch', errorCode('GROUP_AUTHORIZATION_FAILED'));
    await expect(positions([denied]).readPosition()).rejects.toBe(denied);
  });
});
