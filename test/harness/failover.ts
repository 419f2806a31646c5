import kafkajs, { type Consumer } from 'kafkajs';
import { crc32c } from '../../src/kernel/index.js';
import type { GroupDetailJson } from '../../src/admin/shapes.js';
import type { Cluster } from './cluster.js';
import { addressText } from './connection.js';
import { GroupMember } from './group-member.js';
import { eventually, sleep } from './waiting.js';

export interface FailoverRound {
  readonly killed: number;
  readonly next: number;
  /** From the kill to the first commit that was acknowledged after it. Milliseconds. */
  readonly gapMs: number;
  /** Commits of the raw members that were acknowledged since the kill. */
  readonly committed: number;
  /** Those of kafkajs, since the round before. */
  readonly committedByKafkajs: number;
}

const TOPIC = 'work';
const PARTITIONS = 6;
const SHARDS = 8;
const KAFKAJS_RETRY = { initialRetryTime: 30, maxRetryTime: 300, retries: 1_000 };

const shardOf = (group: string): number => crc32c(Buffer.from(group)) % SHARDS;
/** A group name beside `group` that is in the same shard. */
function neighbour(group: string): string {
  for (let i = 0; ; i++)
    if (shardOf(`${group}-kafkajs-${i}`) === shardOf(group)) return `${group}-kafkajs-${i}`;
}

/**
 * Two members on the raw protocol commit without pause, and a kafkajs consumer does in a group of the same shard; then
 * the leader of that shard is killed with SIGKILL, again and again. Throws when anything acknowledged is missing, when a
 * group has another generation, other members or another assignment, or when a raw member had to rejoin.
 *
 * kafkajs asks the coordinator it joined through for as long as its retries last; it follows one that moved by a JoinGroup
 * under its old member id, when the old coordinator is back and says NOT_COORDINATOR. That it sends one is not counted;
 * that the answer is the generation it has already, is. Out of retries (5 unless told otherwise) it would forget who it
 * is and join as somebody new, with any Kafka.
 */
export class FailoverScene {
  readonly group: string;
  readonly #kafkajsGroup: string;
  readonly #cluster: Cluster;
  readonly #members: GroupMember[] = [];
  /** Of each group, by partition, the highest offset that was acknowledged. */
  readonly #acknowledged: ReadonlyMap<string, Map<number, number>>;
  #kafka: Consumer | undefined;
  #kafkaJoins = 0;
  readonly #kafkaGenerations = new Set<number>();
  #kafkajsCommits = 0;
  #ended = false;
  #working = false;
  #loops: Promise<void>[] = [];
  #acknowledgedAt: number[] = [];
  #problem: Error | undefined;

  constructor(cluster: Cluster, group: string) {
    this.#cluster = cluster;
    this.group = group;
    this.#kafkajsGroup = neighbour(group);
    this.#acknowledged = new Map([group, this.#kafkajsGroup].map((name) => [name, new Map()]));
  }

  async begin(): Promise<void> {
    const { bootstrap } = this.#cluster;
    await this.#cluster.createTopic(TOPIC, PARTITIONS);
    for (let i = 0; i < 2; i++) {
      this.#members.push(
        new GroupMember({
          bootstrap,
          group: this.group,
          topic: TOPIC,
          partitions: PARTITIONS,
          heartbeatMs: 300,
        }),
      );
    }
    await Promise.all(this.#members.map((member) => member.start()));
    await eventually('both members have their share', 30_000, () =>
      this.#members.every((member) => member.isStable && member.partitions.length === 3),
    );
    await this.#beginKafkajs();
    this.#working = true;
    this.#loops = this.#members.map((member) => this.#commitWithoutPause(member));
    this.#loops.push(this.#commitWithKafkajs());
  }

  async #beginKafkajs(): Promise<void> {
    const kafka = new kafkajs.Kafka({
      clientId: 'survivor',
      brokers: this.#cluster.bootstrap.map(addressText),
      logLevel: kafkajs.logLevel.NOTHING,
      retry: KAFKAJS_RETRY,
    });
    const consumer = kafka.consumer({
      groupId: this.#kafkajsGroup,
      retry: { ...KAFKAJS_RETRY, restartOnFailure: () => Promise.resolve(!this.#ended) },
      sessionTimeout: 60_000,
      heartbeatInterval: 300,
      maxWaitTimeInMs: 200,
    });
    consumer.on(consumer.events.GROUP_JOIN, () => void this.#kafkaJoins++);
    consumer.on(consumer.events.HEARTBEAT, ({ payload }) => {
      this.#kafkaGenerations.add(payload.groupGenerationId);
    });
    // commitOffsets also resolves when the consumer has crashed and nothing was committed: this event counts.
    consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      for (const { partitions } of payload.topics)
        for (const { partition, offset } of partitions)
          this.#acknowledged.get(this.#kafkajsGroup)!.set(partition, Number(offset));
      this.#kafkajsCommits++;
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [TOPIC] });
    await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
    await eventually('kafkajs has joined', 30_000, () => this.#kafkaJoins > 0);
    this.#kafka = consumer;
  }

  async #commitWithoutPause(member: GroupMember): Promise<void> {
    let offset = 0;
    try {
      while (this.#working) {
        const partition = member.partitions[offset % member.partitions.length]!;
        const code = await member.commit(partition, ++offset);
        if (code !== 0) throw new Error(`a commit was answered with ${code}`);
        this.#acknowledged.get(this.group)!.set(partition, offset);
        this.#acknowledgedAt.push(performance.now());
      }
    } catch (error) {
      this.#problem ??= error as Error;
    }
  }

  async #commitWithKafkajs(): Promise<void> {
    for (let offset = 1; this.#working; offset++) {
      const partition = offset % PARTITIONS;
      try {
        await this.#kafka!.commitOffsets([{ topic: TOPIC, partition, offset: String(offset) }]);
      } catch {
        // It tries again by itself; what it gave up was not acknowledged.
      }
      await sleep(5);
    }
  }

  async round(): Promise<FailoverRound> {
    const killed = await this.#cluster.leaderOf(this.group);
    const before = this.#members.map(({ generation, memberId, joins }) => ({ generation, memberId, joins }));
    const groups = await this.#picture(killed);
    this.#acknowledgedAt = [];
    const at = performance.now();
    await this.#cluster.kill(killed);
    // A commit that was acknowledged while the signal was on its way is not the first one after it.
    const killedAt = Math.max(at, performance.now() - 5);
    const firstAt = await eventually(
      'a commit is acknowledged after the kill',
      30_000,
      () => this.#acknowledgedAt.find((time) => time > killedAt + 20),
      5,
    );
    const next = await this.#cluster.leaderOf(this.group, killed);
    await sleep(300);
    await this.check();
    const after = this.#members.map(({ generation, memberId, joins }) => ({ generation, memberId, joins }));
    if (JSON.stringify(after) !== JSON.stringify(before))
      throw new Error(`members changed: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
    const groupsAfter = await this.#picture(next);
    if (groupsAfter !== groups) throw new Error(`the groups changed: ${groups} -> ${groupsAfter}`);
    this.#cluster.restart(killed);
    await this.#cluster.ready(killed);
    await this.#cluster.settled(this.group);
    const soFar = this.#kafkajsCommits;
    await eventually('kafkajs commits again', 30_000, () => this.#kafkajsCommits > soFar + 1);
    const groupsInTheEnd = await this.#picture(killed);
    if (groupsInTheEnd !== groups) throw new Error(`the groups changed: ${groups} -> ${groupsInTheEnd}`);
    const committedByKafkajs = this.#kafkajsCommits;
    this.#kafkajsCommits = 0;
    return { killed, next, gapMs: firstAt - at, committed: this.#acknowledgedAt.length, committedByKafkajs };
  }

  /** Both groups as a replica shows them when they are stable: who is in them, in which generation, and who owns what. */
  async #picture(replica: number): Promise<string> {
    const shown = [this.group, this.#kafkajsGroup].map((name) =>
      eventually(`replica ${replica} shows ${name} stable`, 30_000, async () => {
        const response = await fetch(`${this.#cluster.replica(replica).http}/groups/${name}`);
        if (!response.ok) throw new Error(`GET /groups/${name} was answered with ${response.status}`);
        const { group, members } = (await response.json()) as GroupDetailJson;
        const owners = members.map(({ memberId, partitions }) => ({ memberId, partitions }));
        return group.state === 'Stable' && { name, generation: group.generation, owners };
      }),
    );
    return JSON.stringify(await Promise.all(shown));
  }

  /** Everything acknowledged is there, as the coordinator tells another client. */
  async check(): Promise<void> {
    if (this.#problem !== undefined) throw this.#problem;
    if (this.#kafkaGenerations.size > 1)
      throw new Error(`the generation of kafkajs changed: ${[...this.#kafkaGenerations].join(', ')}`);
    for (const [group, acknowledged] of this.#acknowledged) await this.#checkOffsets(group, acknowledged);
  }

  async #checkOffsets(group: string, acknowledged: ReadonlyMap<number, number>): Promise<void> {
    const expected = new Map(acknowledged);
    const response = await this.#members[0]!.client.ask(
      9,
      5,
      { groupId: group, topics: [{ name: TOPIC, partitionIndexes: [...expected.keys()] }] },
      ({ errorCode }) => errorCode,
    );
    const found = response.topics[0]?.partitions ?? [];
    for (const { partitionIndex, committedOffset } of found) {
      const least = expected.get(partitionIndex)!;
      if (committedOffset < least)
        throw new Error(
          `${group}, partition ${partitionIndex}: ${least} was acknowledged, ${committedOffset} is there`,
        );
    }
    if (found.length !== expected.size) throw new Error(`${group}: partitions are missing from the answer`);
  }

  async end(): Promise<void> {
    this.#working = false;
    this.#ended = true;
    await this.#kafka?.disconnect();
    await Promise.all(this.#loops);
    for (const member of this.#members) await member.abandon();
  }
}
