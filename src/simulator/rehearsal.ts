import { monotonicMs, type Random, replicaId, shardId, type Slot } from '../kernel/index.js';
import { restoreMachine } from '../machine/index.js';
import {
  type Ballot,
  type Begun,
  createPaxos,
  decodeRecord,
  encodeRecord,
  type PaxosStatus,
  quorumSystem,
  RecordOrder,
} from '../paxos/index.js';
import { begunOf, type LogRecord, type OpenedStorage } from '../replica/index.js';
import { openFileStorage } from '../storage/index.js';
import { type DiskImage, SimulatedDisk, type UnderWay } from './disk.js';
import { olderTaken } from './snapshot-watch.js';

/** What a start finds of a shard: the highest ballot, and through which slot it has values or a snapshot. */
export interface FoundShard {
  readonly configuration: number;
  readonly ballot: Ballot;
  readonly through: number;
}

/** What a disk must give back after a crash. */
export interface Owed {
  /** How far its log has come, as the disk said. */
  readonly position: number;
  /** Why what was found in a shard is too little; undefined when it is enough. */
  readonly lacks: (shards: readonly FoundShard[]) => string | undefined;
}

interface Rehearsed {
  readonly shards: number;
  readonly segmentBytes: number;
  readonly random: Random;
}

/** How often the power fails in one rehearsal, each time while a start has begun to write. */
const LIVES = [1, 1, 2, 3] as const;
/** What a disk does of a group before the power fails, at most. */
const STEPS_MAX = 12;
/** Of so many writes the system takes a part only, and then the power may fail while the rest is under way. */
const CUTS = 0.3;
const AFTER_A_CUT: UnderWay = "cut write's end";

/**
 * What would happen if the power went now: starts the storage of production on what would be left, lets it write a little, and
 * takes the power away again. Nothing that the disk owes may be missing in any life. Returns what is wrong.
 */
export async function rehearseCrash(
  image: DiskImage,
  owed: Owed,
  of: Rehearsed,
): Promise<string | undefined> {
  let left = image;
  let { position } = owed;
  const lives = of.random.pick(LIVES);
  for (let life = 1; ; life++) {
    const copy = new CopiedDisk(left, of);
    try {
      const opened = await copy.open();
      const { found, again } = await startOf(opened, of.shards);
      const problem =
        judge(opened, found, { ...owed, position }) ?? olderTaken(left.keys(), opened.snapshots);
      if (problem !== undefined) return `${life === 1 ? '' : `in life ${life}: `}${problem}`;
      if (life === lives) return undefined;
      position = copy.write(opened.storage, again);
    } catch (error) {
      return `life ${life} does not start: ${(error as Error).message}; there are ${namesIn(left)}`;
    }
    left = copy.disk.afterPowerFailure(of.random).image;
  }
}

/** What would happen if the power went now and a bit flipped: a start finds all that is owed, or says that it does not. */
export async function rehearseDamage(
  image: DiskImage,
  owed: Owed,
  of: Rehearsed,
): Promise<string | undefined> {
  const copy = new CopiedDisk(image, of);
  const name = copy.disk.rot();
  let problem: string | undefined;
  try {
    const opened = await copy.open();
    if (opened.condition.kind === 'corrupt') return undefined;
    problem = judge(opened, (await startOf(opened, of.shards)).found, owed);
  } catch {
    // It refuses to start, and says why.
    return undefined;
  }
  return problem === undefined ? undefined : `after a bit of ${name} has flipped: ${problem}`;
}

const namesIn = (image: DiskImage): string =>
  [...image.keys()].map((path) => path.slice('/data/'.length)).join(', ');

function judge(
  { condition, storage }: OpenedStorage,
  found: readonly FoundShard[],
  { position, lacks }: Owed,
): string | undefined {
  if (condition.kind === 'corrupt') return `${condition.file} counts as corrupt: ${condition.detail}`;
  if (storage.position() < position)
    return `the log had come to record ${position}, and a start finds it at ${storage.position()}`;
  return lacks(found);
}

interface Started {
  readonly found: readonly FoundShard[];
  /** A record that shard 0 may write again: it changes nothing. */
  readonly again: LogRecord;
}

/** As a replica starts, as far as its disk is concerned. Throws where one would refuse. */
async function startOf({ storage, records, snapshots }: OpenedStorage, shards: number): Promise<Started> {
  const all = [...records];
  const found: FoundShard[] = [];
  let last: PaxosStatus | undefined;
  for (let index = 0; index < shards; index++) {
    const shard = shardId(index);
    const through = (snapshots.get(shard) ?? 0) as Slot;
    const begun = await readSnapshot(storage, shard, shards);
    const own = all.filter((record) => record.shard === shard);
    const decoded = own.map(({ type, payload }) => decodeRecord(type, Buffer.from(payload)));
    const order = new RecordOrder(shard, through);
    for (const record of decoded) order.add(record);
    const core = createPaxos(CORE, { records: decoded, snapshotThrough: through, begun }, NOW);
    core.checkInvariants();
    const { configuration, promised, lastSlot, appliedThrough } = core.status(NOW);
    found.push({
      configuration: configuration.number,
      ballot: promised,
      through: Math.max(lastSlot, appliedThrough),
    });
    // Of the configuration that the log is in: the one of a snapshot must be written first.
    if (index === 0)
      last = createPaxos(CORE, { records: decoded, snapshotThrough: through }, NOW).status(NOW);
  }
  const promised = { kind: 'promised', ballot: last!.promised } as const;
  return { found, again: { shard: shardId(0), ...encodeRecord(promised) } };
}

async function readSnapshot(
  storage: OpenedStorage['storage'],
  shard: ReturnType<typeof shardId>,
  shards: number,
): Promise<Begun | undefined> {
  const snapshot = await storage.readSnapshot(shard);
  if (snapshot === undefined) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of snapshot.chunks) parts.push(Buffer.from(part));
  const machine = restoreMachine({ shard, shards }, Buffer.concat(parts));
  const { appliedThrough } = machine;
  if (appliedThrough !== snapshot.through)
    throw new Error(`a snapshot of slot ${appliedThrough} counts as one of ${snapshot.through}`);
  return begunOf(machine);
}

const NOW = monotonicMs(0);
const ALONE = replicaId(1);
const CORE = {
  ...{ self: ALONE, priority: 0, votes: true, seed: 1 },
  configuration: { number: 1, replicas: [ALONE], quorums: quorumSystem({ kind: 'majority' }, [ALONE]) },
  ...{ electionTimeoutMs: 1_000, heartbeatIntervalMs: 100, leaseMs: 500, clockDriftRatio: 0.05 },
  ...{ windowEntriesMax: 1, windowBytesMax: 1, queuedEntriesMax: 1, queuedBytesMax: 1 },
  ...{ chunkBytesMax: 1_024, retainedEntries: 0 },
} as const;

/** A disk of its own. */
class CopiedDisk {
  readonly disk: SimulatedDisk;
  readonly #of: Rehearsed;
  /** What the disk is about to do; undefined while it does all at once. */
  #held: (() => void)[] | undefined;
  /** The power fails now. */
  #fails = false;

  constructor(image: DiskImage, of: Rehearsed) {
    this.#of = of;
    this.disk = new SimulatedDisk(of.random, CUTS);
    this.disk.restore(image);
  }

  open(): Promise<OpenedStorage> {
    const soon = (run: () => void): void => {
      if (this.#held === undefined) queueMicrotask(run);
      else this.#held.push(run);
    };
    const later = (_: number, run: () => void): void => soon(run);
    return openFileStorage({
      ...{ directory: '/data', segmentBytes: this.#of.segmentBytes, zeroAheadBytes: 4_096, soon },
      fileSystem: this.disk.fileSystem({
        ...{ effect: () => undefined, later, blocks: () => undefined },
        underWay: (what) => (this.#fails = what === AFTER_A_CUT && this.#of.random.chance(0.5)),
      }),
      claimDirectory: () => ({ holds: () => true, release: () => undefined }),
      uuid: () => '00000000-0000-4000-8000-000000000000',
    });
  }

  /** Long groups or short ones, until the power goes. Returns how far the log came. */
  write(storage: OpenedStorage['storage'], record: LogRecord): number {
    const { random } = this.#of;
    const held: (() => void)[] = (this.#held = []);
    this.#fails = false;
    for (let groups = 1 + random.below(3); groups > 0; groups--) {
      const records = Array.from({ length: random.pick([1, 3, 40]) }, () => record);
      storage.append(records, true);
      for (let steps = random.below(STEPS_MAX); steps > 0 && !this.#fails; steps--) held.shift()?.();
      if (this.#fails) break;
    }
    return storage.position();
  }
}
