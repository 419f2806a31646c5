import { crc32c, type Random, replicaId, seededRandom } from '../kernel/index.js';
import { FIRST_FEATURE_LEVEL, LEVEL_OF_SWITCHES } from '../machine/index.js';
import type { QuorumDescription } from '../paxos/index.js';
import { FAULT_KINDS, type PlannedFault, type VersionFault } from './fault-kinds.js';

/** A world before it runs: all of it is drawn by the seed, or asked for. Times in milliseconds. */
export interface Setup {
  readonly seed: number;
  readonly replicas: number;
  /** Undefined: majorities. */
  readonly quorums?: QuorumDescription;
  readonly shards: number;
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly leaseMs: number;
  readonly compactionBytes: number;
  readonly segmentBytes: number;
  /** How long things go wrong. */
  readonly faultsMs: number;
  /** Between two requests of a client, on average, while things go wrong. */
  readonly paceMs: number;
  readonly members: number;
  /** Workers of the SDK, in a group of their own, and whether they keep what they have through a rebalance. */
  readonly workers?: number;
  readonly cooperative?: boolean;
  /** Clients that ask any broker for what only the coordinator of a group may do. */
  readonly strays?: boolean;
  /** An operator gives a disk that was put in the place of a lost one its vote. */
  readonly replaces?: boolean;
  /** An operator adds and removes replicas, and chooses other quorums, again and again. */
  readonly changes?: boolean;
  /** How often a leader looks for offsets past their retention. */
  readonly retentionSweepMs: number;
  /** A client fills a record space with this, so that a snapshot is many chunks. Bytes a record; 0: nobody does. */
  readonly bulkBytes: number;
  /** Whether little may wait in a replica, and somebody asks for more at once. */
  readonly tight?: boolean;
  /** How long a forwarded command may wait; undefined: as long as in production, which is longer than most faults last. */
  readonly forwardedMs?: number;
  /** Whether crashes are rehearsed on copies of the disks, which costs as much as the world itself. */
  readonly rehearses?: boolean;
  /** Whether what is chosen is applied entry by entry and step by step, and other events come in between. */
  readonly appliesSlowly?: boolean;
  /** What one replica stays when all others have healed. */
  readonly staysBad: StaysBad | undefined;
  /** Whether the healed cluster is watched for longer than a session of a member lasts. */
  readonly lingers: boolean;
  /** The feature level of the version that all replicas begin with; the present one by default. */
  readonly olderLevel?: number | undefined;
  /** Whether all run the present version at last. */
  readonly endsUpgraded?: boolean;
  readonly faults: readonly PlannedFault[];
}

/** What the one who runs a seed may lay down. */
export interface Asked {
  /** The world whose speed is published: 3 replicas, 8 shards, 30 s, 200 operations. */
  readonly reference?: boolean | undefined;
  /** An operator changes the replicas in every world. */
  readonly changes?: boolean | undefined;
  /** The places of the faults that strike; all by default. */
  readonly only?: readonly number[] | undefined;
}

/** Dead; cut off; linked to one of the others only; or with links that break again and again. */
export type StaysBad = 'dead' | 'apart' | 'oneLink' | 'flaps';

export const FAULTS_FROM_MS = 500;
const CLIENTS_OF_REFERENCE = 8;
/** How many worlds rehearse crashes. */
const REHEARSING = 0.25;

/** Independent random streams: what one part of the world draws does not change what another one draws. */
export function stream(seed: number, name: string): Random {
  const mixed = Math.imul(seed ^ crc32c(Buffer.from(name)), 0x9e37_79b1) >>> 0;
  return seededRandom(mixed);
}

export function seededUuid(random: Random): string {
  const digits = Array.from({ length: 32 }, () => random.below(16).toString(16)).join('');
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}

export function drawSetup(seed: number, asked: Asked = {}): Setup {
  const random = stream(seed, 'setup');
  const electionTimeoutMs = random.pick([300, 600, 1_000, 2_000]);
  const long = random.chance(0.1);
  const bulky = random.chance(0.12);
  const drawn = {
    seed,
    replicas: random.chance(0.8) ? 3 : 5,
    shards: random.pick([1, 2, 2, 4, 8]),
    electionTimeoutMs,
    heartbeatIntervalMs: Math.floor(electionTimeoutMs / random.pick([3, 4, 5])),
    leaseMs: Math.floor(electionTimeoutMs * random.pick([0.5, 0.9, 1])),
    compactionBytes: bulky ? 65_536 : random.pick([8_192, 16_384, 65_536, 1 << 30]),
    segmentBytes: random.pick([8_192, 16_384, 65_536]),
    faultsMs: long ? 10_000 + random.below(20_000) : 1_500 + random.below(4_000),
    paceMs: long ? random.pick([120, 400]) : random.pick([20, 50, 120]),
    members: random.pick([0, 2, 2, 3, 5]),
    retentionSweepMs: random.pick([300, 600, 1_000]),
    bulkBytes: bulky ? 24_000 : 0,
    staysBad: random.chance(0.35) ? random.pick(['dead', 'apart', 'oneLink', 'flaps'] as const) : undefined,
    lingers: random.chance(0.5),
    rehearses: stream(seed, 'rehearses').chance(REHEARSING),
  };
  const setup =
    asked.reference === true
      ? { ...drawn, ...REFERENCE }
      : {
          ...{
            ...drawn,
            ...(asked.changes === true ? {} : drawVersions(seed)),
            ...drawWorkers(seed),
            ...drawCrowd(seed),
            ...(asked.changes === true ? {} : drawQuorums(seed)),
          },
          strays: stream(seed, 'strays').chance(0.4),
          replaces: stream(seed, 'replaces').chance(0.5),
          tight: stream(seed, 'tight').chance(0.15),
          appliesSlowly: stream(seed, 'pace').chance(0.15),
          ...drawChanges(seed, asked),
          ...drawPatience(seed),
        };
  const planned = [
    ...drawFaults(seed, setup.faultsMs),
    ...('olderLevel' in setup ? drawUpgrade(seed, setup) : []),
  ].sort((a, b) => a.atMs - b.atMs);
  return { ...setup, faults: planned.filter((_, place) => asked.only?.includes(place) !== false) };
}

/**
 * In one world of nine an operator changes the replicas. Each change takes some seconds; and all that take part heal at last, so
 * that the last one can end.
 */
function drawChanges(
  seed: number,
  asked: Asked,
): Partial<Pick<Setup, 'changes' | 'replaces' | 'replicas' | 'faultsMs' | 'paceMs' | 'staysBad' | 'tight'>> {
  const random = stream(seed, 'changes');
  const isPlain = drawVersions(seed).olderLevel === undefined && drawQuorums(seed) === undefined;
  if ((!isPlain || !random.chance(0.16)) && asked.changes !== true) return {};
  return {
    ...{ changes: true, replaces: true, replicas: random.chance(0.7) ? 3 : 5, staysBad: undefined },
    ...{ faultsMs: 8_000 + random.below(10_000), paceMs: 120, tight: false },
  };
}

/** In one world of fifty a group is large. */
function drawCrowd(seed: number): Partial<Pick<Setup, 'members'>> {
  const random = stream(seed, 'crowd');
  return random.chance(0.02) ? { members: 30 + random.below(70) } : {};
}

/** In one world of two what is forwarded is given up while what delays it still lasts. */
function drawPatience(seed: number): Pick<Setup, 'forwardedMs'> {
  const random = stream(seed, 'patience');
  return random.chance(0.5) ? { forwardedMs: random.pick([100, 300, 1_000]) } : {};
}

function drawWorkers(seed: number): Pick<Setup, 'workers' | 'cooperative'> {
  const random = stream(seed, 'workers');
  return random.chance(0.4) ? { workers: 2 + random.below(3), cooperative: random.chance(0.6) } : {};
}

/** One world of four begins with an older version. */
function drawVersions(seed: number): Pick<Setup, 'olderLevel' | 'endsUpgraded'> {
  const random = stream(seed, 'versions');
  if (!random.chance(0.25)) return {};
  const olderLevel = FIRST_FEATURE_LEVEL + random.below(LEVEL_OF_SWITCHES - 1 - FIRST_FEATURE_LEVEL);
  return { olderLevel, endsUpgraded: random.chance(0.6) };
}

/** A rolling upgrade that may stay half done, with steps back. */
function drawUpgrade(
  seed: number,
  { replicas, faultsMs, olderLevel }: Pick<Setup, 'replicas' | 'faultsMs' | 'olderLevel'>,
): readonly PlannedFault[] {
  if (olderLevel === undefined) return [];
  const random = stream(seed, 'upgrade');
  const steps = replicas - 1 + random.below(4);
  const step = (kind: VersionFault): PlannedFault => ({
    atMs: FAULTS_FROM_MS + random.next() * faultsMs,
    kind,
    seed: random.below(2 ** 31),
  });
  return [
    ...Array.from({ length: steps }, () => step('upgrade')),
    ...Array.from({ length: random.below(3) }, () => step('rollBack')),
  ];
}

const REFERENCE = {
  replicas: 3,
  shards: 8,
  faultsMs: 30_000,
  members: 2,
  bulkBytes: 0,
  electionTimeoutMs: 1_000,
  heartbeatIntervalMs: 250,
  leaseMs: 900,
  paceMs: (CLIENTS_OF_REFERENCE * 30_000) / 200,
};

/** Of each kind one that goes on without any one replica. */
const QUORUMS: readonly Required<Pick<Setup, 'quorums' | 'replicas'>>[] = [
  // Of four, all would have to promise: no disk could lose its memory.
  { quorums: { kind: 'flexible', prepare: 4, accept: 2 }, replicas: 5 },
  {
    quorums: { kind: 'weighted', weights: { 1: 2, 2: 1, 3: 1, 4: 1, 5: 1 }, prepare: 4, accept: 3 },
    replicas: 5,
  },
  { quorums: { kind: 'grid', rows: [[1, 2, 3].map(replicaId), [4, 5, 6].map(replicaId)] }, replicas: 6 },
];
const SQUARE = { kind: 'grid', rows: [[1, 2].map(replicaId), [3, 4].map(replicaId)] } as const;

function drawQuorums(seed: number): Pick<Setup, 'quorums' | 'replicas'> | undefined {
  const random = stream(seed, 'quorums');
  if (random.chance(0.8)) return undefined;
  return random.chance(0.5) ? { quorums: SQUARE, replicas: 4 } : random.pick(QUORUMS);
}

/** Which kinds of faults there are, how often they strike, and when. */
function drawFaults(seed: number, faultsMs: number): readonly PlannedFault[] {
  const random = stream(seed, 'faults');
  const kinds = FAULT_KINDS.filter(() => random.chance(0.4));
  if (kinds.length === 0) return [];
  const everyMs = Math.max(random.pick([50, 150, 400]), faultsMs / 40);
  const faults: PlannedFault[] = [];
  for (let atMs = FAULTS_FROM_MS; ;) {
    atMs += random.next() * 2 * everyMs;
    if (atMs >= FAULTS_FROM_MS + faultsMs) return faults;
    faults.push({ atMs, kind: random.pick(kinds), seed: random.below(2 ** 31) });
  }
}
