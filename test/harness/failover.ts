import kafkajs, { type Consumer } from 'kafkajs';
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
  readonly committed: number;
}

const TOPIC = 'work';
const PARTITIONS = 6;

/**
 * Two members on the raw protocol commit without pause, a kafkajs consumer is in a group beside theirs; then the leader
 * of their shard is killed with SIGKILL, again and again. Throws when anything acknowledged is missing, when a group has
 * another generation, other members or another assignment, or when anybody had to rejoin.
 *
 * kafkajs has no other way to follow a coordinator that moved than a JoinGroup under its old member id. That it sends one
 * is not counted; that it is answered with the generation it has already, is.
 */
export class FailoverScene {
  readonly group: string;
  readonly #cluster: Cluster;
  readonly #members: GroupMember[] = [];
  readonly #acknowledged = new Map<number, number>();
  #kafka: Consumer | undefined;
  #kafkaJoins = 0;
  readonly #kafkaGenerations = new Set<number>();
  #ended = false;
  #working = false;
  #loops: Promise<void>[] = [];
  #acknowledgedAt: number[] = [];
  #problem: Error | undefined;

  constructor(cluster: Cluster, group: string) {
    this.#cluster = cluster;
    this.group = group;
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
    await eventually('both members have their share', 15_000, () =>
      this.#members.every((member) => member.isStable && member.partitions.length === 3),
    );
    await this.#beginKafkajs();
    this.#working = true;
    this.#loops = this.#members.map((member) => this.#commitWithoutPause(member));
  }

  async #beginKafkajs(): Promise<void> {
    const kafka = new kafkajs.Kafka({
      clientId: 'survivor',
      brokers: this.#cluster.bootstrap.map(addressText),
      logLevel: kafkajs.logLevel.NOTHING,
      retry: {
        initialRetryTime: 30,
        maxRetryTime: 300,
        retries: 100,
        restartOnFailure: () => Promise.resolve(!this.#ended),
      },
    });
    const consumer = kafka.consumer({
      groupId: `${this.group}-kafkajs`,
      sessionTimeout: 10_000,
      heartbeatInterval: 300,
      maxWaitTimeInMs: 200,
    });
    consumer.on(consumer.events.GROUP_JOIN, () => void this.#kafkaJoins++);
    consumer.on(consumer.events.HEARTBEAT, ({ payload }) => {
      this.#kafkaGenerations.add(payload.groupGenerationId);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [TOPIC] });
    await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
    await eventually('kafkajs has joined', 15_000, () => this.#kafkaJoins > 0);
    this.#kafka = consumer;
  }

  async #commitWithoutPause(member: GroupMember): Promise<void> {
    let offset = 0;
    try {
      while (this.#working) {
        const partition = member.partitions[offset % member.partitions.length]!;
        const code = await member.commit(partition, ++offset);
        if (code !== 0) throw new Error(`a commit was answered with ${code}`);
        this.#acknowledged.set(partition, offset);
        this.#acknowledgedAt.push(performance.now());
      }
    } catch (error) {
      this.#problem ??= error as Error;
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
      20_000,
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
    return { killed, next, gapMs: firstAt - at, committed: this.#acknowledgedAt.length };
  }

  /** Both groups as a replica shows them: who is in them, in which generation, and who owns what. */
  async #picture(replica: number): Promise<string> {
    const shown = [this.group, `${this.group}-kafkajs`].map(async (group) => {
      const response = await fetch(`${this.#cluster.replica(replica).http}/groups/${group}`);
      if (!response.ok) throw new Error(`GET /groups/${group} was answered with ${response.status}`);
      const { group: facts, members } = (await response.json()) as GroupDetailJson;
      const { state, generation } = facts;
      return {
        group,
        state,
        generation,
        members: members.map(({ memberId, partitions }) => ({ memberId, partitions })),
      };
    });
    return JSON.stringify(await Promise.all(shown));
  }

  /** Everything acknowledged is there, as the coordinator tells another client. */
  async check(): Promise<void> {
    if (this.#problem !== undefined) throw this.#problem;
    if (this.#kafkaGenerations.size > 1)
      throw new Error(`the generation of kafkajs changed: ${[...this.#kafkaGenerations].join(', ')}`);
    const expected = new Map(this.#acknowledged);
    const response = await this.#members[0]!.client.ask(
      9,
      5,
      { groupId: this.group, topics: [{ name: TOPIC, partitionIndexes: [...expected.keys()] }] },
      ({ errorCode }) => errorCode,
    );
    for (const { partitionIndex, committedOffset } of response.topics[0]?.partitions ?? []) {
      const least = expected.get(partitionIndex)!;
      if (committedOffset < least)
        throw new Error(
          `partition ${partitionIndex}: ${least} was acknowledged, ${committedOffset} is there`,
        );
    }
    if ((response.topics[0]?.partitions.length ?? 0) !== expected.size)
      throw new Error('partitions are missing from the answer');
  }

  async end(): Promise<void> {
    this.#working = false;
    this.#ended = true;
    await Promise.all(this.#loops);
    await this.#kafka?.disconnect();
    for (const member of this.#members) await member.abandon();
  }
}
