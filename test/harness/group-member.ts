import type { Address } from './connection.js';
import {
  type Assignment,
  dealPartitions,
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.js';
import { GroupClient } from './group-client.js';
import { sleep } from './waiting.js';

const ILLEGAL_GENERATION = 22;
const UNKNOWN_MEMBER_ID = 25;
const REBALANCE_IN_PROGRESS = 27;
const MEMBER_ID_REQUIRED = 79;

export interface MemberOptions {
  readonly bootstrap: readonly Address[];
  readonly group: string;
  readonly topic: string;
  /** Partitions of the topic, for the case that this member has to assign them. */
  readonly partitions: number;
  /** Name under which the assignment strategy is voted for. */
  readonly protocol?: string;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly heartbeatMs?: number;
  readonly requestTimeoutMs?: number;
}

/**
 * A member of a classic group on the raw protocol: joins, assigns when it is made the leader, heartbeats, and rejoins when
 * told to. It counts what the tests want to know.
 */
export class GroupMember {
  readonly client: GroupClient;
  readonly #options: MemberOptions;
  memberId = '';
  generation = -1;
  isLeader = false;
  assignment: Assignment = {};
  /** JoinGroup requests that brought a new generation, the first included. */
  joins = 0;
  /** Set when the member has its assignment of `generation`. */
  isStable = false;
  /** performance.now() when `isStable` was last set. */
  stableAt = Number.NaN;
  heartbeats = 0;
  failure: Error | null = null;
  #running = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: MemberOptions) {
    this.#options = options;
    this.client = new GroupClient(options);
  }

  get partitions(): readonly number[] {
    return this.assignment[this.#options.topic] ?? [];
  }

  /** Joins, and goes on in the background until `leave` or `abandon`. */
  async start(): Promise<void> {
    await this.#join();
    this.#running = true;
    this.#loop = this.#live().catch((error: unknown) => {
      if (this.#running) this.failure = error as Error;
    });
  }

  /** 0 when the offset is durable; any other Kafka error code as the coordinator gave it. */
  async commit(partition: number, offset: number, withinMs?: number): Promise<number> {
    const { group: groupId, topic: name } = this.#options;
    const code = (response: {
      readonly topics: readonly { readonly partitions: readonly { readonly errorCode: number }[] }[];
    }): number => response.topics[0]?.partitions[0]?.errorCode ?? -1;
    const response = await this.client.ask(
      8,
      7,
      {
        groupId,
        generationIdOrMemberEpoch: this.generation,
        memberId: this.memberId,
        topics: [
          {
            name,
            partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: null }],
          },
        ],
      },
      code,
      withinMs === undefined ? {} : { withinMs },
    );
    return code(response);
  }

  async heartbeat(): Promise<number> {
    const response = await this.client.ask(
      12,
      3,
      { groupId: this.#options.group, generationId: this.generation, memberId: this.memberId },
      ({ errorCode }) => errorCode,
      { withinMs: 30_000 },
    );
    this.heartbeats++;
    return response.errorCode;
  }

  async leave(): Promise<void> {
    this.#running = false;
    await this.client.ask(
      13,
      3,
      { groupId: this.#options.group, members: [{ memberId: this.memberId }] },
      ({ errorCode }) => errorCode,
    );
    this.client.close();
    await this.#loop;
  }
  /** Falls silent, as a crashed process would. */
  async abandon(): Promise<void> {
    this.#running = false;
    this.client.close();
    await this.#loop;
  }

  async #live(): Promise<void> {
    while (this.#running) {
      await sleep(this.#options.heartbeatMs ?? 500);
      if (!this.#running) return;
      const code = await this.heartbeat();
      if (code === 0) continue;
      if (code === UNKNOWN_MEMBER_ID) this.memberId = '';
      if (code !== UNKNOWN_MEMBER_ID && code !== REBALANCE_IN_PROGRESS && code !== ILLEGAL_GENERATION) {
        throw new Error(`heartbeat says ${code}`);
      }
      await this.#join();
    }
  }

  async #join(): Promise<void> {
    this.isStable = false;
    const { group: groupId, topic, partitions } = this.#options;
    const protocol = this.#options.protocol ?? 'range';
    const rebalanceTimeoutMs = this.#options.rebalanceTimeoutMs ?? 10_000;
    for (;;) {
      const joined = await this.client.ask(
        11,
        5,
        {
          groupId,
          sessionTimeoutMs: this.#options.sessionTimeoutMs ?? 10_000,
          rebalanceTimeoutMs,
          memberId: this.memberId,
          protocolType: 'consumer',
          protocols: [{ name: protocol, metadata: encodeSubscription([topic]) }],
        },
        ({ errorCode }) => errorCode,
        { withinMs: 60_000, attemptTimeoutMs: rebalanceTimeoutMs + 10_000 },
      );
      if (joined.errorCode === MEMBER_ID_REQUIRED) this.memberId = joined.memberId;
      else if (joined.errorCode === UNKNOWN_MEMBER_ID) this.memberId = '';
      if (joined.errorCode === MEMBER_ID_REQUIRED || joined.errorCode === UNKNOWN_MEMBER_ID) continue;
      if (joined.errorCode === REBALANCE_IN_PROGRESS) continue;
      if (joined.errorCode !== 0) throw new Error(`join says ${joined.errorCode}`);
      this.memberId = joined.memberId;
      this.generation = joined.generationId;
      this.isLeader = joined.leader === joined.memberId;
      this.joins++;
      const dealt = this.isLeader
        ? dealPartitions(
            topic,
            partitions,
            joined.members.map(({ memberId }) => memberId),
          )
        : new Map<string, Assignment>();
      const synced = await this.client.ask(
        14,
        3,
        {
          groupId,
          generationId: this.generation,
          memberId: this.memberId,
          assignments: [...dealt].map(([memberId, assignment]) => ({
            memberId,
            assignment: encodeAssignment(assignment),
          })),
        },
        ({ errorCode }) => errorCode,
        { withinMs: 60_000, attemptTimeoutMs: rebalanceTimeoutMs + 10_000 },
      );
      if (synced.errorCode === UNKNOWN_MEMBER_ID) this.memberId = '';
      if ([UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION].includes(synced.errorCode)) continue;
      if (synced.errorCode !== 0) throw new Error(`sync says ${synced.errorCode}`);
      this.assignment = decodeAssignment(synced.assignment);
      this.stableAt = performance.now();
      this.isStable = true;
      return;
    }
  }
}
