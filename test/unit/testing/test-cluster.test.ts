import { afterEach, describe, expect, it } from '@jest/globals';
import {
  startTestCluster,
  type TestCluster,
  type TestClusterOptions,
} from '../../../src/app/testing/index.js';
import { parseAddress } from '../../harness/connection.js';
import { GroupClient } from '../../harness/group-client.js';
import { GroupMember } from '../../harness/group-member.js';
import { eventually } from '../../harness/waiting.js';

let cluster: TestCluster;
let members: GroupMember[] = [];
afterEach(async () => {
  for (const member of members) await member.abandon();
  members = [];
  await cluster.stop();
});

const start = async (options: TestClusterOptions = {}): Promise<void> => {
  cluster = await startTestCluster(options);
};
function member(group: string, options: { readonly sessionTimeoutMs?: number } = {}): GroupMember {
  const bootstrap = cluster.brokers.map(parseAddress);
  const made = new GroupMember({
    bootstrap,
    group,
    topic: 'jobs',
    partitions: 4,
    heartbeatMs: 50,
    ...options,
  });
  members.push(made);
  return made;
}
/** Joins; on virtual time as much of it passes as that takes. */
async function joined(group: string, sessionTimeoutMs = 10_000): Promise<GroupMember> {
  const made = member(group, { sessionTimeoutMs });
  let done = false;
  const joining = made.start().finally(() => (done = true));
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await cluster.advance(20).catch(() => undefined);
  }
  await joining;
  return made;
}

describe('a cluster for tests, on the clock of the machine', () => {
  it('is ready in less than half a second, with three replicas', async () => {
    await start();
    // A busy machine takes longer now and then, however little there is to do.
    const tookMs = await eventually('a start takes less than 500 ms', 110_000, async () => {
      await cluster.stop();
      const began = performance.now();
      await start({ replicas: 3 });
      const ms = performance.now() - began;
      return ms < 500 ? ms : undefined;
    });
    console.info(`three replicas were ready in ${tookMs.toFixed(0)} ms`);
  }, 120_000);

  it('adds what the replicas have logged to the error of a test that fails', async () => {
    await start({ replicas: 3 });
    const failed = cluster.logsOnFailure(() => Promise.reject(new RangeError('it is red')));
    await expect(failed).rejects.toThrow(RangeError);
    await expect(failed).rejects.toThrow(
      /^it is red\n\nThe last lines of the replicas:\n(replica [123] .*\n?)+$/,
    );
    const { stack } = await failed.catch((error: unknown) => error as Error);
    // What a test runner prints.
    expect(stack).toMatch(/it is red[^]*Kafka clients: [^]*\n +at /);
    expect(await cluster.logsOnFailure(() => 7)).toBe(7);
  });

  it('takes members, commits and HTTP', async () => {
    await start({ http: true });
    await cluster.createTopic('jobs', 4);
    const one = member('billing');
    await one.start();
    const epoch = await cluster.waitForStable('billing', { members: 1 });
    expect(epoch).toBe(one.generation);
    expect(await one.commit(0, 17)).toBe(0);
    const owners = cluster.ownersOf('billing');
    expect(owners.map(({ partition }) => partition)).toEqual([0, 1, 2, 3]);
    for (const { memberId, token } of owners) {
      expect(memberId).toBe(one.memberId);
      expect(token).toBeGreaterThan(0);
    }
    const status = (await (await fetch(`${cluster.getHttpUrls()[0]}/status`)).json()) as { ready: boolean };
    expect(status.ready).toBe(true);
  });

  it('goes on without its killed leader, and takes it back with its disk', async () => {
    await start({ replicas: 3 });
    await cluster.createTopic('jobs', 4);
    const one = member('billing');
    await one.start();
    expect(await one.commit(0, 17)).toBe(0);
    const coordinator = cluster.coordinatorOf('billing')!;
    await cluster.killReplica(coordinator);
    expect(await one.commit(1, 18, 10_000)).toBe(0);
    expect(cluster.coordinatorOf('billing')).not.toBe(coordinator);
    await cluster.restartReplica(coordinator);
    for (const id of [1, 2, 3].filter((each) => each !== coordinator)) await cluster.killReplica(id);
    // One of three: it may not serve.
    await eventually('nobody coordinates', 30_000, () => cluster.coordinatorOf('billing') === undefined);
    await cluster.restartReplica(coordinator === 1 ? 2 : 1);
    expect(await one.commit(2, 19, 10_000)).toBe(0);
    expect(one.joins).toBe(1);
  });

  it('cuts a leader off, and heals', async () => {
    await start({ replicas: 3 });
    await cluster.createTopic('jobs', 4);
    const one = member('billing');
    await one.start();
    const alone = cluster.coordinatorOf('billing')!;
    cluster.partition(
      [alone],
      [1, 2, 3].filter((id) => id !== alone),
    );
    await eventually('another leads', 30_000, () => {
      const now = cluster.coordinatorOf('billing');
      return now !== undefined && now !== alone;
    });
    cluster.heal();
    expect(await one.commit(0, 1, 10_000)).toBe(0);
  });

  it('replaces a paused leader, which then follows', async () => {
    await start({ replicas: 3 });
    await cluster.createTopic('jobs', 4);
    const one = member('billing');
    await one.start();
    const paused = cluster.coordinatorOf('billing')!;
    cluster.pauseReplica(paused);
    expect(await one.commit(0, 1, 20_000)).toBe(0);
    expect(cluster.coordinatorOf('billing')).not.toBe(paused);
    cluster.resumeReplica(paused);
    expect(await one.commit(0, 2, 10_000)).toBe(0);
  });

  it('removes a paused worker when its session ends, and refuses its epoch', async () => {
    await start({ settings: { sessionTimeoutMsMin: 300 } });
    await cluster.createTopic('jobs', 4);
    const one = member('billing', { sessionTimeoutMs: 500 });
    await one.start();
    await cluster.waitForStable('billing', { members: 1 });
    const { generation } = one;
    cluster.pauseWorker('quorate-test');
    await eventually('its session ends', 30_000, () => cluster.ownersOf('billing').length === 0);
    cluster.resumeWorker('quorate-test');
    expect(await cluster.waitForStable('billing', { members: 1 })).toBeGreaterThan(generation);
  });

  it('begins another epoch when asked to', async () => {
    await start();
    await cluster.createTopic('jobs', 4);
    const one = member('billing');
    await one.start();
    const [before] = cluster.ownersOf('billing');
    await cluster.bumpEpoch('billing');
    await eventually('it owns again', 30_000, () => cluster.ownersOf('billing').length === 4);
    const [after] = cluster.ownersOf('billing');
    expect(after!.epoch).toBeGreaterThan(before!.epoch);
    expect(after!.token).toBeGreaterThan(before!.token!);
    await expect(cluster.bumpEpoch('nobody')).rejects.toThrow('the group nobody has no member');
  });

  it('says what is wrong with what it is given', async () => {
    await start();
    await expect(startTestCluster({ replicas: 12 })).rejects.toThrow('from 1 to 9');
    await expect(startTestCluster({ settings: { shards: 'x' as never } })).rejects.toThrow('shards');
    await expect(cluster.advance(10)).rejects.toThrow("clock: 'virtual'");
    expect(() => cluster.pauseReplica(7)).toThrow('there is no replica 7');
    expect(() => cluster.getHttpUrls()).toThrow('serves no HTTP');
  });
});

describe('a cluster for tests, on virtual time', () => {
  it.each([1, 3])('of %d replica(s) ends a session in milliseconds', async (replicas) => {
    await start({ replicas, clock: 'virtual' });
    await cluster.createTopic('jobs', 4);
    const one = await joined('billing', 30_000);
    expect(cluster.ownersOf('billing')).toHaveLength(4);
    await one.abandon();
    const began = performance.now();
    await cluster.advance(29_000);
    expect(cluster.ownersOf('billing')).toHaveLength(4);
    await cluster.advance(2_000);
    expect(cluster.ownersOf('billing')).toEqual([]);
    // 31 s of the cluster, on a busy machine too.
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('replaces a killed leader', async () => {
    await start({ replicas: 3, clock: 'virtual' });
    await cluster.createTopic('jobs', 4);
    const one = await joined('billing');
    const coordinator = cluster.coordinatorOf('billing')!;
    await cluster.killReplica(coordinator);
    await cluster.advance(5_000);
    expect(cluster.coordinatorOf('billing')).not.toBe(coordinator);
    expect(cluster.coordinatorOf('billing')).toBeDefined();
    expect(one.failure).toBeNull();
  });

  it('stands still while nobody advances it', async () => {
    await start({ clock: 'virtual' });
    await cluster.createTopic('jobs', 4);
    const one = await joined('billing', 6_000);
    await one.abandon();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(cluster.ownersOf('billing')).toHaveLength(4);
    // A client that only reads is answered at any time.
    const client = new GroupClient({ bootstrap: cluster.brokers.map(parseAddress), group: 'billing' });
    const { nodeId } = await client.find();
    expect(nodeId).toBe(1);
  });
});
