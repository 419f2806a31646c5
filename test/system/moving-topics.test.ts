import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { KafkaConnection } from '../harness/connection.js';
import { encodeAssignment, encodeSubscription } from '../harness/consumer-protocol.js';
import { GroupClient } from '../harness/group-client.js';
import { eventually } from '../harness/waiting.js';

const REBALANCE_IN_PROGRESS = 27;
const WITHIN_MS = 30_000;
const ASK = { withinMs: WITHIN_MS, attemptTimeoutMs: WITHIN_MS };

/** A member of a group that is told what to do, request by request. */
class Hand {
  memberId = '';
  generation = -1;
  readonly #client: GroupClient;

  constructor(
    cluster: Cluster,
    readonly group: string,
    readonly topics: readonly string[],
  ) {
    this.#client = new GroupClient({ bootstrap: cluster.bootstrap, group });
  }

  /** Who joined with it, when it leads. */
  async join(): Promise<readonly string[]> {
    const answer = await this.#client.ask(
      11,
      3,
      {
        groupId: this.group,
        sessionTimeoutMs: 20_000,
        rebalanceTimeoutMs: 30_000,
        memberId: this.memberId,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: encodeSubscription(this.topics) }],
      },
      ({ errorCode }) => errorCode,
      ASK,
    );
    expect(answer.errorCode).toBe(0);
    this.memberId = answer.memberId;
    this.generation = answer.generationId;
    return answer.members.map(({ memberId }) => memberId);
  }
  async sync(
    shares: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {},
  ): Promise<void> {
    const { errorCode } = await this.#client.ask(
      14,
      3,
      {
        groupId: this.group,
        generationId: this.generation,
        memberId: this.memberId,
        assignments: Object.entries(shares).map(([memberId, share]) => ({
          memberId,
          assignment: encodeAssignment(share),
        })),
      },
      (answer) => answer.errorCode,
      ASK,
    );
    expect(errorCode).toBe(0);
  }
  async heartbeat(): Promise<number> {
    const { group: groupId, generation: generationId, memberId } = this;
    const answer = await this.#client.ask(
      12,
      3,
      { groupId, generationId, memberId },
      ({ errorCode }) => errorCode,
      ASK,
    );
    return answer.errorCode;
  }
  async commit(topic: string, partitionIndex: number, committedOffset: number): Promise<number> {
    const answer = await this.#client.ask(
      8,
      7,
      {
        groupId: this.group,
        generationIdOrMemberEpoch: this.generation,
        memberId: this.memberId,
        topics: [{ name: topic, partitions: [{ partitionIndex, committedOffset, committedMetadata: null }] }],
      },
      ({ topics }) => topics[0]!.partitions[0]!.errorCode,
      ASK,
    );
    return answer.topics[0]!.partitions[0]!.errorCode;
  }
  async committed(topic: string, partition: number): Promise<number> {
    const answer = await this.#client.ask(
      9,
      5,
      { groupId: this.group, topics: [{ name: topic, partitionIndexes: [partition] }] },
      ({ errorCode }) => errorCode,
      ASK,
    );
    return Number(answer.topics[0]!.partitions[0]!.committedOffset);
  }
  close(): void {
    this.#client.close();
  }
}

describe('topics that come and go while a group is not stable', () => {
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
