import { type Address, KafkaConnection } from './connection.js';
import { encodeAssignment, encodeSubscription } from './consumer-protocol.js';
import { GroupClient, isCoordinatorMoved } from './group-client.js';
import { eventually, sleep } from './waiting.js';

const MEMBER_ID_REQUIRED = 79;
const HEARTBEAT_MS = 3_000;
const SESSION_TIMEOUT_MS = 60_000;
const REBALANCE_TIMEOUT_MS = 120_000;
const LEADER_TIMEOUT_MS = 5_000;

interface CrowdOptions {
  readonly bootstrap: readonly Address[];
  readonly group: string;
  readonly topic: string;
  readonly members: number;
}

interface CrowdMember {
  connection: KafkaConnection | undefined;
  memberId: string;
  /** -1 while it has no assignment. */
  generation: number;
  /** Ends its rest between two heartbeats. */
  wake: () => void;
}

/**
 * Thousands of members of one group, each on a connection of its own, as bare as can be: they join, sync and send heartbeats,
 * and after an error they find their coordinator again and retry after 200 to 400 ms.
 */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #members: CrowdMember[];
  readonly #finder: GroupClient;
  #coordinator: Promise<Address> | undefined;
  #running = true;
  /** Answers that were an error, by API and code: `join 16`. */
  readonly errors = new Map<string, number>();
  #loops: Promise<void>[] = [];

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#members = Array.from({ length: options.members }, () => ({
      connection: undefined,
      memberId: '',
      generation: -1,
      wake: () => undefined,
    }));
    this.#finder = new GroupClient(options);
  }

  /** Members that are in the newest generation with their assignment. */
  get stable(): number {
    const newest = Math.max(...this.#members.map(({ generation }) => generation));
    return newest < 0 ? 0 : this.#members.filter(({ generation }) => generation === newest).length;
  }

  /** All begin at once. */
  begin(): void {
    this.#loops = this.#members.map((member) => this.#live(member));
  }
  /** All begin at once. Milliseconds until all have their assignment of one generation. */
  async form(withinMs: number): Promise<number> {
    const began = performance.now();
    this.begin();
    return this.settled(began, withinMs);
  }
  /** Milliseconds since `began`, as soon as all have their assignment of one generation. */
  async settled(began: number, withinMs: number): Promise<number> {
    const { members } = this.#options;
    await eventually(`${members} members are stable`, withinMs, () => this.stable === members);
    return performance.now() - began;
  }
  /** The coordinator is gone: all look for the next one and join there under their own ids, as kafkajs does. */
  rejoin(): void {
    for (const member of this.#members) {
      this.#lost(member);
      member.wake();
    }
  }

  async close(): Promise<void> {
    this.#running = false;
    for (const { connection, wake } of this.#members) {
      connection?.close();
      wake();
    }
    this.#finder.close();
    await Promise.all(this.#loops);
  }

  async #live(member: CrowdMember): Promise<void> {
    while (this.#running) {
      try {
        await this.#join(member);
        while (this.#running && member.generation >= 0) {
          await this.#rest(member, HEARTBEAT_MS * (0.5 + Math.random()));
          await this.#heartbeat(member);
        }
      } catch {
        // The connection ended.
        this.#lost(member);
      }
      if (this.#running && member.generation < 0) await sleep(200 + Math.random() * 200);
    }
  }

  #rest(member: CrowdMember, ms: number): Promise<void> {
    return new Promise((resume) => {
      const timer = setTimeout(resume, ms);
      member.wake = () => {
        clearTimeout(timer);
        resume();
      };
    });
  }

  async #join(member: CrowdMember): Promise<void> {
    const { group: groupId, topic } = this.#options;
    member.connection ??= await this.#connect();
    const { connection } = member;
    const joined = await connection.request(11, 5, {
      groupId,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      memberId: member.memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: encodeSubscription([topic]) }],
    });
    if (joined.errorCode === MEMBER_ID_REQUIRED) {
      member.memberId = joined.memberId;
      return this.#join(member);
    }
    if (joined.errorCode !== 0) return this.#failed(member, 'join', joined.errorCode);
    member.memberId = joined.memberId;
    const assignments = joined.members.map(({ memberId }, index) => ({
      memberId,
      assignment: encodeAssignment({ [topic]: [index] }),
    }));
    const { generationId } = joined;
    const synced = await connection.request(14, 3, {
      groupId,
      generationId,
      memberId: joined.memberId,
      assignments,
    });
    if (synced.errorCode !== 0) return this.#failed(member, 'sync', synced.errorCode);
    member.generation = generationId;
  }

  async #heartbeat(member: CrowdMember): Promise<void> {
    const { memberId, generation: generationId, connection } = member;
    if (generationId < 0 || !this.#running) return;
    const { group: groupId } = this.#options;
    const { errorCode } = await connection!.request(12, 3, { groupId, memberId, generationId });
    if (errorCode !== 0) this.#failed(member, 'heartbeat', errorCode);
  }

  #failed(member: CrowdMember, request: string, code: number): void {
    const what = `${request} ${code}`;
    this.errors.set(what, (this.errors.get(what) ?? 0) + 1);
    if (isCoordinatorMoved(code)) return this.#lost(member);
    member.generation = -1;
    const UNKNOWN_MEMBER_ID = 25;
    if (code === UNKNOWN_MEMBER_ID) member.memberId = '';
  }
  #lost(member: CrowdMember): void {
    member.connection?.close();
    member.connection = undefined;
    member.generation = -1;
    this.#coordinator = undefined;
  }

  /** One look-up serves all that ask meanwhile. */
  async #connect(): Promise<KafkaConnection> {
    this.#coordinator ??= this.#finder.find().then(({ address }) => address);
    try {
      return await KafkaConnection.open(await this.#coordinator, 'crowd', LEADER_TIMEOUT_MS);
    } catch (error) {
      this.#coordinator = undefined;
      throw error;
    }
  }
}
