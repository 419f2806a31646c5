import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { KafkaConnection } from '../harness/connection.js';
import { FailoverScene } from '../harness/failover.js';
import { GroupMember } from '../harness/group-member.js';
import { eventually, median, sleep } from '../harness/waiting.js';

const ROUNDS = 20;
/** For what must happen at some time, on a machine that may be busy with other work. */
const GIVE_UP_AFTER_MS = 60_000;
const NOT_COORDINATOR = 16;

describe('survival', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.createTopic('work', 6);
  }, 2 * GIVE_UP_AFTER_MS);
  afterAll(() => cluster.close(), 30_000);
  /** What a test left dead is started for the next one. */
  afterEach(() => cluster.mend(), 2 * GIVE_UP_AFTER_MS);

  it(`${ROUNDS} leaders are killed: no acknowledged commit is lost, nobody rejoins`, async () => {
    const scene = new FailoverScene(cluster, 'survival');
    await scene.begin();
    const gaps: number[] = [];
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        const { killed, next, gapMs, committed, committedByKafkajs } = await scene.round();
        gaps.push(gapMs);
        console.info(
          `round ${round}: killed replica ${killed}, ${next} took over, ${gapMs.toFixed(0)} ms to the next acknowledged commit, ${committed} commits, ${committedByKafkajs} by kafkajs`,
        );
      }
    } catch (error) {
      cluster.printLogs();
      throw error;
    } finally {
      await scene.end();
    }
    console.info(
      `kill to next acknowledged commit: median ${median(gaps).toFixed(0)} ms, worst ${Math.max(...gaps).toFixed(0)} ms`,
    );
  }, 300_000);

  it(
    'a leader that was stopped for 5 s serves nothing stale when it wakes',
    async () => {
      const member = new GroupMember({
        bootstrap: cluster.bootstrap,
        group: 'paused',
        topic: 'work',
        partitions: 6,
        sessionTimeoutMs: 30_000,
      });
      await member.start();
      expect(await member.commit(0, 1)).toBe(0);
      const old = await cluster.leaderOf('paused');
      const stale = await KafkaConnection.open(cluster.replica(old).kafka);
      cluster.pause(old);
      // These wait in the sleeping leader's socket and are read the moment it wakes.
      const offsets = Array.from({ length: 20 }, () =>
        stale.request(9, 5, { groupId: 'paused', topics: [{ name: 'work', partitionIndexes: [0] }] }),
      );
      const beats = Array.from({ length: 20 }, () =>
        stale.request(12, 3, {
          groupId: 'paused',
          generationId: member.generation,
          memberId: member.memberId,
        }),
      );
      try {
        await eventually(
          'another leader takes the commit',
          GIVE_UP_AFTER_MS,
          async () => (await member.commit(0, 2)) === 0,
        );
        await sleep(5_000);
      } finally {
        cluster.resume(old);
      }
      for (const { errorCode, topics } of await Promise.all(offsets)) {
        const committed = topics[0]?.partitions[0]?.committedOffset;
        expect(errorCode === NOT_COORDINATOR || committed === 2).toBe(true);
      }
      for (const { errorCode } of await Promise.all(beats)) expect(errorCode).toBe(NOT_COORDINATOR);
      stale.close();
      await member.leave();
    },
    5 * GIVE_UP_AFTER_MS,
  );

  it(
    'all three are killed at once: everything acknowledged is there afterwards',
    async () => {
      const member = new GroupMember({
        bootstrap: cluster.bootstrap,
        group: 'all-at-once',
        topic: 'work',
        partitions: 6,
        sessionTimeoutMs: 30_000,
      });
      await member.start();
      let acknowledged = 0;
      let working = true;
      const work = (async () => {
        while (working) {
          try {
            if ((await member.commit(3, acknowledged + 1, 100)) === 0) acknowledged++;
          } catch {
            // Everybody is dead right now.
          }
        }
      })();
      await eventually('some commits are acknowledged', GIVE_UP_AFTER_MS, () => acknowledged > 100);
      await Promise.all(cluster.replicas.map(({ id }) => cluster.kill(id)));
      working = false;
      await work;
      for (const { id } of cluster.replicas) cluster.restart(id);
      for (const { id } of cluster.replicas) await cluster.ready(id);
      const found = await member.client.ask(
        9,
        5,
        { groupId: 'all-at-once', topics: [{ name: 'work', partitionIndexes: [3] }] },
        ({ errorCode }) => errorCode,
      );
      expect(found.topics[0]!.partitions[0]!.committedOffset).toBeGreaterThanOrEqual(acknowledged);
      await member.leave();
    },
    5 * GIVE_UP_AFTER_MS,
  );
});
