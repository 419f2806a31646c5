import type { Cluster } from './cluster.js';
import { type Address, KafkaConnection } from './connection.js';
import { GroupClient } from './group-client.js';
import { sleep } from './waiting.js';

const TOPIC = 'work';
/** How often it asks which brokers there are. Milliseconds. */
const METADATA_EVERY_MS = 200;

interface Loop {
  readonly client: GroupClient;
  acknowledged: number;
  longestMs: number;
}

/** Groups that commit without pause and try again, as clients do; each remembers what it was told that is kept. */
export class CommitLoad {
  /** Where clients look for coordinators: what the last Metadata said. */
  readonly #brokers: Address[];
  readonly #loops: Loop[];
  #running: Promise<void>[] = [];
  #ends = false;
  readonly #failures: string[] = [];

  constructor(cluster: Pick<Cluster, 'bootstrap'>, groups: number) {
    this.#brokers = [...cluster.bootstrap];
    this.#loops = Array.from({ length: groups }, (_, index) => ({
      client: new GroupClient({ bootstrap: this.#brokers, group: `load-${index}` }),
      acknowledged: 0,
      longestMs: 0,
    }));
  }

  start(): void {
    this.#running = [...this.#loops.map((loop) => this.#commit(loop)), this.#followMetadata()];
  }
  /** Commits that were acknowledged so far. */
  get count(): number {
    return this.#loops.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }
  /** The longest that a commit took, tries included. Milliseconds. */
  get longestMs(): number {
    return Math.max(...this.#loops.map(({ longestMs }) => longestMs));
  }
  /** Commits that ended in an error, or not within 15 s. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  async #commit(loop: Loop): Promise<void> {
    while (!this.#ends) {
      const offset = loop.acknowledged + 1;
      const from = performance.now();
      try {
        const { topics } = await loop.client.ask(8, 5, commitOf(loop.client.group, offset), (answer) =>
          Math.max(0, ...answer.topics.flatMap((topic) => topic.partitions.map((each) => each.errorCode))),
        );
        const code = topics[0]?.partitions[0]?.errorCode;
        if (code !== 0) throw new Error(`error ${code}`);
        loop.acknowledged = offset;
      } catch (error) {
        this.#failures.push(`${loop.client.group}: ${(error as Error).message}`);
      }
      loop.longestMs = Math.max(loop.longestMs, performance.now() - from);
    }
  }

  async #followMetadata(): Promise<void> {
    for (let turn = 0; !this.#ends; turn++) {
      const asked = this.#brokers[turn % this.#brokers.length]!;
      try {
        const connection = await KafkaConnection.open(asked, 'load', 500);
        const { brokers } = await connection.request(3, 1, { topics: [] });
        connection.close();
        const found = brokers.map(({ host, port }) => ({ host, port }));
        if (found.length > 0) this.#brokers.splice(0, this.#brokers.length, ...found);
      } catch {
        // The next one may answer.
      }
      await sleep(METADATA_EVERY_MS);
    }
  }

  async stop(): Promise<void> {
    this.#ends = true;
    await Promise.all(this.#running);
  }

  /** Groups whose offset is not what was acknowledged last, as the cluster says now. */
  async missing(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { client, acknowledged } of this.#loops) {
      client.close();
      const reader = new GroupClient({ bootstrap: this.#brokers, group: client.group });
      const { topics } = await reader.ask(
        9,
        5,
        { groupId: client.group, topics: [{ name: TOPIC, partitionIndexes: [0] }] },
        ({ errorCode }) => errorCode,
      );
      reader.close();
      const offset = Number(topics[0]?.partitions[0]?.committedOffset ?? -1);
      // What has no answer may have been taken.
      if (offset !== acknowledged && offset !== acknowledged + 1)
        found.push(`${client.group} is at ${offset}, and ${acknowledged} was acknowledged`);
    }
    return found;
  }
}

const commitOf = (groupId: string, offset: number) => ({
  groupId,
  generationIdOrMemberEpoch: -1,
  memberId: '',
  topics: [
    { name: TOPIC, partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }] },
  ],
});
