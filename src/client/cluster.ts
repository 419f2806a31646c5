import { errorCode } from '../wire/index.js';
import { type Address, addressText } from '../kernel/index.js';
import { BrokerConnection, type ConnectionOptions } from './broker-connection.js';
import { BrokerError, ConnectionError } from './errors.js';

const METADATA = 3;
const FIND_COORDINATOR = 10;
const CREATE_TOPICS = 19;
const NONE = errorCode('NONE');
const UNKNOWN_TOPIC = errorCode('UNKNOWN_TOPIC_OR_PARTITION');
/** Of a topic: there, but not known to this broker yet. */
const RETRIABLE_TOPIC = [errorCode('LEADER_NOT_AVAILABLE')];

/** The brokers of a cluster, found from the addresses that are given. */
export class Cluster {
  readonly #options: ConnectionOptions;
  readonly #given: readonly Address[];
  #known: readonly Address[] = [];
  #any: BrokerConnection | undefined;
  #turn = 0;

  constructor(brokers: readonly Address[], options: ConnectionOptions) {
    if (brokers.length === 0) throw new TypeError('give at least one broker, e.g. 127.0.0.1:9092');
    this.#given = brokers;
    this.#options = options;
  }

  /** Where the coordinator of the group is. Rejects with ConnectionError or BrokerError. */
  async coordinatorOf(group: string): Promise<Address> {
    return this.#ask(async (broker) => {
      const found = await broker.request(FIND_COORDINATOR, { key: group, keyType: 0 });
      if (found.errorCode !== NONE) throw new BrokerError('FindCoordinator', found.errorCode);
      return { host: found.host, port: found.port };
    });
  }

  /** Partitions by topic; topics that are not there are missing. `create`: the broker may make them, if its settings allow. */
  async partitionsOf(topics: readonly string[], create: boolean): Promise<ReadonlyMap<string, number>> {
    return this.#ask(async (broker) => {
      const answer = await broker.request(METADATA, {
        topics: topics.map((name) => ({ name })),
        allowAutoTopicCreation: create,
      });
      this.#known = answer.brokers.map(({ host, port }) => ({ host, port }));
      const counts = new Map<string, number>();
      for (const topic of answer.topics) {
        if (topic.name === null || topic.errorCode === UNKNOWN_TOPIC) continue;
        if (RETRIABLE_TOPIC.includes(topic.errorCode as never)) continue;
        if (topic.errorCode !== NONE) throw new BrokerError(`Metadata of ${topic.name}`, topic.errorCode);
        counts.set(topic.name, topic.partitions.length);
      }
      return counts;
    });
  }

  /** The topic is there afterwards. Rejects with ConnectionError or BrokerError. */
  async createTopic(name: string, partitions: number): Promise<void> {
    return this.#ask(async (broker) => {
      const topic = { name, numPartitions: partitions, replicationFactor: -1, assignments: [], configs: [] };
      const answer = await broker.request(CREATE_TOPICS, { topics: [topic], timeoutMs: 5_000 });
      const code = answer.topics[0]?.errorCode ?? NONE;
      if (code !== NONE && code !== errorCode('TOPIC_ALREADY_EXISTS'))
        throw new BrokerError(`CreateTopics of ${name}`, code);
    });
  }

  /** What the broker that was asked last says is not so: the next question goes to another one. */
  doubt(): void {
    this.#any?.close();
    this.#any = undefined;
    this.#turn++;
  }

  close(): void {
    this.#any?.close();
  }

  /** Asks one broker after another until one answers as it should. */
  async #ask<T>(question: (broker: BrokerConnection) => Promise<T>): Promise<T> {
    const failures: string[] = [];
    let last: unknown;
    for (const address of this.#addresses()) {
      try {
        return await question(await this.#connected(address));
      } catch (error) {
        this.doubt();
        last = error;
        failures.push((error as Error).message);
      }
    }
    if (last instanceof BrokerError) throw last;
    throw new ConnectionError('no broker answers', failures.join('; '));
  }

  async #connected(address: Address): Promise<BrokerConnection> {
    if (this.#any?.isOpen === true) return this.#any;
    return (this.#any = await BrokerConnection.open(address, this.#options));
  }

  /** Each once, beginning with another one after each failure. */
  #addresses(): readonly Address[] {
    const all = new Map([...this.#given, ...this.#known].map((each) => [addressText(each), each]));
    const list = [...all.values()];
    return list.map((_, i) => list[(i + this.#turn) % list.length]!);
  }
}
