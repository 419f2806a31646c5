import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { KafkaConnection } from '../harness/connection.js';
import { Hand } from '../harness/hand.js';
import { eventually } from '../harness/waiting.js';

const REBALANCE_IN_PROGRESS = 27;
const WITHIN_MS = 30_000;

describe('groups whose topics or coordinator change under them', () => {
  let cluster: Cluster;
  const hands: Hand[] = [];
  const hand = (group: string, topics: readonly string[]): Hand => {
    const made = new Hand(cluster, group, topics);
    hands.push(made);
    return made;
  };

  beforeAll(async () => {
    cluster = await Cluster.start();
  }, 90_000);
  afterAll(async () => {
    for (const each of hands) each.close();
    await cluster.close();
  }, 30_000);

  /** How many partitions every replica that lives says the topic has. */
  async function everywhere(topic: string, partitions: number): Promise<void> {
    const alive = cluster.replicas.filter(({ child }) => child.running);
    for (const { kafka } of alive) {
      const connection = await KafkaConnection.open(kafka);
      await eventually(`${topic} has ${partitions} partitions`, WITHIN_MS, async () => {
        const { topics } = await connection.request(3, 5, {
          topics: [{ name: topic }],
          allowAutoTopicCreation: false,
        });
        return topics[0]!.partitions.length === partitions;
      });
      connection.close();
    }
  }
  async function deleteTopic(name: string): Promise<void> {
    const connection = await KafkaConnection.open(cluster.replica(1).kafka);
    const { responses } = await connection.request(20, 3, { topicNames: [name], timeoutMs: 30_000 });
    connection.close();
    expect(responses[0]!.errorCode).toBe(0);
    await everywhere(name, 0);
  }

  it('a topic that is deleted during a rebalance holds nobody up, and made again it has no offsets', async () => {
    await cluster.createTopic('stays', 1);
    await cluster.createTopic('goes', 1);
    const topics = ['stays', 'goes'];
    const [anna, bert] = [hand('deleted', topics), hand('deleted', topics)];
    await anna.join();
    await anna.sync({ [anna.memberId]: { stays: [0], goes: [0] } });
    expect([await anna.commit('stays', 0, 5), await anna.commit('goes', 0, 5)]).toEqual([0, 0]);
    const joins = bert.join();
    await eventually('the rebalance has begun', WITHIN_MS, async () => (await anna.heartbeat()) !== 0);
    await deleteTopic('goes');
    // As a Java consumer does before it joins again: an error that it retries would stop the group.
    expect([await anna.commit('goes', 0, 6), await anna.commit('stays', 0, 6)]).toEqual([0, 0]);
    const [members] = await Promise.all([anna.join(), joins]);
    expect(members).toHaveLength(2);
    await cluster.createTopic('goes', 3);
    await everywhere('goes', 3);
    await Promise.all([
      anna.sync({ [anna.memberId]: { stays: [0], goes: [0] }, [bert.memberId]: { goes: [1, 2] } }),
      bert.sync(),
    ]);
    expect([await anna.committed('stays', 0), await anna.committed('goes', 0)]).toEqual([6, -1]);
    expect([await anna.commit('goes', 0, 1), await bert.commit('goes', 2, 2)]).toEqual([0, 0]);
    expect([await anna.committed('goes', 0), await bert.committed('goes', 2)]).toEqual([1, 2]);
  }, 120_000);

  it('a commit comes before the JoinGroup that looks for the coordinator: the group goes on as it was', async () => {
    await cluster.createTopic('rests', 2);
    const [anna, bert] = [hand('commits-first', ['rests']), hand('commits-first', ['rests'])];
    const first = anna.join();
    await Promise.all([first, bert.join()]);
    const [leader, follower] = (await first).length > 0 ? [anna, bert] : [bert, anna];
    const shares = { [leader.memberId]: { rests: [0] }, [follower.memberId]: { rests: [1] } };
    await Promise.all([leader.sync(shares), follower.sync()]);
    const { generation } = leader;
    const dead = await cluster.leaderOf('commits-first');
    await cluster.kill(dead);
    // kafkajs commits beside the loop that answers NOT_COORDINATOR with a JoinGroup.
    expect(await leader.commit('rests', 0, 7)).toBe(0);
    await leader.join();
    expect(leader.generation).toBe(generation);
    expect([await leader.heartbeat(), await follower.heartbeat()]).toEqual([0, 0]);
    expect(await follower.commit('rests', 1, 8)).toBe(0);
    cluster.restart(dead);
    await cluster.ready(dead);
  }, 120_000);

  it('a topic that is made while the coordinator moves: the leader joins, and the next heartbeat tells everybody', async () => {
    await cluster.createTopic('old', 1);
    const topics = ['old', 'new'];
    const [anna, bert] = [hand('moved', topics), hand('moved', topics)];
    const first = anna.join();
    await Promise.all([first, bert.join()]);
    const [leader, follower] = (await first).length > 0 ? [anna, bert] : [bert, anna];
    await Promise.all([leader.sync({ [leader.memberId]: { old: [0] } }), follower.sync()]);
    await cluster.kill(await cluster.leaderOf('moved'));
    await cluster.createTopic('new', 2);
    await everywhere('new', 2);
    expect(await follower.heartbeat()).toBe(0);
    // As kafkajs does when it has found its coordinator: here it must not be taken for one that only came back.
    const joins = leader.join();
    await eventually(
      'the follower is told',
      WITHIN_MS,
      async () => (await follower.heartbeat()) === REBALANCE_IN_PROGRESS,
    );
    await Promise.all([joins, follower.join()]);
    await Promise.all([
      leader.sync({ [leader.memberId]: { old: [0], new: [0] }, [follower.memberId]: { new: [1] } }),
      follower.sync(),
    ]);
    expect([await leader.commit('new', 0, 1), await follower.commit('new', 1, 1)]).toEqual([0, 0]);
  }, 120_000);
});
