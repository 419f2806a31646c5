import { expect } from '@jest/globals';
import type { Cluster } from './cluster.js';
import { encodeAssignment, encodeSubscription } from './consumer-protocol.js';
import { GroupClient } from './group-client.js';

const WITHIN_MS = 30_000;
const ASK = { withinMs: WITHIN_MS, attemptTimeoutMs: WITHIN_MS };

/** A member of a group that is told what to do, request by request. */
export class Hand {
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
