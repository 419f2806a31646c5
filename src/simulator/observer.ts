import { type GroupId, groupId, type ReplicaId, type ShardId, shardId } from '../kernel/index.js';
import { type Ballot, maxBallot } from '../paxos/index.js';
import { decodeFrame, type DiskCondition, type Replica } from '../replica/index.js';
import type { History } from './history.js';
import { MEMBERS_GROUP } from './members.js';
import type { SimulatedProcess } from './process.js';
import { shardsSeen } from './recorder.js';
import { WORKERS_GROUP } from './sdk-worker.js';
import type { Setup } from './setup.js';
import type { Station } from './strike.js';
import type { Trace } from './trace.js';
import { levelOfCommands, levelOfFrame } from './versions.js';
import type { VirtualTime } from './virtual-time.js';

/** Beyond its threshold a log may grow by what is written between two looks at it, and by whole segments. Bytes. */
const LOG_MARGIN_BYTES = 256 * 1024;
/** Groups that share something out. */
const SHARING_GROUPS = [groupId(MEMBERS_GROUP), groupId(WORKERS_GROUP)];

/** Writes down what the world sees of its replicas, without asking them anything that they could notice. */
export class Observer {
  readonly #setup: Setup;
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  readonly #history: History;
  readonly #stations: readonly Station[];
  readonly #sampled = new Map<string, number>();
  readonly #granted = new Map<string, number>();
  readonly #incarnations = new Set<string>();
  readonly #stallsSince = new Map<ReplicaId, number>();
  /** Of replicas that have died since: what they had promised to others. */
  readonly #told = new Map<ReplicaId, ReadonlyMap<ShardId, Ballot>>();

  constructor(setup: Setup, time: VirtualTime, trace: Trace, history: History, stations: readonly Station[]) {
    this.#setup = setup;
    this.#time = time;
    this.#trace = trace;
    this.#history = history;
    this.#stations = stations;
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
    this.#each((_, process) => this.applied(process));
    this.#leases();
    this.#each((station, process) => {
      this.#keptPromises(station, process);
      this.#logSize(station, process);
      this.#stalled(station, process);
      const { recorder } = this.#trace;
      if (recorder !== undefined) recorder.looked(process.id, shardsSeen(process.replica!.status().shards));
    });
  }

  /** What one replica has applied, and whom its machine shows as owners. */
  applied({ id, replica }: SimulatedProcess): void {
    if (replica === undefined) return;
    for (let shard = 0; shard < this.#setup.shards; shard++) {
      const { appliedThrough: through, hash } = replica.peek(shardId(shard));
      const key = `${id}/${shard}`;
      if (this.#sampled.get(key) === through) continue;
      this.#sampled.set(key, through);
      this.#history.samples.push({ replica: id, shard: shardId(shard), through, hash });
    }
    for (const group of SHARING_GROUPS) this.#grants(id, replica, group);
  }

  #grants(id: ReplicaId, replica: Replica, group: GroupId): void {
    const { appliedThrough: through, groups } = replica.peek(replica.shardOf(group));
    const key = `${id}/${group}`;
    if (this.#granted.get(key) === through) return;
    this.#granted.set(key, through);
    const at = this.#time.now;
    for (const { scope, token, owner } of groups.fences(group)) {
      this.#history.grants.push({ at, replica: id, scope, token, owner, through });
      this.#trace.reached('a token was granted');
    }
  }

  #leases(): void {
    const holders = new Map<ShardId, ReplicaId[]>();
    this.#each((_, { id, replica }) => {
      for (let index = 0; index < this.#setup.shards; index++) {
        const shard = shardId(index);
        if (!replica!.leaseHolds(shard)) continue;
        const known = holders.get(shard);
        if (known === undefined) holders.set(shard, [id]);
        else known.push(id);
      }
    });
    for (const [shard, ids] of holders)
      if (ids.length > 1) this.#history.leases.push({ at: this.#time.now, shard, holders: ids });
  }

  /** A process has died. `sent`: the last that it sent. */
  died(id: ReplicaId, sent: readonly Buffer[]): void {
    const told = new Map(this.#told.get(id));
    for (const bytes of sent) {
      const frame = decodeFrame(bytes);
      if (frame.kind !== 'paxos') continue;
      for (const { shard, message } of frame.messages) {
        if (message.kind !== 'promise' && message.kind !== 'accepted') continue;
        const before = told.get(shard);
        told.set(shard, before === undefined ? message.ballot : maxBallot(before, message.ballot));
      }
    }
    this.#told.set(id, told);
  }

  /** In a cluster that began with an older version: a message leaves. */
  sent(replica: ReplicaId, bytes: Uint8Array): void {
    const level = levelOfCommands(bytes);
    const oldest = this.#stations.find(({ highestLevel }) => highestLevel < level);
    if (level > this.#setup.olderLevel!) this.#trace.reached('a command of a newer version was proposed');
    if (oldest !== undefined)
      this.#history.tooNew.push({ at: this.#time.now, replica, level, oldest: oldest.id });
  }
  /** There a message arrives. False when its receiver, which has level `knows`, cannot read it. */
  heard(from: ReplicaId, to: ReplicaId, knows: number, bytes: Uint8Array): boolean {
    const level = levelOfFrame(bytes);
    if (level > knows) this.#history.unreadable.push({ at: this.#time.now, from, to, level, knows });
    return level <= knows;
  }

  /** A process has opened its disk. */
  opened(replica: ReplicaId, condition: DiskCondition['kind'], incarnation: string): void {
    const known = this.#incarnations.has(incarnation);
    this.#incarnations.add(incarnation);
    this.#history.opened.push({ replica, condition, incarnation, known });
    if (condition === 'corrupt') this.#trace.reached('a corrupt log was set aside');
  }

  #keptPromises(station: Station, { id, replica }: SimulatedProcess): void {
    const told = this.#told.get(id);
    if (told === undefined || told.size === 0) return;
    const { standing, shards } = replica!.status();
    if (station.damaged) this.#told.delete(id);
    if (standing !== 'voter' || shards.length === 0 || station.damaged) return;
    for (const { shard, promised } of shards) {
      const before = told.get(shard);
      if (before !== undefined)
        this.#history.promises.push({ replica: id, shard, told: before, found: promised });
    }
    this.#told.delete(id);
    this.#trace.reached('promises were compared after a restart');
  }

  /** A leader has the time of an election to hand over; a look comes late by as much as the next one is away. */
  #stalled({ troubled }: Station, { id, replica }: SimulatedProcess): void {
    if (!troubled && !this.#stallsSince.has(id)) return;
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
