import { groupId, type Random, replicaId, seededRandom, shardId } from '../kernel/index.js';
import type { Replica } from '../replica/index.js';
import { type ClientSurroundings, committer, member, recordWriter } from './clients.js';
import { inTrouble, noTrouble, SimulatedDisk } from './disk.js';
import { FaultPlan, type Station } from './faults.js';
import { type History, newHistory } from './history.js';
import { INVARIANTS } from './invariants/index.js';
import { SimulatedNetwork } from './network.js';
import { ELECTION_TIMEOUT_MS, SimulatedProcess } from './process.js';
import { Trace } from './trace.js';
import { VirtualTime } from './virtual-time.js';

const FAULTS_FROM_MS = 500;
/** How long a healed cluster may take until every client has been served: its own patience and four elections. */
const HEALED_WITHIN_MS = 5_000 + 4 * ELECTION_TIMEOUT_MS;
const SAMPLE_EVERY_MS = 250;
const MEMBERS_GROUP = 'members';

export interface Verdict {
  readonly seed: number;
  readonly hash: number;
  readonly goals: ReadonlyMap<string, number>;
  readonly operations: number;
  readonly violation: { readonly invariant: string; readonly detail: string } | undefined;
  readonly last: readonly string[];
}

/** A cluster of real replicas with its clients, in a world that one seed draws. */
export class World {
  readonly random: Random;
  readonly trace = new Trace();
  readonly time = new VirtualTime();
  readonly network: SimulatedNetwork;
  readonly stations: readonly Station[];
  readonly history: History = newHistory();
  readonly #seed: number;
  readonly #shards: number;
  readonly #compactionBytes: number;
  readonly #segmentBytes: number;
  readonly #faultsMs: number;
  #violation: Verdict['violation'];
  #healed = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.random = seededRandom(seed);
    const { random } = this;
    this.network = new SimulatedNetwork(this.time, random, this.trace);
    const count = random.chance(0.8) ? 3 : 5;
    this.#shards = random.pick([1, 2, 2, 4]);
    this.#compactionBytes = random.pick([8_192, 16_384, 65_536, 1 << 30]);
    this.#segmentBytes = random.pick([8_192, 16_384, 65_536]);
    this.#faultsMs = 1_500 + random.below(4_000);
    this.stations = Array.from({ length: count }, (_, index) => ({
      id: replicaId(index + 1),
      disk: new SimulatedDisk(random),
      drift: 1 + (random.next() - 0.5) * 0.04,
      wallOffset: 0,
      process: undefined,
      troubled: false,
      damaged: false,
    }));
  }

  async run(): Promise<Verdict> {
    const violated = (): boolean => this.#violation !== undefined;
    for (const station of this.stations) this.start(station);
    this.#startClients();
    this.#sampleAgain();
    await this.time.runThrough(FAULTS_FROM_MS, violated);
    const faults = new FaultPlan(this);
    await this.time.runThrough(FAULTS_FROM_MS + this.#faultsMs, violated);
    faults.stop();
    this.#check();
    this.#heal();
    await this.#untilServed(violated);
    this.#check();
    for (const { process } of this.stations) process?.die();
    return {
      seed: this.#seed,
      hash: this.trace.hash,
      goals: this.trace.goals,
      operations: this.history.records.length + this.history.reads.length + this.#tried(),
      violation: this.#violation,
      last: this.trace.last,
    };
  }

  /** A healed cluster must serve every client: a commit of each committer, and an access to each record. */
  async #untilServed(violated: () => boolean): Promise<void> {
    const { time, history } = this;
    const healedAt = time.now;
    const marks = history.commits.map(({ acknowledged }) => acknowledged);
    const spaces = this.#spacesServed(0);
    let waiting: string[] = [];
    while (time.now < healedAt + HEALED_WITHIN_MS && !violated()) {
      await time.runThrough(time.now + SAMPLE_EVERY_MS, violated);
      const since = this.#spacesServed(healedAt);
      waiting = [
        ...history.commits
          .filter(({ acknowledged }, index) => acknowledged <= marks[index]!)
          .map(({ group }) => group),
        ...[...spaces].filter((space) => !since.has(space)),
      ];
      // A while longer, so that what was left behind is read.
      if (waiting.length === 0) return time.runThrough(time.now + 3 * SAMPLE_EVERY_MS, violated);
    }
    for (const name of waiting) history.stuck.push(`nobody was answered about ${name} after all had healed`);
  }

  #tried(): number {
    return this.history.commits.reduce((sum, { tried }) => sum + tried, 0);
  }
  #spacesServed(since: number): Set<string> {
    const known = this.history.records.filter(
      ({ version, startedAt }) => version !== undefined && startedAt >= since,
    );
    return new Set(known.map(({ space }) => space));
  }

  #startClients(): void {
    const { time, random, trace, history } = this;
    const around: ClientSurroundings = {
      ...{ time, random, trace, history },
      replicas: () => this.#running(),
      paceMs: random.pick([20, 50, 120]),
    };
    for (let index = 0; index < 2; index++) committer(around, `committer-${index}`);
    for (let index = 0; index < 4; index++) {
      const space = `space-${index % 2}`;
      recordWriter(around, `writer-${index}`, space, this.#tokensOf(space));
    }
    if (random.chance(0.6))
      for (let index = 0; index < 2; index++) member(around, `member-${index}`, MEMBERS_GROUP);
  }

  readonly #tokens = new Map<string, { newest: number }>();
  #tokensOf(space: string): { newest: number } {
    const found = this.#tokens.get(space) ?? { newest: 0 };
    this.#tokens.set(space, found);
    return found;
  }

  #running(): Replica[] {
    return this.stations.flatMap(({ process }) => (process?.alive === true ? (process.replica ?? []) : []));
  }

  // ---- lives ----

  start(station: Station): void {
    if (station.process?.alive === true) return;
    const { id, disk, drift } = station;
    const { time, random, trace, network } = this;
    station.troubled = false;
    trace.note(time.now, `start ${id}`);
    const process = new SimulatedProcess(id, {
      ...{ time, random, trace, network, disk, drift },
      ids: this.stations.map((each) => each.id),
      shards: this.#shards,
      compactionBytes: this.#compactionBytes,
      segmentBytes: this.#segmentBytes,
      wallOffset: () => station.wallOffset,
      died: () => this.kill(station, random.chance(0.7)),
      ended: (reason) => this.#ended(station, process, reason),
    });
    station.process = process;
    process.start().then(
      () => process.replica?.onNews(() => this.#sample(process)),
      (error: unknown) => {
        if (process.alive) this.#ended(station, process, `it does not start: ${String(error)}`);
      },
    );
  }

  /** As kill -9, or, with a loss of power, a crash of the machine. */
  kill(station: Station, noticed: boolean): void {
    const { process } = station;
    if (process?.alive !== true) return;
    process.die();
    this.network.gone(station.id, noticed);
    const lost = station.disk.crash();
    if (lost > 0) this.trace.reached('a crash lost sectors');
    this.trace.note(this.time.now, `crash ${station.id}: ${lost} sectors lost`);
    this.#restartLater(station);
  }

  #ended(station: Station, process: SimulatedProcess, reason: string): void {
    process.die();
    this.trace.note(this.time.now, `end ${station.id}: ${reason}`);
    this.history.endings.push({
      replica: station.id,
      reason,
      explained: station.troubled || station.damaged || inTrouble(station.disk.trouble),
    });
    this.trace.reached('a replica ended by itself');
    this.network.gone(station.id, true);
    station.disk.crash();
    this.#restartLater(station);
  }

  #restartLater(station: Station): void {
    this.time.after(this.#healed ? 100 : 50 + this.random.below(1_500), () => this.start(station));
  }

  #heal(): void {
    this.#healed = true;
    this.trace.note(this.time.now, 'all heals');
    this.network.bandwidth = Number.POSITIVE_INFINITY;
    for (const { disk, process } of this.stations) {
      disk.trouble = noTrouble();
      process?.dieAfter(Number.POSITIVE_INFINITY);
      process?.stopUntil(0);
    }
    this.network.mendAll();
    for (const station of this.stations) this.start(station);
  }

  // ---- checks ----

  readonly #sampled = new Map<string, number>();

  #sample({ id, replica }: SimulatedProcess): void {
    if (replica === undefined) return;
    for (let shard = 0; shard < this.#shards; shard++) {
      const { appliedThrough: through, hash } = replica.peek(shardId(shard));
      const key = `${id}/${shard}`;
      if (this.#sampled.get(key) === through) continue;
      this.#sampled.set(key, through);
      this.history.samples.push({ replica: id, shard: shardId(shard), through, hash });
    }
    const { appliedThrough: through, groups } = replica.peek(replica.shardOf(groupId(MEMBERS_GROUP)));
    for (const { scope, token } of groups.fences(groupId(MEMBERS_GROUP))) {
      this.history.grants.push({ replica: id, scope, token, through });
      this.trace.reached('a token was granted');
    }
  }

  #sampleAgain(): void {
    this.time.after(SAMPLE_EVERY_MS, () => {
      for (const { process } of this.stations) if (process?.alive === true) this.#sample(process);
      this.#sampleAgain();
    });
  }

  #check(): void {
    for (const [invariant, broken] of Object.entries(INVARIANTS)) {
      const detail = broken(this.history);
      if (detail !== undefined) this.#violation ??= { invariant, detail };
    }
  }
}
