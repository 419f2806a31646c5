import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type ApiKey, type ApiName, apiNamed, type RequestInputByKey } from '../../src/wire/index.js';
import { type Address, KafkaConnection } from '../harness/connection.js';
import { eventually, sleep } from '../harness/waiting.js';
import { TOPICS } from './sequence.js';

const TOPIC_ALREADY_EXISTS = 36;
const GROUP_STATE_VERSION = 4;
/** An id that no member has: LeaveGroup with it goes through the log, or the queue, of its group and changes nothing. */
const NOBODY = 'nobody';
const PROBES = 3;

/** A server that is asked: its address, and what is the same for all sequences. */
export class Target {
  readonly address: Address;
  readonly topicIds: ReadonlyMap<string, string>;
  readonly versions: ReadonlyMap<number, { readonly minVersion: number; readonly maxVersion: number }>;

  private constructor(address: Address, topicIds: ReadonlyMap<string, string>, versions: Target['versions']) {
    this.address = address;
    this.topicIds = topicIds;
    this.versions = versions;
  }

  /** Makes the topics that sequences know. */
  static async prepare(address: Address): Promise<Target> {
    const connection = await KafkaConnection.open(address, 'compare');
    const { apiKeys } = await connection.request(18, 2, {});
    const versions = new Map(apiKeys.map((range) => [range.apiKey, range]));
    const topics = Object.entries(TOPICS).map(([name, numPartitions]) => ({
      name,
      numPartitions,
      replicationFactor: -1,
      assignments: [],
      configs: [],
    }));
    const topicIds = await eventually('the topics are there', 30_000, async () => {
      const made = await connection.request(19, 7, { topics, timeoutMs: 10_000 });
      if (made.topics.some(({ errorCode }) => errorCode !== 0 && errorCode !== TOPIC_ALREADY_EXISTS)) return;
      const asked = topics.map(({ name }) => ({ name }));
      const found = await connection.request(3, 12, { topics: asked });
      const ready = found.topics.every(
        ({ errorCode, partitions }) => errorCode === 0 && partitions.length > 0,
      );
      return ready && new Map(found.topics.map(({ name, topicId }) => [name ?? '', topicId]));
    });
    // The first group of a Kafka that has just started waits for __consumer_offsets.
    await eventually('there is a coordinator', 60_000, async () => {
      const { errorCode } = await connection.request(10, 2, { key: `ready-${randomUUID()}`, keyType: 0 });
      if (errorCode !== 0) return false;
      return (await connection.request(9, 5, { groupId: 'ready', topics: [] })).errorCode === 0;
    });
    connection.close();
    return new Target(address, topicIds, versions);
  }
}

interface Waiting {
  readonly step: number;
  readonly client: string;
  readonly api: ApiName;
  readonly connection: KafkaConnection;
  answer: { readonly body: unknown } | 'closed' | undefined;
}
export const CLOSED = Symbol('closed');
/** An answer that has come. */
export interface Arrived {
  readonly step: number;
  readonly client: string;
  readonly api: ApiName;
  /** `CLOSED`: the server closed the connection instead. */
  readonly body: unknown;
}

/** The connections of one sequence to one server, and the requests that wait on them. */
export class Conversation {
  readonly #target: Target;
  readonly #patienceMs: number;
  readonly #connections = new Map<string, KafkaConnection[]>();
  readonly #lastJoin = new Map<string, number>();
  #waiting: Waiting[] = [];
  #probe: KafkaConnection | null = null;

  constructor(target: Target, patienceMs: number) {
    this.#target = target;
    this.#patienceMs = patienceMs;
  }

  /** Sends on a connection of the client on which nothing waits. */
  async send(
    step: number,
    {
      client,
      clientId,
      api,
      version,
    }: Pick<Waiting, 'client' | 'api'> & { clientId: string; version: number },
    body: unknown,
  ): Promise<void> {
    const connection = await this.#free(client, clientId);
    const waiting: Waiting = { step, client, api, connection, answer: undefined };
    this.#waiting.push(waiting);
    if (api === 'JoinGroup') this.#lastJoin.set(client, step);
    void connection.request(apiNamed(api).key, version, body as RequestInputByKey[ApiKey]).then(
      (answer) => void (waiting.answer = { body: answer }),
      () => void (waiting.answer = 'closed'),
    );
  }

  /** The answers that have come since the last call. */
  arrived(): readonly Arrived[] {
    const arrived = this.#waiting.filter(({ answer }) => answer !== undefined);
    this.#waiting = this.#waiting.filter(({ answer }) => answer === undefined);
    return arrived.map(({ step, client, api, answer }) => ({
      step,
      client,
      api,
      body: answer === 'closed' ? CLOSED : answer!.body,
    }));
  }
  isWaiting(step: number): boolean {
    return this.#waiting.some((waiting) => waiting.step === step && waiting.answer === undefined);
  }
  /** Whether any request waits. */
  get waits(): boolean {
    return this.#waiting.some(({ answer }) => answer === undefined);
  }
  /** The clients whose last JoinGroup has no answer. Of two that a client sent, Kafka answers the last. */
  joining(): ReadonlySet<string> {
    const open = this.#waiting.filter(({ api, answer }) => api === 'JoinGroup' && answer === undefined);
    return new Set(
      open.filter(({ client, step }) => step === this.#lastJoin.get(client)).map(({ client }) => client),
    );
  }

  /**
   * Returns when everything sent before has been dealt with in the group: its answers are here, or wait for another request.
   * Kafka with one network thread and one request thread reads the second question after the first was answered, so behind
   * all earlier requests; a group's requests are dealt with in order; and the answers of one turn are written before the
   * next request is read.
   */
  async settle(group: string): Promise<void> {
    const probe = await this.#prober();
    for (let i = 0; i < PROBES; i++) await probe.request(13, 2, { groupId: group, memberId: NOBODY });
    if (this.#patienceMs > 0) await sleep(this.#patienceMs);
    // What came in the same turn of the loop as the last answer.
    await setImmediate();
    await setImmediate();
  }

  /** As DescribeGroups tells. */
  async members(group: string): Promise<{ readonly state: string; readonly ids: readonly string[] }> {
    const probe = await this.#prober();
    const { groups } = await probe.request(15, GROUP_STATE_VERSION, { groups: [group] });
    const found = groups[0]!;
    return { state: found.groupState, ids: found.members.map(({ memberId }) => memberId) };
  }

  disconnect(client: string): void {
    for (const connection of this.#connections.get(client) ?? []) connection.close();
    this.#connections.delete(client);
    this.#waiting = this.#waiting.filter((waiting) => waiting.client !== client);
  }
  close(): void {
    for (const client of [...this.#connections.keys()]) this.disconnect(client);
    this.#probe?.close();
  }

  async #free(client: string, clientId: string): Promise<KafkaConnection> {
    const known = this.#connections.get(client) ?? [];
    const busy = new Set(this.#waiting.map(({ connection }) => connection));
    const free = known.find((connection) => connection.isOpen && !busy.has(connection));
    if (free !== undefined) return free;
    const opened = await KafkaConnection.open(this.#target.address, clientId);
    this.#connections.set(client, [...known, opened]);
    return opened;
  }
  async #prober(): Promise<KafkaConnection> {
    return (this.#probe ??= await KafkaConnection.open(this.#target.address, 'compare-probe'));
  }
}
