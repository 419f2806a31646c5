import { type Log, replicaId, type Work } from '../kernel/index.js';
import { type Broker, type BrokerSettings, createBroker, DEFAULT_BROKER_SETTINGS } from '../broker/index.js';
import type { GroupSettings } from '../machine/index.js';
import { quorumSystem } from '../paxos/index.js';
import {
  type Clock,
  createReplica,
  type Entropy,
  type OpenedStorage,
  type PaxosSettings,
  type Replica,
  systemClock,
  systemEntropy,
  type Transport,
} from '../replica/index.js';
import { openFileStorage } from '../storage/index.js';
import { createTcpTransport, type TcpTransportOptions } from '../transport/index.js';
import {
  httpAddress,
  kafkaAddress,
  kafkaAddressesOf,
  kafkaListener,
  kafkaListenerOf,
  ownEntry,
} from './addresses.js';
import { connectionLimits, openFilesMax } from './descriptors.js';
import { requestSpans } from './request-spans.js';
import type { Settings } from './settings.js';

/** What a replica runs on. */
export interface Platform {
  openStorage(directory: string): Promise<OpenedStorage>;
  transport(options: TcpTransportOptions): Transport;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** Disk, network, clock and randomness of this machine. */
export const THIS_PLATFORM: Platform = {
  openStorage: (directory) => openFileStorage({ directory }),
  transport: createTcpTransport,
  clock: systemClock,
  entropy: systemEntropy,
};

/**
 * Builds a replica and its Kafka broker from settings. Opens the data directory; nothing listens yet.
 * `work`: told what runs on the loop. `onFatal`: the replica can no longer be trusted, end the process.
 */
export async function assemble(
  settings: Settings,
  log: Log,
  work: Work,
  onFatal: (reason: string) => void,
  platform: Platform,
): Promise<{ readonly replica: Replica; readonly broker: Broker }> {
  const self = replicaId(settings.replicaId);
  const own = ownEntry(settings);
  const storage = await platform.openStorage(settings.dataDir);
  if (storage.condition.kind === 'corrupt') {
    const { file, offset, detail } = storage.condition;
    log.error(
      `${file} is damaged at offset ${offset}: ${detail}. The log was set aside (corrupt-*); nothing of it is used.`,
    );
  }
  const transport = platform.transport({
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
    replicas: settings.replicas.map((entry) => ({
      id: replicaId(entry.id),
      kafka: kafkaAddress(entry),
      peer: { host: entry.host, port: entry.peerPort },
      http: httpAddress(entry),
    })),
    quorums: quorumSystem(
      settings.quorums,
      settings.replicas.map(({ id }) => replicaId(id)),
    ),
    http: own.httpPort === undefined ? undefined : { host: own.host, port: own.httpPort },
    paxos: pick(settings, PAXOS_SETTINGS),
    groupSettings: pick(settings, GROUP_SETTINGS),
    retentionSweepMs: settings.retentionSweepMs,
    compactionBytes: settings.compactionBytes,
    levelRaisesItself: settings.upgrades === 'automatic',
    storage,
    transport,
    clock: platform.clock,
    entropy: platform.entropy,
    log,
    work,
    onFatal,
  });
  const broker = createBroker({
    coordinator: replica,
    clock: platform.clock,
    settings: brokerSettings(settings),
    ...kafkaListener(settings),
    further: settings.listeners.map((listener) => ({
      ...kafkaListenerOf(settings, listener),
      addresses: kafkaAddressesOf(settings, listener),
    })),
    log,
    work,
    tracer: settings.tracing ? requestSpans(self) : undefined,
  });
  return { replica, broker };
}

/** The settings that are passed on under their own names. A setting that is missing here does not compile. */
const PAXOS_SETTINGS = {
  electionTimeoutMs: true,
  heartbeatIntervalMs: true,
  leaseMs: true,
  clockDriftRatio: true,
  windowEntriesMax: true,
  windowBytesMax: true,
  queuedEntriesMax: true,
  queuedBytesMax: true,
  chunkBytesMax: true,
  retainedEntries: true,
} satisfies Record<Exclude<keyof PaxosSettings, 'returns'>, true>;
export const GROUP_SETTINGS = {
  sessionTimeoutMsMin: true,
  sessionTimeoutMsMax: true,
  groupSizeMax: true,
  groupsMax: true,
  initialQuietMs: true,
  initialDelayMsMax: true,
  offsetMetadataBytesMax: true,
  offsetsRetentionMs: true,
  rebalanceRecordsMax: true,
} satisfies Record<keyof GroupSettings, true>;

function pick<K extends keyof Settings>(
  settings: Settings,
  names: Readonly<Record<K, true>>,
): Pick<Settings, K> {
  const picked: Partial<Settings> = {};
  for (const name of Object.keys(names) as K[]) Object.assign(picked, { [name]: settings[name] });
  return picked as Pick<Settings, K>;
}

function brokerSettings(settings: Settings): BrokerSettings {
  const { frameBytesMax, connectionIdleMs, topicPartitionsMax, autoCreateTopics, autoCreatePartitions } =
    settings;
  return {
    ...DEFAULT_BROKER_SETTINGS,
    frameBytesMax,
    connectionsMax: connectionLimits(settings, openFilesMax()).kafka,
    connectionIdleMs,
    topicPartitionsMax,
    topicsMax: settings.topicsMax,
    commitOwnership: settings.commitOwnership,
    membersMoveMs: settings.membersMoveMs,
    heartbeatHoldMs: settings.heartbeatHoldMs,
    disconnectGraceMs: settings.disconnectGraceMs,
    topicPartitionsDefault: autoCreatePartitions,
    autoCreateTopics: { enabled: autoCreateTopics, partitions: autoCreatePartitions },
  };
}
