import { statfsSync } from 'node:fs';
import {
  addressText,
  type GroupId,
  groupId,
  type HistogramReading,
  type MemberId,
  type ReplicaId,
  type ShardId,
  shardId,
  topicId,
  topicName,
} from '../kernel/index.js';
import type {
  AddressesJson,
  AdminSource,
  DiskSpace,
  LoopHeld,
  LoopStalls,
  Readiness,
  TopicOutcome,
} from '../admin/index.js';
import type { Broker } from '../broker/index.js';
import { topicCountProblem } from '../machine/index.js';
import type {
  MachineView,
  RegisterCommand,
  RegisterReply,
  ReplyTo,
  TopicCommand,
  TopicReply,
} from '../machine/index.js';
import type {
  ForwardableCommand,
  Outcome,
  Planned,
  ReadAllOutcome,
  ReadOutcome,
  Refusal,
  Replica,
  ReplicaChange,
  ReplicaMeasures,
  ReplicasStatus,
  ReplicaStatus,
  SnapshotOutcome,
} from '../replica/index.js';
import { sharedSettings, settingsAdvice } from './fitting-settings.js';
import { addressesOf, httpUrl, httpUrlsAt } from './addresses.js';
import { openFilesMax } from './descriptors.js';
import { PACKAGE_VERSION } from './package-version.js';
import type { Settings } from './settings.js';

/** What the HTTP side asks of one replica. */
export class ReplicaAdminSource implements AdminSource {
  readonly self: ReplicaId;
  readonly clusterId: string;
  readonly shards: number;
  readonly version = PACKAGE_VERSION;
  readonly defaultPartitions: number;
  readonly offsetMetadataBytesMax: number;
  readonly #madeAt = performance.now();
  readonly #advice: readonly string[];
  readonly #settings: Settings;
  readonly #replica: Replica;
  readonly #broker: Broker;
  readonly #node: Pick<AdminSource, 'readiness' | 'stalls' | 'loopHeld' | 'loopDelay'>;

  constructor(
    settings: Settings,
    replica: Replica,
    broker: Broker,
    node: Pick<AdminSource, 'readiness' | 'stalls' | 'loopHeld' | 'loopDelay'>,
  ) {
    this.#settings = settings;
    this.#replica = replica;
    this.#broker = broker;
    this.#node = node;
    this.#advice = settingsAdvice(settings, openFilesMax(), this.diskSpace());
    this.self = replica.self;
    this.clusterId = replica.clusterId;
    this.shards = replica.shards;
    this.defaultPartitions = settings.autoCreatePartitions;
    this.offsetMetadataBytesMax = replica.groupSettings.offsetMetadataBytesMax;
  }

  readiness(): Readiness {
    return this.#node.readiness();
  }
  stalls(): LoopStalls {
    return this.#node.stalls();
  }
  loopHeld(): LoopHeld {
    return this.#node.loopHeld();
  }
  loopDelay(): HistogramReading {
    return this.#node.loopDelay();
  }
  measures(): ReplicaMeasures {
    return this.#replica.measures();
  }
  status(): ReplicaStatus {
    return this.#replica.status();
  }
  uptimeMs(): number {
    return performance.now() - this.#madeAt;
  }
  diskSpace(): DiskSpace | undefined {
    try {
      const { bavail, blocks, bsize } = statfsSync(this.#settings.dataDir);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch {
      // A disk in memory, or a system that does not say.
      return undefined;
    }
  }
  sharedSettings(): Readonly<Record<string, string | number | boolean>> {
    return sharedSettings(this.#settings);
  }
  settingsAdvice(): readonly string[] {
    return this.#advice;
  }
  shardOf(group: GroupId): ShardId {
    return this.#replica.shardOf(group);
  }
  leaderOf(shard: ShardId): ReplicaId | undefined {
    return this.#replica.leaderOf(shard);
  }
  serves(shard: ShardId): boolean {
    return this.#replica.serves(shard);
  }
  view(shard: ShardId): MachineView {
    return this.#replica.peek(shard);
  }
  addresses(through: number | undefined): AddressesJson {
    return addressesOf(this.#settings, through);
  }
  httpAddresses(
    through: number | undefined,
  ): readonly { readonly id: ReplicaId; readonly url: string | undefined }[] {
    const brokers = this.#replica.brokers();
    const told = httpUrlsAt(this.#settings, through);
    return brokers.map(({ id, http }) => {
      const entry = this.#settings.replicas.find((each) => each.id === id);
      // One that came later says itself where it is, or the plan that brought it.
      if (entry === undefined)
        return { id, url: told?.get(id) ?? (http === undefined ? undefined : `http://${addressText(http)}`) };
      // A peer that chooses its port says which when its link is up.
      const port = entry.httpPort === 0 ? http?.port : entry.httpPort;
      return { id, url: told?.get(id) ?? httpUrl(entry, port) };
    });
  }
  replicas(): ReplicasStatus {
    return this.#replica.replicas();
  }
  planReplicas(change: ReplicaChange): Planned {
    return this.#replica.planReplicas(change);
  }
  brokerCounters(): Readonly<Record<string, number>> {
    return flat(this.#broker.snapshot());
  }
  createTopic(name: string, partitions: number): Promise<TopicOutcome> {
    const newId = topicId(this.#replica.uuid());
    const { topicPartitionsMax: partitionsMax, topicsMax } = this.#settings;
    const { topics } = this.#replica.peek(shardId(0));
    const message =
      topics.byName(topicName(name)) === undefined ? topicCountProblem(topics.size, topicsMax) : undefined;
    if (message !== undefined)
      return Promise.resolve({ kind: 'topic', error: 'POLICY_VIOLATION', message, topic: null });
    return this.#topic({ kind: 'topic.create', name: topicName(name), newId, partitions, partitionsMax });
  }
  deleteTopic(name: string): Promise<TopicOutcome> {
    return this.#topic({ kind: 'topic.delete', name: topicName(name), id: topicId('') });
  }
  growTopic(name: string, partitions: number): Promise<TopicOutcome> {
    const { topicPartitionsMax: partitionsMax } = this.#settings;
    return this.#topic({ kind: 'topic.addPartitions', name: topicName(name), partitions, partitionsMax });
  }
  readAnywhere(shard: ShardId): Promise<ReadOutcome> {
    return new Promise((resolve) => this.#replica.readAnywhere(shard, resolve));
  }
  readAll(): Promise<ReadAllOutcome> {
    return new Promise((resolve) => this.#replica.readAll(resolve));
  }
  snapshot(shard: ShardId): Promise<SnapshotOutcome> {
    return new Promise((resolve) => this.#replica.snapshotAnywhere(shard, resolve));
  }
  change<C extends ForwardableCommand>(shard: ShardId, command: C): Promise<Outcome<ReplyTo<C>>> {
    return new Promise((resolve) => this.#replica.submitAnywhere(shard, command, resolve));
  }
  read(shard: ShardId): Promise<ReadOutcome> {
    return new Promise((resolve) => this.#replica.read(shard, resolve));
  }
  drain(group: GroupId, members: readonly MemberId[]): void {
    this.#broker.drain(group, members);
  }
  shardOfSpace(space: string): ShardId {
    return this.#replica.shardOf(groupId(space));
  }
  changeRecords(command: RegisterCommand): Promise<RegisterReply | Refusal> {
    return this.change(this.shardOfSpace(command.space), command).then((outcome: Outcome<RegisterReply>) =>
      outcome.kind === 'ok' ? outcome.reply : outcome,
    );
  }
  #topic(command: TopicCommand): Promise<TopicOutcome> {
    return this.change(shardId(0), command).then((outcome: Outcome<TopicReply>) =>
      outcome.kind === 'ok' ? outcome.reply : outcome,
    );
  }
}

/** { a: 1, b: { c: 2 } } -> { a: 1, b_c: 2 } */
function flat(counters: object, prefix = ''): Record<string, number> {
  const result: Record<string, number> = {};
  for (const [key, value] of Object.entries(counters) as [string, unknown][]) {
    if (typeof value === 'number') result[prefix + key] = value;
    else if (typeof value === 'object' && value !== null)
      Object.assign(result, flat(value, `${prefix}${key}_`));
  }
  return result;
}
