import { errorCode, type RequestInputByKey, type ResponseByKey } from '../wire/index.js';
import { type Address, addressOf, addressText, type Int64 } from '../kernel/index.js';
import { BrokerConnection, type ConnectionOptions } from './broker-connection.js';
import { Cluster } from './cluster.js';
import { BrokerError } from './errors.js';

export interface GroupClientOptions extends Pick<ConnectionOptions, 'connect'> {
  /** host:port of some brokers. */
  readonly brokers: readonly string[];
  readonly group: string;
  readonly clientId: string;
  /** The name of a static member (KIP-345). */
  readonly instanceId: string | null;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** A heartbeat may be held until there is news. Default: `requestTimeoutMs`. */
  readonly heartbeatTimeoutMs?: number;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}
/** null: nothing is committed. */
export type CommittedPosition = Int64 | null | BrokerError;
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
}

const [OFFSET_COMMIT, OFFSET_FETCH, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP] = [
  8, 9, 11, 12, 13, 14,
] as const;
type GroupKey = 8 | 9 | 11 | 12 | 13 | 14;
/** The coordinator is another broker by now, or this one cannot say. */
const MOVED: readonly number[] = [errorCode('NOT_COORDINATOR'), errorCode('COORDINATOR_NOT_AVAILABLE')];

const UNKNOWN_PARTITION = errorCode('UNKNOWN_TOPIC_OR_PARTITION');

/** JoinGroup and SyncGroup may be parked, and answers come in order: heartbeats and commits take another connection. */
type Lane = 'membership' | 'control';

/**
 * The requests of one member to the coordinator of its group, wherever that is. A lost connection or a coordinator that
 * moved fails the request with ConnectionError or shows its error code; the next one looks the coordinator up again.
 */
export class GroupClient {
  readonly cluster: Cluster;
  readonly #options: GroupClientOptions & ConnectionOptions;
  readonly #lanes = new Map<Lane, Promise<BrokerConnection>>();
  #coordinator: Promise<Address> | undefined;
  #closed = false;

  constructor(options: GroupClientOptions) {
    this.#options = options;
    this.cluster = new Cluster(options.brokers.map(addressOf), options);
  }

  /** `timeoutMs`: how long it may be parked. */
  join(
    body: Omit<RequestInputByKey[11], 'groupId' | 'groupInstanceId'>,
    timeoutMs: number,
  ): Promise<ResponseByKey[11]> {
    const { group: groupId, instanceId: groupInstanceId } = this.#options;
    return this.#send('membership', JOIN_GROUP, { ...body, groupId, groupInstanceId }, timeoutMs);
  }

  sync(
    { memberId, generation }: Membership,
    protocol: { readonly type: string; readonly name: string },
    assignments: RequestInputByKey[14]['assignments'],
    timeoutMs: number,
  ): Promise<ResponseByKey[14]> {
    const { group: groupId, instanceId: groupInstanceId } = this.#options;
    const { type: protocolType, name: protocolName } = protocol;
    const body = { groupId, groupInstanceId, memberId, generationId: generation };
    return this.#send(
      'membership',
      SYNC_GROUP,
      { ...body, protocolType, protocolName, assignments },
      timeoutMs,
    );
  }

  /** Kafka's error code, and whether an operator wants this member to drain and leave. */
  async heartbeat({
    memberId,
    generation,
  }: Membership): Promise<{ readonly code: number; readonly drain: boolean }> {
    const { group: groupId, instanceId: groupInstanceId } = this.#options;
    const body = { groupId, groupInstanceId, memberId, generationId: generation };
    const { errorCode: code, drain } = await this.#send(
      'control',
      HEARTBEAT,
      body,
      this.#options.heartbeatTimeoutMs,
    );
    return { code, drain };
  }

  /** Kafka's error code. */
  async leave(memberId: string, reason: string): Promise<number> {
    const { group: groupId, instanceId: groupInstanceId } = this.#options;
    const members = [{ memberId, groupInstanceId, reason }];
    const answer = await this.#send('control', LEAVE_GROUP, { groupId, members });
    return answer.errorCode === 0 ? (answer.members[0]?.errorCode ?? 0) : answer.errorCode;
  }

  /** Resolves with Kafka's error code for the partition; 0: it is durable. */
  async commit(
    { memberId, generation }: Membership,
    { topic, partition }: TopicPartition,
    position: Int64,
  ): Promise<number> {
    const { group: groupId, instanceId: groupInstanceId } = this.#options;
    const partitions = [
      { partitionIndex: partition, committedOffset: position, committedMetadata: null },
    ] as const;
    const body = { groupId, groupInstanceId, memberId, generationIdOrMemberEpoch: generation };
    const answer = await this.#send('control', OFFSET_COMMIT, {
      ...body,
      topics: [{ name: topic, partitions }],
    });
    const code = answer.topics[0]?.partitions[0]?.errorCode;
    if (code === undefined) throw new BrokerError('OffsetCommit', errorCode('UNKNOWN_SERVER_ERROR'));
    return this.#heard(code);
  }

  /**
   * What is committed for each of these, in their order. Rejects with ConnectionError or BrokerError when nothing could be read.
   */
  async committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedPosition[]> {
    const asked = new Map<string, number[]>();
    for (const { topic, partition } of partitions) {
      const indexes = asked.get(topic);
      if (indexes === undefined) asked.set(topic, [partition]);
      else indexes.push(partition);
    }
    const topics = [...asked].map(([name, partitionIndexes]) => ({ name, partitionIndexes }));
    const answer = await this.#send('control', OFFSET_FETCH, { groupId: this.#options.group, topics });
    if (answer.errorCode !== 0) throw new BrokerError('OffsetFetch', answer.errorCode);
    const found = new Map<string, CommittedPosition>();
    for (const { name, partitions: answered } of answer.topics)
      for (const { partitionIndex, committedOffset, errorCode: code } of answered) {
        const position = committedOffset === -1 ? null : committedOffset;
        const failed = this.#heard(code) !== 0;
        found.set(`${partitionIndex}/${name}`, failed ? new BrokerError('OffsetFetch', code) : position);
      }
    return partitions.map(({ topic, partition }) => {
      const position = found.get(`${partition}/${topic}`);
      return position === undefined ? new BrokerError('OffsetFetch', UNKNOWN_PARTITION) : position;
    });
  }

  close(): void {
    this.#closed = true;
    this.#forget();
    this.cluster.close();
  }

  async #send<K extends GroupKey>(
    lane: Lane,
    key: K,
    body: RequestInputByKey[K],
    timeoutMs?: number,
  ): Promise<ResponseByKey[K]> {
    const connection = await this.#connected(lane);
    try {
      const answer = await connection.request(key, body, timeoutMs);
      if ('errorCode' in answer) this.#heard(answer.errorCode);
      return answer;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  #heard(code: number): number {
    if (!MOVED.includes(code)) return code;
    this.#forget();
    // Whoever named this coordinator may be cut off from those that know better.
    this.cluster.doubt();
    return code;
  }

  /** What is under way on the connections fails; the coordinator is looked up again. */
  #forget(): void {
    this.#coordinator = undefined;
    for (const lane of this.#lanes.values())
      void lane.then(
        (connection) => connection.close(),
        () => undefined,
      );
    this.#lanes.clear();
  }

  async #connected(lane: Lane): Promise<BrokerConnection> {
    const open = this.#lanes.get(lane);
    if (open !== undefined && (await open).isOpen) return open;
    if (this.#lanes.get(lane) !== open) return this.#connected(lane);
    const opening = this.#open();
    this.#lanes.set(lane, opening);
    try {
      return await opening;
    } catch (error) {
      if (this.#lanes.get(lane) === opening) this.#forget();
      throw error;
    }
  }

  async #open(): Promise<BrokerConnection> {
    if (this.#closed) throw new BrokerError('a client that was closed', errorCode('NETWORK_EXCEPTION'));
    this.#coordinator ??= this.cluster.coordinatorOf(this.#options.group);
    const address = await this.#coordinator;
    return BrokerConnection.open(address, this.#options);
  }

  /** For messages: where the coordinator was last. */
  async coordinatorText(): Promise<string> {
    const address = await this.#coordinator?.catch(() => undefined);
    return address === undefined ? 'no coordinator' : addressText(address);
  }
}
