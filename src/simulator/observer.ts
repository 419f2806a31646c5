import { type GroupId, groupId, type ReplicaId, type ShardId, shardId } from '../kernel/index.js';
import { FEATURE_LEVEL, type MachineView } from '../machine/index.js';
import { maxBallot, quorumSystem } from '../paxos/index.js';
import { decodeFrame, type OpenedStorage, type Replica, type ReplicaStatus } from '../replica/index.js';
import { watchAnswers } from './answer-watch.js';
import { Conduct } from './conduct.js';
import { CrashRehearsals } from './crash-rehearsals.js';
import { noteTooMuch } from './flooder.js';
import type { History, ToldOthers } from './history.js';
import { MEMBERS_GROUP } from './members.js';
import type { SimulatedProcess } from './process.js';
import { PlanWatch } from './plan-watch.js';
import { QuorumWatch } from './quorum-watch.js';
import { watchReads } from './read-watch.js';
import { shardsSeen } from './recorder.js';
import { WORKERS_GROUP } from './sdk-worker.js';
import { type Setup, stream } from './setup.js';
import { SnapshotWatch } from './snapshot-watch.js';
import type { Station } from './strike.js';
import type { Trace } from './trace.js';
import { levelOfCommands, levelOfFrame } from './versions.js';
import type { VirtualTime } from './virtual-time.js';

/**
 * Beyond its threshold a log may grow by whole segments, and by what is written between two looks at it, a second apart: half a
 * megabyte at a replica that catches up. Bytes.
 */
const LOG_MARGIN_BYTES = 512 * 1024;
/** How many worlds with majorities are counted again. */
const QUORUMS_WATCHED = 0.2;
/** What costs a status of each replica is seen at every so manieth look. */
const WHOLE_LOOK_EVERY = 5;
/** Groups that share something out. */
const SHARING_GROUPS = [groupId(MEMBERS_GROUP), groupId(WORKERS_GROUP)];

/** Writes down what the world sees of its replicas, without asking them anything that they could notice. */
export class Observer {
  readonly #setup: Setup;
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  readonly #history: History;
  readonly #stations: readonly Station[];
  /** Through where each replica was seen to have applied each shard. */
  readonly #sampled = new Map<ReplicaId, number[]>();
  /** The groups of each shard that share something out. */
  #sharing: readonly (readonly GroupId[])[] | undefined;
  readonly #incarnations = new Set<string>();
  #allUpgraded = false;
  #looks = 0;
  readonly #stallsSince = new Map<ReplicaId, number>();
  /** Of replicas that have died since: what they had told others. */
  readonly #told = new Map<ReplicaId, ReadonlyMap<ShardId, ToldOthers>>();
  readonly #ever = new Map<ReplicaId, ReadonlyMap<ShardId, ToldOthers>>();
  readonly #highest = new Map<ShardId, number>();
  readonly #rehearsals: CrashRehearsals;
  readonly #snapshots: SnapshotWatch;
  readonly conduct: Conduct;
  /** Where an operator changes the replicas. */
  readonly #plans: PlanWatch | undefined;
  /** In some worlds: it costs a decoding of each message. */
  readonly quorums: QuorumWatch | undefined;

  constructor(setup: Setup, time: VirtualTime, trace: Trace, history: History, stations: readonly Station[]) {
    this.#setup = setup;
    this.#time = time;
    this.#trace = trace;
    this.#history = history;
    this.#stations = stations;
    this.#rehearsals = new CrashRehearsals(setup, time, trace, history);
    this.#snapshots = new SnapshotWatch(time, history);
    this.conduct = new Conduct(setup, time, history, stations);
    const { quorums, seed } = setup;
    const ids = stations.slice(0, setup.replicas).map(({ id }) => id);
    if (setup.changes === true) this.#plans = new PlanWatch(setup, time, trace, history);
    if (
      quorums !== undefined ||
      setup.changes === true ||
      stream(seed, 'quorum watch').chance(QUORUMS_WATCHED)
    )
      this.quorums = new QuorumWatch(quorumSystem(quorums ?? { kind: 'majority' }, ids), time, history);
  }

  #each(visit: (station: Station, process: SimulatedProcess) => void): void {
    // Who sleeps notices nothing, and may not be asked: it would look at its clock.
    for (const station of this.#stations)
      if (
        station.process?.alive === true &&
        !station.process.suspended &&
        station.process.replica !== undefined
      )
        visit(station, station.process);
  }

  /** Looks at all that run. */
  look(): void {
    this.#each((_, process) => {
      for (let shard = 0; shard < this.#setup.shards; shard++) this.applied(process, shardId(shard));
    });
    this.#leases();
    const all = this.#looks++ % WHOLE_LOOK_EVERY === 0;
    this.#each((station, process) => {
      this.#logSize(station, process);
      this.#stalled(station, process);
      if (process.idle) noteTooMuch(process.replica!, this.#time, this.#history);
      if (all) this.conduct.look(station, process);
      this.#plans?.applied(station, process.replica!);
      if (all) this.#plans?.status(process.replica!.status());
      const { recorder } = this.#trace;
      if (recorder !== undefined) recorder.looked(process.id, shardsSeen(process.replica!.status().shards));
    });
    if (this.#plans !== undefined) this.#each((_, { replica }) => this.#plans!.look(replica!));
  }

  /** What one replica has applied of a shard, and whom its machine shows as owners. */
  applied(process: SimulatedProcess, shard: ShardId): void {
    const { id, replica } = process;
    if (replica === undefined) return;
    const { appliedThrough: through, hash, underWay } = replica.peek(shard);
    this.conduct.applied(process, shard, through);
    if (underWay) return;
    const sampled = this.#sampled.get(id) ?? [];
    if (sampled[shard] === through) return;
    sampled[shard] = through;
    this.#sampled.set(id, sampled);
    this.#history.samples.push({ replica: id, shard, through, hash });
    this.#committed(shard, replica);
    for (const group of this.#sharingIn(shard, replica)) this.#grants(id, group, replica.peek(shard));
  }

  #committed(shard: ShardId, replica: Replica): void {
    for (const { group, topic } of this.#history.commits) {
      if (replica.shardOf(group) !== shard) continue;
      const committed = replica.peek(shard).groups.committed(group, topic, 0);
      if (committed !== undefined) this.#history.applied.add(`${group} ${committed.offset}`);
    }
  }

  #sharingIn(shard: ShardId, replica: Replica): readonly GroupId[] {
    this.#sharing ??= Array.from({ length: this.#setup.shards }, (_, index) =>
      SHARING_GROUPS.filter((group) => replica.shardOf(group) === index),
    );
    return this.#sharing[shard]!;
  }

  #grants(id: ReplicaId, group: GroupId, { appliedThrough: through, groups }: MachineView): void {
    const at = this.#time.now;
    for (const { scope, token, owner } of groups.fences(group)) {
      this.#history.grants.push({ at, replica: id, scope, token, owner, through });
      this.#trace.reached('a token was granted');
    }
  }

  #leases(): void {
    // A lease of a quorum of the wrong kind ends soon: at the end of the election in which a quorum of the right kind is silent.
    const always = this.#setup.quorums !== undefined;
    const counted = this.quorums !== undefined && (always || this.#looks % WHOLE_LOOK_EVERY === 0);
    const holders = new Map<ShardId, ReplicaId[]>();
    this.#each((station, { id, replica }) => {
      let status: ReplicaStatus | undefined;
      for (let index = 0; index < this.#setup.shards; index++) {
        const shard = shardId(index);
        if (!replica!.leaseHolds(shard)) continue;
        if (counted) this.#leaseCounted(station, (status ??= replica!.status()).shards[shard]!);
        const known = holders.get(shard);
        if (known === undefined) holders.set(shard, [id]);
        else known.push(id);
      }
    });
    for (const [shard, ids] of holders)
      if (ids.length > 1) this.#history.leases.push({ at: this.#time.now, shard, holders: ids });
  }

  #leaseCounted(
    { id, odd }: Station,
    { shard, configuration, promised }: ReplicaStatus['shards'][number],
  ): void {
    const at = { configuration: configuration.number, ballot: promised };
    this.quorums?.leaseHolds(shard, id, at, odd.leaseMs ?? this.#setup.leaseMs);
  }

  /** A process dies. */
  died(station: Station, process: SimulatedProcess): void {
    station.reached = process.position() ?? station.reached;
    if (process.replica !== undefined) this.#plans?.applied(station, process.replica);
    this.#told.set(process.id, withSent(this.#told.get(process.id), process));
    this.#owed(station);
  }

  /** The disk of a process is about to do something. */
  beforeEffect(station: Station, what: string): void {
    if (what === 'directory') this.#snapshots.look(station);
    this.#rehearsals.before(what, station, () => this.#owed(station));
  }

  /** What a replica has told others in all of its lives. */
  #owed({ id, process }: Station): ReadonlyMap<ShardId, ToldOthers> {
    const owed = withSent(this.#ever.get(id), process);
    this.#ever.set(id, owed);
    return owed;
  }

  get isMixed(): boolean {
    return this.#setup.olderLevel !== undefined;
  }

  /** A replica was made, and has done nothing yet. */
  made(replica: Replica): void {
    watchAnswers(replica, (what) => {
      const { witnessed } = this.#history;
      if (!witnessed.has('answers-fit-their-questions'))
        witnessed.set(
          'answers-fit-their-questions',
          `at ${this.#time.now} ms, at replica ${replica.self}: ${what}`,
        );
    });
    watchReads(
      replica,
      this.isMixed,
      (shard) => this.#appliedAnywhere(shard),
      (shard, shows, applied) =>
        this.#history.staleReads.push({ at: this.#time.now, replica: replica.self, shard, shows, applied }),
    );
  }

  /** Through where any replica has applied a shard. */
  #appliedAnywhere(shard: ShardId): number {
    for (const { process } of this.#stations) {
      const through = process?.alive === true ? process.replica?.peek(shard).appliedThrough : undefined;
      this.#highest.set(shard, Math.max(through ?? 0, this.#highest.get(shard) ?? 0));
    }
    return this.#highest.get(shard) ?? 0;
  }

  /** A process begins. */
  begins(station: Station): void {
    this.#allUpgraded ||= this.#stations.every(({ runs }) => runs === FEATURE_LEVEL);
    // It was told to go back before, and the last one was upgraded meanwhile.
    if (this.#allUpgraded && station.runs < FEATURE_LEVEL) station.tooOld = true;
  }
  get allUpgraded(): boolean {
    return this.#allUpgraded;
  }

  /** In a cluster that began with an older version: a message leaves. */
  sent(replica: ReplicaId, bytes: Uint8Array): void {
    const level = levelOfCommands(bytes);
    if (level <= this.#setup.olderLevel!) return;
    this.#trace.reached('a command of a newer version was proposed');
    if (this.#allUpgraded) return;
    const oldest = this.#stations.find(({ runs }) => runs < level) ?? this.#stations[0]!;
    this.#history.tooNew.push({ at: this.#time.now, replica, level, oldest: oldest.id });
  }
  /** There a message arrives. False when its receiver, which has level `knows`, cannot read it. */
  heard(from: ReplicaId, to: ReplicaId, knows: number, bytes: Uint8Array): boolean {
    const level = levelOfFrame(bytes);
    if (level > knows) this.#history.unreadable.push({ at: this.#time.now, from, to, level, knows });
    return level <= knows;
  }

  /** A message leaves a replica where an operator changes them. */
  sentIn({ id, incarnation }: Station, bytes: Uint8Array): void {
    if (this.#plans === undefined || incarnation === undefined) return;
    const what = this.quorums?.votesOutside(id, incarnation, bytes);
    if (what !== undefined) this.#plans.witness('who-was-removed-does-not-vote', what);
  }

  /** The world ends. `core`: those of which nothing is wrong any more. */
  ends(core: readonly ReplicaId[]): void {
    this.conduct.ends(core);
    const members: Replica[] = [];
    this.#each(({ id }, { replica }) => {
      if (core.includes(id)) members.push(replica!);
    });
    this.#plans?.endsWith(members);
    this.#each(({ id, damaged }, { replica }) => {
      if (core.includes(id) && !damaged && replica!.status().standing !== 'voter')
        this.#history.unfit.push(id);
    });
  }

  /** A process has opened its disk. */
  opened(
    station: Station,
    { condition, incarnation: own, identity, storage, snapshots }: OpenedStorage,
  ): void {
    const { id, damaged, reached = 0 } = station;
    const incarnation = own ?? identity?.incarnation ?? '';
    const known = this.#incarnations.has(incarnation);
    this.#incarnations.add(incarnation);
    const { kind } = condition;
    const position = storage.position();
    this.#history.opened.push({
      replica: id,
      condition: kind,
      incarnation,
      known,
      damaged,
      reached,
      position,
    });
    if (kind !== 'corrupt') return this.#snapshots.opened(station, snapshots);
    station.forgot = true;
    this.#trace.reached('a corrupt log was set aside');
  }

  /** A replica has its shards as its disk had them, and is about to speak: who votes must know what it told others before. */
  speaks(station: Station, replica: Replica): void {
    this.conduct.speaks(station, replica);
    const { self: id } = replica;
    const told = this.#told.get(id);
    if (told === undefined || told.size === 0) return;
    this.#told.delete(id);
    const { standing, shards } = replica.status();
    if (standing !== 'voter') return;
    for (const { shard, configuration, promised, lastSlot, appliedThrough } of shards) {
      const before = told.get(shard);
      if (before === undefined) continue;
      const through = Math.max(lastSlot, appliedThrough);
      const found = { configuration: configuration.number, ballot: promised, through };
      this.#history.promises.push({ replica: id, shard, told: before, found });
    }
    this.#trace.reached('promises were compared after a restart');
  }

  /** A leader has the time of an election to hand over; a look comes late by as much as the next one is away. */
  #stalled({ disk }: Station, { id, replica }: SimulatedProcess): void {
    // What else may be wrong with a disk ends, and hangs no write.
    if (!disk.trouble.hangs && disk.trouble.slowMs === 0 && !this.#stallsSince.has(id)) return;
    const { shards, electionTimeoutMs } = this.#setup;
    if (!replica!.status().diskStalls) return void this.#stallsSince.delete(id);
    this.#trace.reached('a replica noticed that its disk hung');
    const at = this.#time.now;
    const since = this.#stallsSince.get(id) ?? at;
    this.#stallsSince.set(id, since);
    if (at - since <= 2 * electionTimeoutMs) return;
    for (let shard = 0; shard < shards; shard++)
      if (replica!.leaseHolds(shardId(shard)))
        this.#history.stalledLeases.push({ at, since, replica: id, shard: shardId(shard) });
  }

  #logSize({ id, troubled }: Station, process: SimulatedProcess): void {
    const { compactionBytes, segmentBytes, bulkBytes } = this.#setup;
    const logBytes = process.logBytes();
    if (troubled || logBytes <= (this.#history.logs.get(id)?.bytes ?? 0)) return;
    const bytesMax = 4 * (compactionBytes + segmentBytes) + LOG_MARGIN_BYTES + 16 * bulkBytes;
    this.#history.logs.set(id, { replica: id, bytes: logBytes, bytesMax });
  }
}

/** What was known of what a replica told others, and what the last messages of a process add. */
function withSent(
  known: ReadonlyMap<ShardId, ToldOthers> | undefined,
  process: SimulatedProcess | undefined,
): ReadonlyMap<ShardId, ToldOthers> {
  const told = new Map(known);
  for (const bytes of process?.sent ?? []) {
    const frame = decodeFrame(bytes);
    if (frame.kind !== 'paxos') continue;
    for (const { shard, message } of frame.messages) {
      if (message.kind !== 'promise' && message.kind !== 'accepted') continue;
      const { configuration, ballot } = message;
      const through = message.kind === 'accepted' && !message.gap ? message.through : 0;
      const before = told.get(shard) ?? { configuration, ballot, through };
      const ballots =
        configuration > before.configuration
          ? { configuration, ballot }
          : configuration < before.configuration
            ? before
            : { configuration, ballot: maxBallot(before.ballot, ballot) };
      told.set(shard, { ...ballots, through: Math.max(before.through, through) });
    }
  }
  return told;
}
