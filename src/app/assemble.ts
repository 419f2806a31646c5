import { type Log, replicaId } from '../kernel/index.js';
import { type Broker, type BrokerSettings, createBroker, DEFAULT_BROKER_SETTINGS } from '../broker/index.js';
import type { GroupSettings } from '../machine/index.js';
import { majority } from '../paxos/index.js';
import {
  createReplica,
  type PaxosSettings,
  type Replica,
  systemClock,
  systemEntropy,
} from '../replica/index.js';
import { openFileStorage } from '../storage/index.js';
import { createTcpTransport } from '../transport/index.js';
import { connectionLimits, openFilesMax } from './descriptors.js';
import type { ReplicaEntry, Settings } from './settings.js';

/**
 * Builds a replica and its Kafka broker from settings. Opens the data directory; nothing listens yet.
 * `onFatal`: the replica can no longer be trusted, end the process.
 */
export async function assemble(
  settings: Settings,
  log: Log,
  onFatal: (reason: string) => void,
): Promise<{ readonly replica: Replica; readonly broker: Broker }> {
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
  return { replica, broker };
}

/** Where clients reach the Kafka listener of a replica. */
export const kafkaAddress = ({
  host,
  kafkaHost,
  kafkaPort,
}: ReplicaEntry): { host: string; port: number } => ({
  host: kafkaHost ?? host,
  port: kafkaPort,
});

/** Where this replica's Kafka listener binds. */
export function kafkaListener(settings: Settings): { host: string; port: number } {
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
  const { offsetMetadataBytesMax, offsetsRetentionMs, rebalanceRecordsMax, groupsMax } = settings;
  return {
    sessionTimeoutMsMin,
    sessionTimeoutMsMax,
    groupSizeMax,
    groupsMax,
    initialQuietMs,
    initialDelayMsMax,
    offsetMetadataBytesMax,
    offsetsRetentionMs,
    rebalanceRecordsMax,
  };
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
    topicPartitionsDefault: autoCreatePartitions,
    autoCreateTopics: { enabled: autoCreateTopics, partitions: autoCreatePartitions },
  };
}
