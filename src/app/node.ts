import {
  groupId,
  type Log,
  replicaId,
  shardId,
  type GroupId,
  type ReplicaId,
  type ShardId,
  topicId,
  topicName,
} from '../kernel/index.js';
import type { AdminSource, Readiness, TopicOutcome } from '../admin/index.js';
import { createBroker, type Broker, type BrokerSettings, DEFAULT_BROKER_SETTINGS } from '../broker/index.js';
import type {
  GroupSettings,
  MachineView,
  RegisterCommand,
  RegisterReply,
  TopicCommand,
  TopicReply,
} from '../machine/index.js';
import { majority } from '../paxos/index.js';
import {
  createReplica,
  type Outcome,
  type PaxosSettings,
  type ReadOutcome,
  type Refusal,
  type Replica,
  type ReplicaStatus,
  systemClock,
  systemEntropy,
} from '../replica/index.js';
import { openFileStorage } from '../storage/index.js';
import { createTcpTransport } from '../transport/index.js';
import { announce } from './announcer.js';
import { portIsFree } from './tcp-port.js';
import type { ReplicaEntry, Settings } from './settings.js';

const READY_POLL_MS = 10;

/** One replica with its Kafka listener, put together from settings. Plain: Nest only starts and stops it. */
export class ReplicaNode implements AdminSource {
  readonly self: ReplicaId;
  readonly clusterId: string;
  readonly shards: number;
  readonly defaultPartitions: number;
  readonly #settings: Settings;
  readonly #replica: Replica;
  readonly #broker: Broker;
  readonly #log: Log;
  readonly #onFatal: (reason: string) => void;
  readonly #kafkaListener: { readonly host: string; readonly port: number };
  #clientsLetIn = false;
  #firstGoal: readonly number[] | undefined;
  #stopping = false;

  private constructor(
    settings: Settings,
    replica: Replica,
    broker: Broker,
    log: Log,
    onFatal: (reason: string) => void,
  ) {
    this.#settings = settings;
    this.#kafkaListener = kafkaListener(settings);
    this.#onFatal = onFatal;
    this.#replica = replica;
    this.#broker = broker;
    this.#log = log;
    this.self = replica.self;
    this.clusterId = replica.clusterId;
    this.shards = replica.shards;
    this.defaultPartitions = settings.autoCreatePartitions;
  }

  /** Opens the data directory; nothing listens yet. `onFatal`: the replica can no longer be trusted, end the process. */
  static async open(settings: Settings, log: Log, onFatal: (reason: string) => void): Promise<ReplicaNode> {
    const self = replicaId(settings.replicaId);
    const own = settings.replicas.find(({ id }) => id === settings.replicaId)!;
    const storage = await openFileStorage({ directory: settings.dataDir });
    if (storage.condition.kind === 'corrupt') {
      const { file, offset, detail } = storage.condition;
      log.error(
        `${file} is damaged at offset ${offset}: ${detail}. The log was set aside (corrupt-*); nothing of it is used.`,
      );
    }
    const transport = createTcpTransport({
      self,
      listen: { host: settings.peerListenHost ?? own.host, port: own.peerPort },
      peers: settings.replicas
        .filter(({ id }) => id !== settings.replicaId)
        .map(({ id, host, peerPort }) => ({ id: replicaId(id), host, port: peerPort })),
      log,
    });
    const replica = createReplica({
      self,
      clusterId: settings.clusterId,
      shards: settings.shards,
      replicas: settings.replicas.map((entry) => ({ id: replicaId(entry.id), kafka: kafkaAddress(entry) })),
      quorums: majority(settings.replicas.map(({ id }) => replicaId(id))),
      http: own.httpPort === undefined ? undefined : { host: own.host, port: own.httpPort },
      paxos: paxosSettings(settings),
      groupSettings: groupSettings(settings),
      retentionSweepMs: settings.retentionSweepMs,
      compactionBytes: settings.compactionBytes,
      storage,
      transport,
      clock: systemClock,
      entropy: systemEntropy,
      log,
      onFatal,
    });
    const broker = createBroker({
      coordinator: replica,
      clock: systemClock,
      settings: brokerSettings(settings),
      ...kafkaListener(settings),
      log,
    });
    announce(replica, log);
    return new ReplicaNode(settings, replica, broker, log, onFatal);
  }

  /** Resolves when the replica takes part; the Kafka port opens when it is ready. Rejects when an address cannot be used. */
  async start(): Promise<void> {
    const { host, port } = this.#kafkaListener;
    await portIsFree(host, port);
    await this.#replica.start();
    this.#openWhenReady();
  }

  /**
   * Clients are let in when this replica knows what the cluster knows. A client that was told by a replica just started
   * that its topic does not exist would join its group again, which is a rebalance; a refused connection only makes it
   * ask another replica. (Kafka's brokers start their listeners as late for the same reason.)
   */
  #openWhenReady(): void {
    if (this.#stopping) return;
    if (this.#unready().length > 0 || !this.#caughtUpOnce()) {
      systemClock.after(READY_POLL_MS, () => this.#openWhenReady());
      return;
    }
    this.#broker.start().then(
      () => {
        this.#clientsLetIn = true;
        this.#sayWhere();
      },
      (error: unknown) => this.#onFatal(`the Kafka listener cannot be opened: ${String(error)}`),
    );
  }
  /** What the others had chosen when this replica first knew all leaders is applied here. */
  #caughtUpOnce(): boolean {
    const { shards } = this.#replica.status();
    this.#firstGoal ??= shards.map(({ peers }) => Math.max(0, ...peers.map((peer) => peer.chosenThrough)));
    return shards.every(({ appliedThrough }, index) => appliedThrough >= this.#firstGoal![index]!);
  }
  #sayWhere(): void {
    const own = this.#settings.replicas.find(({ id }) => id === this.#settings.replicaId)!;
    const { host, port } = kafkaAddress(own);
    this.#log.info(
      `Kafka clients: ${host}:${port}${own.httpPort === undefined ? '' : `   HTTP: http://${own.host}:${own.httpPort}/status`}`,
    );
  }

  /** Leadership goes first, while clients can still be told; then the clients, then the links and the disk. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#replica.handOver(this.#settings.handOverMs);
    await this.#broker.stop();
    await this.#replica.stop(0);
  }

  // ---- AdminSource ----

  readiness(): Readiness {
    const reasons = this.#unready();
    if (reasons.length === 0 && !this.#clientsLetIn)
      reasons.push('it is catching up; then the Kafka port opens');
    return { ready: reasons.length === 0, reasons };
  }
  #unready(): string[] {
    const { standing, missing, shards } = this.#replica.status();
    const reasons: string[] = [];
    if (standing === 'forming')
      reasons.push(`the cluster has not formed: replica ${missing.join(', ')} was not met yet`);
    const leaderless = shards
      .filter(({ leadership }) => leadership.leader === undefined)
      .map(({ shard }) => shard);
    if (leaderless.length > 0) reasons.push(`no leader is known for shard ${leaderless.join(', ')}`);
    const behind = shards
      .filter(({ appliedThrough, chosenThrough }) => appliedThrough < chosenThrough)
      .map(({ shard }) => shard);
    if (behind.length > 0) reasons.push(`shard ${behind.join(', ')} has not applied all that is chosen`);
    return reasons;
  }
  status(): ReplicaStatus {
    return this.#replica.status();
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
  httpAddresses(): readonly { readonly id: ReplicaId; readonly url: string | undefined }[] {
    return this.#settings.replicas.map(({ id, host, httpPort }) => ({
      id: replicaId(id),
      url: httpPort === undefined ? undefined : `http://${host}:${httpPort}`,
    }));
  }
  brokerCounters(): Readonly<Record<string, number>> {
    return flat(this.#broker.snapshot());
  }
  createTopic(name: string, partitions: number): Promise<TopicOutcome> {
    const newId = topicId(this.#replica.uuid());
    const { topicPartitionsMax: partitionsMax } = this.#settings;
    return this.#topic({ kind: 'topic.create', name: topicName(name), newId, partitions, partitionsMax });
  }
  deleteTopic(name: string): Promise<TopicOutcome> {
    return this.#topic({ kind: 'topic.delete', name: topicName(name), id: topicId('') });
  }
  read(shard: ShardId): Promise<ReadOutcome> {
    return new Promise((resolve) => this.#replica.read(shard, resolve));
  }
  shardOfSpace(space: string): ShardId {
    return this.#replica.shardOf(groupId(space));
  }
  changeRecords(command: RegisterCommand): Promise<RegisterReply | Refusal> {
    return new Promise((resolve) => {
      this.#replica.submitAnywhere(this.shardOfSpace(command.space), command, (outcome) => {
        resolve(outcome.kind === 'ok' ? outcome.reply : outcome);
      });
    });
  }
  #topic(command: TopicCommand): Promise<TopicOutcome> {
    return new Promise((resolve) => {
      this.#replica.submitAnywhere(shardId(0), command, (outcome: Outcome<TopicReply>) => {
        resolve(outcome.kind === 'ok' ? outcome.reply : outcome);
      });
    });
  }
}

const kafkaAddress = ({ host, kafkaHost, kafkaPort }: ReplicaEntry): { host: string; port: number } => ({
  host: kafkaHost ?? host,
  port: kafkaPort,
});

function kafkaListener(settings: Settings): { host: string; port: number } {
  const own = settings.replicas.find(({ id }) => id === settings.replicaId)!;
  return {
    host: settings.kafkaListenHost ?? kafkaAddress(own).host,
    port: settings.kafkaListenPort ?? own.kafkaPort,
  };
}

function paxosSettings(settings: Settings): PaxosSettings {
  const {
    electionTimeoutMs,
    heartbeatIntervalMs,
    leaseMs,
    clockDriftRatio,
    windowEntriesMax,
    windowBytesMax,
  } = settings;
  const { queuedEntriesMax, queuedBytesMax, chunkBytesMax, retainedEntries } = settings;
  return {
    electionTimeoutMs,
    heartbeatIntervalMs,
    leaseMs,
    clockDriftRatio,
    windowEntriesMax,
    windowBytesMax,
    queuedEntriesMax,
    queuedBytesMax,
    chunkBytesMax,
    retainedEntries,
  };
}

function groupSettings(settings: Settings): GroupSettings {
  const { sessionTimeoutMsMin, sessionTimeoutMsMax, groupSizeMax, initialQuietMs, initialDelayMsMax } =
    settings;
  const { offsetMetadataBytesMax, offsetsRetentionMs, rebalanceRecordsMax } = settings;
  return {
    sessionTimeoutMsMin,
    sessionTimeoutMsMax,
    groupSizeMax,
    initialQuietMs,
    initialDelayMsMax,
    offsetMetadataBytesMax,
    offsetsRetentionMs,
    rebalanceRecordsMax,
  };
}

function brokerSettings(settings: Settings): BrokerSettings {
  const {
    frameBytesMax,
    connectionsMax,
    connectionIdleMs,
    topicPartitionsMax,
    autoCreateTopics,
    autoCreatePartitions,
  } = settings;
  return {
    ...DEFAULT_BROKER_SETTINGS,
    frameBytesMax,
    connectionsMax,
    connectionIdleMs,
    topicPartitionsMax,
    topicPartitionsDefault: autoCreatePartitions,
    autoCreateTopics: { enabled: autoCreateTopics, partitions: autoCreatePartitions },
  };
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
