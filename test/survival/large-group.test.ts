import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { Crowd } from '../harness/crowd.js';
import { GroupMember } from '../harness/group-member.js';

const MEMBERS = 5_000;
const WITHIN_MS = 300_000;

describe(`a group of ${MEMBERS} members`, () => {
  let cluster: Cluster;
  beforeAll(async () => {
    // The machine may be busy with other things: that a process is not scheduled for a second is no fault of the group.
    cluster = await Cluster.start({ settings: { electionTimeoutMs: 5_000, leaseMs: 5_000 } });
    await cluster.createTopic('work', 8);
  }, 60_000);
  afterAll(() => cluster.close(), 30_000);

  it('forms without an election, and other groups of the same replicas go on', async () => {
    const coordinator = await cluster.settled('large');
    const others = ['other-1', 'other-2', 'other-3'].map(
      (group) =>
        new GroupMember({
          bootstrap: cluster.bootstrap,
          group,
          topic: 'work',
          partitions: 8,
          heartbeatMs: 100,
          sessionTimeoutMs: 60_000,
        }),
    );
    await Promise.all(others.map((member) => member.start()));
    const generations = others.map(({ generation }) => generation);
    const crowd = new Crowd({
      bootstrap: cluster.bootstrap,
      group: 'large',
      topic: 'work',
      members: MEMBERS,
    });
    try {
      const tookMs = await crowd.form(WITHIN_MS);
      console.info(`${MEMBERS} members are stable after ${tookMs.toFixed(0)} ms`);
      // Who comes after the first rebalance is told of the next one by error 27. A coordinator that moves answers 14 to 16.
      expect([...crowd.errors.keys()].filter((what) => / 1[456]$/.test(what))).toEqual([]);
      expect(await cluster.leaderOf('large')).toBe(coordinator);
      expect(others.map(({ generation }) => generation)).toEqual(generations);
      expect(others.every(({ isStable }) => isStable)).toBe(true);
    } catch (error) {
      cluster.printLogs();
      throw error;
    } finally {
      await crowd.close();
      await Promise.all(others.map((member) => member.abandon()));
    }
  }, 400_000);
});
