import { z } from 'zod';
import { addressOf } from '../kernel/index.js';
import { DEFAULT_GROUP_SETTINGS } from '../machine/index.js';
import type { QuorumDescription } from '../paxos/index.js';
import { quorumsFromText, quorumsSchema } from './quorum-setting.js';
import { replicaIdFromText, replicasFromText } from './replica-list.js';
import { choice, flag, integer, optional, ratio, shaped, type Setting, text } from './setting-kinds.js';

/** 0: any free port, chosen when the replica starts. */
const port = z.number().int().min(0).max(65_535);
/** Kafka clients keep the highest ids for themselves (librdkafka: bootstrap brokers), see ReplicaId. */
const REPLICA_ID_MAX = 2 ** 31 - 2 ** 20 - 1;
const KIB = 1_024;
const MIB = 1_024 * KIB;
const GIB = 1_024 * MIB;
const HOUR_MS = 3_600_000;
const LISTENERS_MAX = 8;

function isAddress(text: string): boolean {
  try {
    addressOf(text);
    return true;
  } catch {
    return false;
  }
}

/** An IPv6 literal may come as in a URL. */
const host = z
  .string()
  .min(1)
  .transform((text) => /^\[(.+)\]$/.exec(text)?.[1] ?? text);

const replicaEntry = z.strictObject({
  id: z.number().int().min(0).max(REPLICA_ID_MAX),
  /** Where the other replicas reach it. */
  host,
  peerPort: port,
  /** Where clients reach it; `host` when not given. */
  kafkaHost: host.optional(),
  kafkaPort: port,
  httpPort: port.optional(),
  /** Where clients reach its HTTP side; `http://host:httpPort` when not given. */
  httpUrl: z.url({ protocol: /^https?$/ }).optional(),
});
export type ReplicaEntry = z.output<typeof replicaEntry>;

const listenerEntry = z.strictObject({
  /** For people. */
  name: z.string().regex(/^[A-Za-z0-9_-]+$/),
  kafkaListenPort: port.min(1),
  /** What its Kafka clients are told: an address for each replica, in the order of `replicas`. */
  kafka: z.array(z.string().refine(isAddress, 'it is no address such as localhost:9092 or [::1]:9092')),
  httpListenPort: port.min(1).optional(),
  /** What its HTTP clients are told, likewise. */
  http: z.array(z.url({ protocol: /^https?$/ })).optional(),
});
export type ListenerEntry = z.output<typeof listenerEntry>;

/**
 * Every setting there is, in the order of docs/settings.md, which is generated from this table.
 * The name in a file is the key; in the environment it is QUORATE_ and the key in capitals (QUORATE_DATA_DIR).
 */
export const SETTINGS = {
  replicaId: {
    ...integer({
      min: 0,
      max: REPLICA_ID_MAX,
      help: 'Which of `replicas` this process is. Never give the same id to another machine while the first may come back.',
    }),
    accepts: `an integer from 0 to ${REPLICA_ID_MAX}, or in the environment \`hostname\`: the number at the end of this host name (quorate-2 is 2)`,
    fromText: replicaIdFromText,
  },
  clusterId: text({
    pattern: /^[A-Za-z0-9_-]{22}$/,
    accepts: '22 characters of base64url, the same on every replica (make one with `quorate cluster-id`)',
    help: 'Names the cluster; replicas of another cluster are refused.',
  }),
  replicas: {
    ...shaped<readonly ReplicaEntry[]>({
      schema: z.array(replicaEntry).min(1).max(9),
      accepts:
        'a list of 1 to 9 replicas such as [{"id":1,"host":"10.0.0.1","peerPort":9192,"kafkaPort":9092,"httpPort":8080}], or in the environment host names such as 1@10.0.0.1,2@10.0.0.2 or quorate-0.quorate,quorate-1.quorate with the ports 9192, 9092 and 8080',
      help: 'All replicas of the cluster, this one included, the same on every replica. Who they are is fixed when the cluster is first started, and changed by `quorate replicas` from then on: after a change this only says where to call. Addresses may change. Port 0 means any free port, chosen at each start; for `peerPort` only in a cluster of one replica. `kafkaHost` is the name clients use when it differs from `host`, `httpUrl` (https://q1.example.com) where they reach HTTP.',
    }),
    fromText: replicasFromText,
  },
  quorums: {
    ...shaped<QuorumDescription>({
      schema: quorumsSchema,
      preset: { kind: 'majority' },
      presetText: '`majority`',
      accepts:
        '{"kind":"majority"}, {"kind":"flexible","prepare":4,"accept":2}, {"kind":"grid","rows":[[1,2,3],[4,5,6],[7,8,9]]} or {"kind":"weighted","weights":{"1":2,"2":1,"3":1},"prepare":3,"accept":2}; in the environment also `majority`',
      help: 'Which replicas decide: see docs/quorums.md. Each that promises must meet each that accepts. Fixed when the cluster is first started; later it is changed by `quorate replicas` with `--quorums`. The same on every replica.',
    }),
    fromText: quorumsFromText,
  },
  dataDir: text({
    preset: './data',
    accepts: 'the path of a directory',
    help: 'Where this replica keeps its log and snapshots. One directory a replica, on a disk that keeps what it has synced.',
  }),
  shards: integer({
    unit: 'logs',
    min: 1,
    max: 256,
    preset: 8,
    help: 'Independent Paxos logs. Fixed when the cluster is first started.',
  }),

  kafkaListenHost: optional(
    text({ accepts: 'a host name or address', help: 'Address the Kafka listener binds; 0.0.0.0 for all.' }),
    'as in `replicas`',
  ),
  kafkaListenPort: optional(
    integer({
      min: 1,
      max: 65_535,
      help: 'Port the Kafka listener binds, when it is not the one clients use.',
    }),
    'as in `replicas`',
  ),
  peerListenHost: optional(
    text({
      accepts: 'a host name or address',
      help: 'Address the listener for the other replicas binds. Keep it on a private network.',
    }),
    'as in `replicas`',
  ),
  httpListenHost: optional(
    text({
      accepts: 'a host name or address',
      help: 'Address the HTTP listener binds. HTTP asks for no password: keep it on a private network.',
    }),
    'as in `replicas`',
  ),

  listeners: shaped<readonly ListenerEntry[]>({
    schema: z.array(listenerEntry).max(LISTENERS_MAX),
    preset: [],
    accepts:
      'a list such as [{"name":"outside","kafkaListenPort":9094,"kafka":["q1.example.com:9092","q2.example.com:9092"],"httpListenPort":8081,"http":["https://q1.example.com","https://q2.example.com"]}]',
    help: 'Further listeners, for clients that reach the replicas under other addresses: from outside of a container network, or through a load balancer. A client is told the addresses of the listener that it came through: `kafka` and `http` have one for each replica, in the order of `replicas`. The listen ports are those of this replica, on `kafkaListenHost` and `httpListenHost`; leave both HTTP fields out where HTTP needs none. In Kafka: advertised.listeners.',
  }),

  electionTimeoutMs: integer({
    unit: 'ms',
    min: 50,
    max: 60_000,
    preset: 300,
    help: 'A leader not heard of for this long is replaced; up to four times as long where heartbeats come late. One whose process has ended is replaced at once. The same on every replica.',
  }),
  heartbeatIntervalMs: integer({
    unit: 'ms',
    min: 5,
    max: 20_000,
    preset: 40,
    help: 'One heartbeat round between replicas. At most a third of `electionTimeoutMs`.',
  }),
  leaseMs: integer({
    unit: 'ms',
    min: 50,
    max: 60_000,
    preset: 120,
    help: 'How long a leader may answer reads on its own after a quorum acknowledged it: for so long a dead one is not replaced. At most `electionTimeoutMs`. The same on every replica.',
  }),
  clockDriftRatio: ratio({
    min: 0,
    max: 0.5,
    preset: 0.05,
    help: 'The share of a lease given up for clocks that run at different speeds. The same on every replica.',
  }),
  windowEntriesMax: integer({
    unit: 'entries',
    min: 1,
    max: 1_000_000,
    preset: 4_096,
    help: 'Commands of a shard that may be proposed and not yet chosen.',
  }),
  windowBytesMax: integer({
    unit: 'bytes',
    min: 64 * KIB,
    max: GIB,
    preset: 8 * MIB,
    help: 'The same, in bytes.',
  }),
  queuedEntriesMax: integer({
    unit: 'entries',
    min: 1,
    max: 10_000_000,
    preset: 65_536,
    help: 'Commands of a shard that may wait for room in the window; beyond it clients are told to come back.',
  }),
  queuedBytesMax: integer({
    unit: 'bytes',
    min: 64 * KIB,
    max: 4 * GIB,
    preset: 64 * MIB,
    help: 'The same, in bytes.',
  }),
  chunkBytesMax: integer({
    unit: 'bytes',
    min: 4 * KIB,
    max: 16 * MIB,
    preset: MIB,
    help: 'The most that one catch-up message carries.',
  }),
  retainedEntries: integer({
    unit: 'entries',
    min: 0,
    max: 10_000_000,
    preset: 10_000,
    help: 'Chosen entries a shard keeps behind its snapshot, so that a replica that lags a little needs no snapshot.',
  }),
  compactionBytes: integer({
    unit: 'bytes',
    min: MIB,
    max: 64 * GIB,
    preset: 64 * MIB,
    help: 'The log may grow by this much before snapshots are taken and its older part is dropped.',
  }),

  sessionTimeoutMsMin: integer({
    unit: 'ms',
    min: 100,
    max: HOUR_MS,
    preset: DEFAULT_GROUP_SETTINGS.sessionTimeoutMsMin,
    help: 'The shortest session timeout a member may ask for.',
  }),
  sessionTimeoutMsMax: integer({
    unit: 'ms',
    min: 1_000,
    max: 24 * HOUR_MS,
    preset: DEFAULT_GROUP_SETTINGS.sessionTimeoutMsMax,
    help: 'The longest session timeout a member may ask for.',
  }),
  groupSizeMax: integer({
    unit: 'members',
    min: 1,
    max: 100_000,
    preset: DEFAULT_GROUP_SETTINGS.groupSizeMax,
    help: 'Members a group may have. Each takes 5 to 10 us of every replica in one go when a generation starts or is assigned.',
  }),
  groupsMax: integer({
    unit: 'groups',
    min: 1,
    max: 10_000_000,
    preset: DEFAULT_GROUP_SETTINGS.groupsMax,
    help: 'Groups the cluster takes, spread over the shards. Beyond, JoinGroup and OffsetCommit make no new group and get POLICY_VIOLATION.',
  }),
  initialQuietMs: integer({
    unit: 'ms',
    min: 0,
    max: 60_000,
    preset: DEFAULT_GROUP_SETTINGS.initialQuietMs,
    help: 'The first rebalance of a group ends when no joiner came for this long ...',
  }),
  initialDelayMsMax: integer({
    unit: 'ms',
    min: 0,
    max: 300_000,
    preset: DEFAULT_GROUP_SETTINGS.initialDelayMsMax,
    help: '... and after this long at the latest, plus 2 ms for each member.',
  }),
  offsetMetadataBytesMax: integer({
    unit: 'bytes',
    min: 0,
    max: MIB,
    preset: DEFAULT_GROUP_SETTINGS.offsetMetadataBytesMax,
    help: 'The longest note a client may store with a committed offset.',
  }),
  commitOwnership: choice({
    of: ['owner', 'kafka'],
    preset: 'owner',
    help: 'Commits of a partition that another member owns: refused (owner), or taken as Kafka does (kafka).',
  }),
  upgrades: choice({
    of: ['by-command', 'automatic'],
    preset: 'by-command',
    help: 'When what is new in a version is used, which ends the way back to the version before: when an operator says so (quorate upgrade), or as soon as every replica runs the new version.',
  }),
  offsetsRetentionMs: integer({
    unit: 'ms',
    min: 1_000,
    max: Number.MAX_SAFE_INTEGER,
    preset: DEFAULT_GROUP_SETTINGS.offsetsRetentionMs,
    help: 'Offsets of a group without members are kept this long.',
  }),
  retentionSweepMs: integer({
    unit: 'ms',
    min: 1_000,
    max: 24 * HOUR_MS,
    preset: 600_000,
    help: 'How often offsets past their retention are looked for.',
  }),
  rebalanceRecordsMax: integer({
    unit: 'records',
    min: 1,
    max: 10_000,
    preset: DEFAULT_GROUP_SETTINGS.rebalanceRecordsMax,
    help: 'Rebalances a group remembers for `GET /groups/:id/rebalances`.',
  }),

  autoCreateTopics: flag({
    preset: false,
    help: 'Make a topic when a client asks for one that is not there. `npm start` turns it on.',
  }),
  autoCreatePartitions: integer({
    unit: 'partitions',
    min: 1,
    max: 100_000,
    preset: 8,
    help: 'Partitions of a topic made that way, and where a client leaves the number to the server.',
  }),
  topicPartitionsMax: integer({
    unit: 'partitions',
    min: 1,
    max: 1_000_000,
    preset: 10_000,
    help: 'Partitions a topic may have.',
  }),
  topicsMax: integer({
    unit: 'topics',
    min: 1,
    max: 1_000_000,
    preset: 50_000,
    help: 'Topics the cluster takes. Beyond, none is made: POLICY_VIOLATION. Some more may be, when many are asked for at once.',
  }),

  tracing: flag({
    preset: false,
    help: 'Make spans of OpenTelemetry for commits, joins and syncs (docs/operations.md#traces). The process must have registered a tracer provider.',
  }),

  frameBytesMax: integer({
    unit: 'bytes',
    min: 64 * KIB,
    max: GIB,
    preset: 16 * MIB,
    help: 'The longest request a client may send; a longer one closes its connection.',
  }),
  connectionsMax: integer({
    unit: 'connections',
    min: 1,
    max: 1_000_000,
    preset: 20_000,
    help: 'Kafka connections this replica takes. Beyond, one that is idle makes room, or the new one is closed.',
  }),
  httpConnectionsMax: integer({
    unit: 'connections',
    min: 1,
    max: 1_000_000,
    preset: 1_000,
    help: 'HTTP connections this replica takes. Beyond, one without a request makes room, or the new one is closed.',
  }),
  connectionIdleMs: integer({
    unit: 'ms',
    min: 1_000,
    max: 24 * HOUR_MS,
    preset: 600_000,
    help: 'A Kafka connection without a request for this long is closed.',
  }),

  heartbeatHoldMs: integer({
    unit: 'ms',
    min: 0,
    // Clients time out: quorate/worker at twice as much.
    max: 3_000,
    preset: 3_000,
    help: 'The heartbeat of a member whose group is steady is answered when there is news, and after this long, or a sixth of its session, at the latest. Only for clients that do not wait for the answer: Java, librdkafka, franz-go, quorate/worker. 0: all are answered at once.',
  }),

  disconnectGraceMs: integer({
    unit: 'ms',
    min: 0,
    max: 60_000,
    preset: 3_000,
    help: 'A dynamic member whose connection ends without a leave, and that is not back within this time, is removed without waiting for its session: others take over from a process that died. 0: only sessions count. More where clients need longer to connect again.',
  }),
  handOverMs: integer({
    unit: 'ms',
    min: 0,
    max: 60_000,
    preset: 2_000,
    help: 'On shutdown: how long to wait until other replicas have taken over what this one leads.',
  }),
  membersMoveMs: integer({
    unit: 'ms',
    min: 0,
    max: 60_000,
    preset: 6_000,
    help: 'On shutdown, after that: how long to wait until every member of a group has been told, in answer to its next request, to look for another replica. Members that lose their connection instead may start a rebalance.',
  }),
  shutdownTimeoutMs: integer({
    unit: 'ms',
    min: 100,
    max: 600_000,
    preset: 10_000,
    help: 'On shutdown: after this long the process ends in any case. What was acknowledged is on disk.',
  }),
  logLevel: choice({
    of: ['debug', 'info', 'warn', 'error', 'silent'],
    preset: 'info',
    help: 'The least serious log lines that are written.',
  }),
  logFormat: choice({
    of: ['auto', 'json', 'line'],
    preset: 'auto',
    help: 'JSON, or one plain line for people; auto = plain on a terminal.',
  }),
} as const satisfies Record<string, Setting<never> | Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;
/** Checked settings, as the file and the environment gave them. */
export type Settings = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer T> ? T : never;
};

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** electionTimeoutMs -> QUORATE_ELECTION_TIMEOUT_MS */
export function environmentName(name: SettingName): string {
  return `QUORATE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
