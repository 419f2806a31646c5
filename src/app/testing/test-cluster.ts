import { type GroupId, groupId } from '../../kernel/index.js';
import type { GroupDescription, MachineView } from '../../machine/index.js';
import { addressesOf } from '../addresses.js';
import { LINES_ON_FAILURE, logsOnFailure } from './logs-on-failure.js';
import { MemoryNetwork } from './network.js';
import { type Owner, ownersIn, STABLE_WITHIN_MS, type StableOptions, stableText } from './owners.js';
import { logInto, settingsOf, type TestSettings } from './setup.js';
import { TestReplica } from './test-replica.js';
import { realTime, type TestTime, VirtualTime } from './time.js';

const POLL_MS = 5;
const READY_WITHIN_MS = 60_000;
/** Virtual time that passes between two looks at what is waited for. Milliseconds. */
const STEP_MS = 50;

export interface TestClusterOptions {
  /** 1 to 9; default 1. */
  readonly replicas?: number;
  /** `virtual`: time stands still until `advance`. Default `real`. */
  readonly clock?: 'real' | 'virtual';
  /** Besides what the cluster sets itself, e.g. `{ autoCreateTopics: true }`; docs/settings.md lists them. */
  readonly settings?: TestSettings;
  /** Serve HTTP too, as fences and records need it. Takes Nest (an optional peer), whose import may take a second. Default false. */
  readonly http?: boolean;
}

/**
 * A cluster in this process: real replicas, brokers and protocol on real ports, with disks and links in memory. Nothing is
 * left behind by `stop`.
 * @throws ConfigurationError when a setting is wrong.
 */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const cluster = await TestCluster.open(options);
  try {
    await cluster.started();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

export class TestCluster {
  readonly #replicas: readonly TestReplica[];
  readonly #network: MemoryNetwork;
  readonly #time: TestTime;
  readonly #virtual: boolean;
  readonly #http: boolean;
  readonly #lines: string[];

  private constructor(
    replicas: readonly TestReplica[],
    network: MemoryNetwork,
    time: TestTime,
    lines: string[],
    options: TestClusterOptions,
  ) {
    this.#replicas = replicas;
    this.#network = network;
    this.#time = time;
    this.#lines = lines;
    this.#virtual = options.clock === 'virtual';
    this.#http = options.http ?? false;
  }

  /** Not started yet: use `startTestCluster`. */
  static async open(options: TestClusterOptions): Promise<TestCluster> {
    const { replicas: count = 1, clock = 'real' } = options;
    const http = options.http ?? false;
    const time = clock === 'virtual' ? new VirtualTime() : realTime;
    const network = new MemoryNetwork(time.clock);
    const lines: string[] = [];
    const replicas = (await settingsOf(count, clock, http, options.settings ?? {})).map(
      (settings) =>
        new TestReplica({
          settings,
          log: logInto(lines, settings.replicaId),
          network,
          time,
          http,
          onFatal: (reason) => lines.push(`replica ${settings.replicaId} ended: ${reason}`),
        }),
    );
    return new TestCluster(replicas, network, time, lines, options);
  }

  async started(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.start()));
    await this.#until('the replicas are ready', READY_WITHIN_MS, () =>
      this.#replicas.every(({ node }) => node.admin.readiness().ready),
    );
  }

  // ---- where it is ----

  /** `host:port,host:port`, one for each replica: the value of bootstrap.servers. */
  getBootstrapServers(): string {
    return this.brokers.join(',');
  }
  /** `host:port` of each replica: kafkajs' `brokers`. */
  get brokers(): string[] {
    return this.#replicas.map(({ settings }) => addressesOf(settings).kafka);
  }
  /** The HTTP side of each replica. Throws where the cluster was started without. */
  getHttpUrls(): string[] {
    if (!this.#http)
      throw new Error('this cluster serves no HTTP: start it with startTestCluster({ http: true })');
    return this.#replicas.map(({ settings }) => addressesOf(settings).http!);
  }

  // ---- time ----

  /**
   * Lets virtual time pass: sessions and rebalances end, and requests that wait are answered. Client libraries keep timers of
   * their own on the machine's clock (kafkajs does): what they would do meanwhile they do not.
   */
  advance(ms: number): Promise<void> {
    return this.#time.advance(ms);
  }

  // ---- what goes wrong ----

  /** Stands still, with its connections open, until `resumeReplica`. Replicas count from 1. */
  pauseReplica(id: number): void {
    this.#replica(id).pause();
  }
  resumeReplica(id: number): void {
    this.#replica(id).resume();
  }
  /** Ends it as kill -9 does. */
  async killReplica(id: number): Promise<void> {
    await this.#replica(id).kill();
  }
  /** Starts a killed replica on its old disk, and waits until it is ready. */
  async restartReplica(id: number): Promise<void> {
    const replica = this.#replica(id);
    await replica.start();
    await this.#until(`replica ${id} is ready`, READY_WITHIN_MS, () => replica.node.admin.readiness().ready);
  }
  /** Cuts the links between replicas of different groups, until `heal`: `partition([1], [2, 3])`. Clients reach all of them. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.#network.partition(groups.map((ids) => ids.map((id) => this.#replica(id).id)));
  }
  heal(): void {
    this.#network.partition([]);
  }
  /** Nothing of this client id reaches the cluster, and nothing leaves for it, until `resumeWorker`. */
  pauseWorker(clientId: string): void {
    for (const { node } of this.#running()) node.hold(clientId);
  }
  resumeWorker(clientId: string): void {
    for (const { node } of this.#running()) node.release(clientId);
  }

  // ---- topics and groups ----

  /** A topic that is there already is fine. */
  async createTopic(name: string, partitions = 1): Promise<void> {
    const outcome = await this.#asked(this.#any().node.admin.createTopic(name, partitions));
    if (outcome.kind === 'topic' && (outcome.error === 'NONE' || outcome.error === 'TOPIC_ALREADY_EXISTS'))
      return;
    throw new Error(`the topic ${name} was not created: ${JSON.stringify(outcome)}`);
  }

  /** Which replica coordinates the group; undefined while none does. */
  coordinatorOf(group: string): number | undefined {
    return this.#serving(groupId(group))?.id;
  }

  /**
   * Waits until the group is stable: every member has its part of one epoch.
   * @returns the epoch (generation). Rejects after `withinMs` of the machine's clock.
   */
  async waitForStable(
    group: string,
    { members, withinMs = STABLE_WITHIN_MS }: StableOptions = {},
  ): Promise<number> {
    return this.#until(stableText(group, members), withinMs, () => {
      const found = this.#describe(group);
      if (found?.state !== 'Stable' || (members !== undefined && found.memberDetails.length !== members))
        return undefined;
      return found.generation;
    });
  }

  /** Who owns what, as the coordinator has it, by topic and partition. Empty while the group has no assignment. */
  ownersOf(group: string): Owner[] {
    const serving = this.#serving(groupId(group));
    const found = this.#describe(group);
    if (serving === undefined || found === undefined) return [];
    const { groups } = this.#view(serving, groupId(group));
    return ownersIn(group, found.generation, found.memberDetails, groups.fences(groupId(group)));
  }

  /**
   * Begins a new epoch: a member is removed as if its session had ended, and joins again when it hears of it. Its old fences
   * are refused from now on. `clientId`: a member of that client; default: any.
   */
  async bumpEpoch(group: string, clientId?: string): Promise<void> {
    const member = this.#describe(group)?.memberDetails.find(
      (each) => clientId === undefined || each.clientId === clientId,
    );
    if (member === undefined)
      throw new Error(
        `the group ${group} has no member${clientId === undefined ? '' : ` of client ${clientId}`}`,
      );
    const { admin } = this.#any().node;
    const { memberId } = member;
    const outcome = await this.#asked(
      admin.change(admin.shardOf(groupId(group)), {
        kind: 'group.leave',
        group: groupId(group),
        members: [{ memberId, instanceId: null, reason: 'removed by a test' }],
      }),
    );
    if (outcome.kind !== 'ok') throw new Error(`the member ${memberId} was not removed: ${outcome.kind}`);
  }

  // ---- its end ----

  /** What the replicas have logged, a line each. */
  logs(): readonly string[] {
    return [...this.#lines];
  }
  /** Runs a test, and adds the last lines of the replicas to the error of one that fails: `it('...', () => cluster.logsOnFailure(async () => ...))`. */
  logsOnFailure<T>(test: () => T | Promise<T>): Promise<T> {
    return logsOnFailure(test, () => this.#lines.slice(-LINES_ON_FAILURE * this.#replicas.length));
  }

  async stop(): Promise<void> {
    this.heal();
    // Nothing is handed over on virtual time: it stands still.
    await Promise.all(this.#replicas.map((replica) => (this.#virtual ? replica.kill() : replica.stop())));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #replica(id: number): TestReplica {
    const found = this.#replicas[id - 1];
    if (found === undefined)
      throw new Error(`there is no replica ${id}: they count from 1 to ${this.#replicas.length}`);
    return found;
  }
  #running(): readonly TestReplica[] {
    return this.#replicas.filter(({ running }) => running);
  }
  #any(): TestReplica {
    const [first] = this.#running();
    if (first === undefined) throw new Error('no replica runs: restart one first');
    return first;
  }
  #serving(group: GroupId): TestReplica | undefined {
    return this.#running().find(({ node: { admin } }) => admin.serves(admin.shardOf(group)));
  }
  #view({ node: { admin } }: TestReplica, group: GroupId): MachineView {
    return admin.view(admin.shardOf(group));
  }
  #describe(group: string): GroupDescription | undefined {
    const serving = this.#serving(groupId(group));
    return serving === undefined
      ? undefined
      : this.#view(serving, groupId(group)).groups.describe(groupId(group));
  }

  /** The answer; on virtual time as much of it passes as the answer needs. */
  async #asked<T>(answer: Promise<T>): Promise<T> {
    if (!this.#virtual) return answer;
    let answered = false;
    const mark = (): void => void (answered = true);
    answer.then(mark, mark);
    await this.#until('the cluster answers', READY_WITHIN_MS, () => answered);
    return answer;
  }

  async #until<T>(what: string, withinMs: number, probe: () => T | false | undefined): Promise<T> {
    const end = performance.now() + withinMs;
    for (;;) {
      const found = probe();
      if (found !== false && found !== undefined) return found;
      if (performance.now() > end) {
        const tail = this.#lines.slice(-10).join('\n');
        throw new Error(`not within ${withinMs} ms: ${what}. The last lines of the log:\n${tail}`);
      }
      if (this.#virtual) await this.advance(STEP_MS);
      else await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
