import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addressText } from '../harness/connection.js';
import { Cluster } from '../harness/cluster.js';
import { CountingWorkers } from '../harness/counting-workers.js';
import { eventually } from '../harness/waiting.js';

const TOPIC = 'tenants';
const PARTITIONS = 4;
const SESSION_MS = 5_000;
const BLOCKED_MS_MAX = 15_000;
const WITHIN_MS = 60_000;

describe('a worker whose event loop is blocked', () => {
  let cluster: Cluster;
  let workers: CountingWorkers;
  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.createTopic(TOPIC, PARTITIONS);
  }, 90_000);
  afterAll(async () => {
    workers.killAll();
    await cluster.close();
  }, 30_000);

  const begin = async (group: string, heartbeats: 'main' | 'thread'): Promise<void> => {
    workers?.killAll();
    workers = new CountingWorkers(TOPIC, PARTITIONS, {
      brokers: cluster.bootstrap.map(addressText),
      group,
      heartbeats,
      sessionTimeoutMs: SESSION_MS,
      loopBlockedMsMax: BLOCKED_MS_MAX,
    });
    await workers.start('a');
    await workers.start('b');
    await eventually('both have a half', WITHIN_MS, () =>
      ['a', 'b'].every((name) => workers.judge.owns.get(name) === PARTITIONS / 2),
    );
    // Blocked in the middle of a rebalance it is waited for a session only.
    await eventually('the rebalances are over', WITHIN_MS, () => {
      const [a, b] = ['a', 'b'].map((name) => workers.judge.epochs.get(name));
      return a === b;
    });
    await workers.judge.works(WITHIN_MS);
  };
  const problem = (code: string) =>
    workers.judge.problems.find((each) => each.code === code && each.name === 'a');

  it('loses what it owns after a session, and says that it was blocked', async () => {
    await begin('on-main', 'main');
    workers.block('a', SESSION_MS * 2);
    const found = await eventually('it says so', WITHIN_MS, () => problem('LOOP_BLOCKED'));
    expect(found.text).toMatch(/event loop was blocked, or the process did not run, for \d{4} ms/);
    await eventually('it owns a half again', WITHIN_MS, () => workers.judge.owns.get('a') === PARTITIONS / 2);
    await workers.judge.works(WITHIN_MS);
    expect(workers.judge.violations).toEqual([]);
  }, 120_000);

  it('with a heartbeat thread keeps its leases for longer than a session, and says where it was', async () => {
    await begin('short', 'thread');
    const before = workers.judge.tokens();
    workers.block('a', SESSION_MS * 2);
    const found = await eventually('it says so', WITHIN_MS, () => problem('LOOP_BLOCKED'));
    expect(found.text).toMatch(
      /goes on for 15000 ms.*used last is that of short\/tenants\/\d: its handler (called commit\(\d+\)|wrote with its token) \d+ ms ago[^]*counting-worker\.js/,
    );
    await workers.judge.works(WITHIN_MS);
    expect({ tokens: workers.judge.tokens(), problems: workers.judge.problems }).toMatchObject({
      tokens: before,
      problems: [{ name: 'a', code: 'LOOP_BLOCKED' }],
    });
    expect(workers.judge.violations).toEqual([]);
  }, 120_000);

  it('for longer than loopBlockedMsMax leaves the group, before it is back', async () => {
    await begin('long', 'thread');
    const before = workers.judge.tokens();
    let isBack = false;
    const says = eventually('it is back', WITHIN_MS, () => problem('LOOP_BLOCKED')).then(
      () => (isBack = true),
    );
    workers.block('a', BLOCKED_MS_MAX * 2);
    await workers.judge.works(WITHIN_MS);
    // The other has taken over while it is blocked.
    expect(isBack).toBe(false);
    const after = workers.judge.tokens();
    expect([...after].filter(([scope, token]) => before.get(scope) !== token)).toHaveLength(PARTITIONS / 2);
    await says;
    await eventually('it owns a half again', WITHIN_MS, () => workers.judge.owns.get('a') === PARTITIONS / 2);
    await workers.judge.works(WITHIN_MS);
    expect(workers.judge.violations).toEqual([]);
  }, 120_000);
});
