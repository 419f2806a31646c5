import { type Random, type ReplicaId } from '../kernel/index.js';
import { FEATURE_LEVEL } from '../machine/index.js';
import type { Replica } from '../replica/index.js';
import {
  administrator,
  type ClientSurroundings,
  committer,
  hoarder,
  passerBy,
  type PendingRequest,
} from './clients.js';
import { inTrouble } from './disk-trouble.js';
import { flooder } from './flooder.js';
import { FaultPlan } from './faults/index.js';
import { FencedStore } from './fenced-store.js';
import { hasSeenWrong, type History, newHistory } from './history.js';
import { INVARIANTS } from './invariants/index.js';
import { coreOf, HealedCluster } from './healed-cluster.js';
import { Member } from './members.js';
import { SimulatedNetwork } from './network.js';
import { Observer } from './observer.js';
import { messagesOf } from './message-watch.js';
import { noteReplaced, operator } from './operator.js';
import { SimulatedProcess } from './process.js';
import { recordWriter } from './record-writers.js';
import { membersIn, plannedIn, rosterChanger } from './roster-changer.js';
import { SdkWorker } from './sdk-worker.js';
import { kafkaCommitter } from './kafka-committers.js';
import { FAULTS_FROM_MS, type Setup, type StaysBad, stream } from './setup.js';
import { namedBy, newStations } from './stations.js';
import type { Station } from './strike.js';
import { timeIsSure } from './sure-time.js';
import { Trace } from './trace.js';
import { LEVEL_OF_READS_ANYWHERE, TOO_NEW } from './versions.js';
import { VirtualTime } from './virtual-time.js';

const SAMPLE_EVERY_MS = 100;
const HEALED_PACE_MS = 100;

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
  readonly trace = new Trace();
  readonly time = new VirtualTime();
  readonly network: SimulatedNetwork;
  readonly stations: readonly Station[];
  readonly history: History = newHistory();
  readonly electionTimeoutMs: number;
  readonly olderLevel: number | undefined;
  readonly shards: number;
  readonly compactionBytes: number;
  readonly #setup: Setup;
  /** Draws when who restarts. */
  readonly #random: Random;
  readonly #observer: Observer;
  readonly #members: Member[] = [];
  readonly #workers: SdkWorker[] = [];
  readonly #pending = new Set<PendingRequest>();
  #violation: Verdict['violation'];
  #healed = false;
  /** Once all that must has healed: those of which nothing is wrong any more. */
  #core: readonly ReplicaId[] | undefined;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.electionTimeoutMs = setup.electionTimeoutMs;
    this.olderLevel = setup.olderLevel;
    this.shards = setup.shards;
    this.compactionBytes = setup.compactionBytes;
    const { seed } = setup;
    this.#random = stream(seed, 'lives');
    this.network = new SimulatedNetwork(this.time, stream(seed, 'network'), this.trace);
    this.stations = newStations(setup);
    this.#observer = new Observer(setup, this.time, this.trace, this.history, this.stations);
    this.network.linked = (a, b) => this.#observer.conduct.linked(a, b);
  }

  get allUpgraded(): boolean {
    return this.#observer.allUpgraded;
  }

  async run(): Promise<Verdict> {
    const violated = (): boolean => this.#violation !== undefined;
    for (const station of this.stations) this.start(station);
    this.#startClients();
    const running = (): Replica[] | undefined => (this.#healed ? undefined : this.#running());
    const { time, trace } = this;
    const random = stream(this.#setup.seed, 'operator');
    const onlyReplaces = this.#setup.replaces === true && this.#setup.changes !== true;
    if (this.#setup.changes === true) rosterChanger(this, random, running);
    else if (onlyReplaces) operator({ time, trace, random, running });
    this.#lookAgain();
    await this.time.runThrough(FAULTS_FROM_MS, violated);
    const { seed, faultsMs } = this.#setup;
    const faults = new FaultPlan(this, this.#setup.faults, stream(seed, 'victim'));
    await this.time.runThrough(FAULTS_FROM_MS + faultsMs, violated);
    faults.stop();
    this.#check();
    const badOne = this.#badOne(faults.victim);
    this.#heal(badOne);
    const core = (this.#core = coreOf(
      this.placed.map(({ id }) => id),
      this.#setup.staysBad,
      badOne.id,
    ));
    await new HealedCluster({
      ...{
        setup: this.#setup,
        time: this.time,
        history: this.history,
        members: this.#members,
        workers: this.#workers,
      },
      ...{ pending: this.#pending, violated, timeIsSure: timeIsSure(this.#setup, this.stations, badOne) },
      core: () => this.#running().filter(({ self }) => this.#isSound(self)),
    }).watch();
    this.#observer.ends(core.filter((id) => this.#isSound(id)));
    if (onlyReplaces) noteReplaced(trace, this.#running());
    this.#check();
    for (const { process } of this.stations) process?.die();
    return {
      seed,
      hash: this.trace.hash,
      goals: this.trace.goals,
      operations: this.history.records.length + this.history.reads.length + this.#tried(),
      violation: this.#violation,
      last: this.trace.last,
    };
  }
  #tried(): number {
    return this.history.commits.reduce((sum, { tried }) => sum + tried, 0);
  }
  #startClients(): void {
    const { time, trace, history } = this;
    const { seed, paceMs, members, bulkBytes, faultsMs } = this.#setup;
    const around = (name: string): ClientSurroundings => ({
      ...{ time, trace, history, random: stream(seed, name) },
      replicas: () => this.#running(),
      inProcess: (replica, run) =>
        this.#processes()
          .find((process) => process.replica === replica)
          ?.inProcess(run, name),
      anyReplica: () => this.#running().filter(({ self }) => this.#isSound(self)),
      brokers: () => this.#processes().filter(({ accept }) => accept !== undefined),
      anyBroker: () =>
        this.#processes().filter(({ accept, id }) => accept !== undefined && this.#isSound(id)),
      healed: () => this.#healed,
      readsAnywhere: (this.olderLevel ?? FEATURE_LEVEL) >= LEVEL_OF_READS_ANYWHERE,
      pending: this.#pending,
      paceMs: () => (this.#healed ? Math.min(HEALED_PACE_MS, paceMs) : paceMs),
    });
    administrator(around('administrator'));
    committer(around('committer-0'), 'committer-0', bulkBytes > 0);
    kafkaCommitter(around('committer-1'), 'committer-1');
    if (this.#setup.strays === true) kafkaCommitter(around('committer-2'), 'committer-2', true);
    passerBy(around('passer-by'), 'passer-by');
    if (bulkBytes > 0) hoarder(around('hoarder'), bulkBytes);
    if (this.#setup.tight === true) flooder(around('flooder'));
    for (let index = 0; index < 4; index++) {
      const space = `space-${index % 2}`;
      recordWriter(around(`writer-${index}`), `writer-${index}`, space, this.#tokensOf(space));
    }
    // The first one stays, so that what is shared out has somebody to go to.
    const lives = stream(seed, 'members');
    const store = new FencedStore(time, stream(seed, 'store'), history);
    for (let index = 0; index < members; index++) {
      const goneAt = index > 0 && lives.chance(0.4) ? FAULTS_FROM_MS + lives.below(faultsMs) : undefined;
      this.#members.push(new Member(around(`member-${index}`), store, `member-${index}`, goneAt));
    }
    this.#startWorkers(around, store);
  }

  /** The first one stays here, too. */
  #startWorkers(around: (name: string) => ClientSurroundings, store: FencedStore): void {
    const { seed, workers = 0, faultsMs, cooperative = false } = this.#setup;
    const replicas = this.stations.length;
    const lives = stream(seed, 'lives of workers');
    for (let index = 0; index < workers; index++) {
      const goneAt = index > 0 && lives.chance(0.2) ? FAULTS_FROM_MS + lives.below(faultsMs) : Infinity;
      const name = `worker-${index}`;
      this.#workers.push(new SdkWorker(around(name), store, name, { replicas, cooperative, goneAt }));
    }
  }

  readonly #tokens = new Map<string, { newest: number }>();
  #tokensOf(space: string): { newest: number } {
    const found = this.#tokens.get(space) ?? { newest: 0 };
    this.#tokens.set(space, found);
    return found;
  }
  #processes(): SimulatedProcess[] {
    return this.stations.flatMap(({ process }) => (process?.alive === true ? process : []));
  }
  #running(): Replica[] {
    return this.#processes().flatMap(({ replica }) => replica ?? []);
  }

  get placed(): readonly Station[] {
    return this.stations.filter(({ isGone }) => !isGone);
  }
  /** Of the cluster, and nothing is wrong with it; anybody, while things go wrong. */
  #isSound(id: ReplicaId): boolean {
    if (this.#core === undefined) return true;
    return (
      this.#core.includes(id) &&
      (this.#setup.changes !== true || membersIn(this.#running(), this.#setup.replicas).has(id))
    );
  }

  // ---- lives ----

  start(station: Station): void {
    if (station.process?.alive === true || station.isGone) return;
    const { id, disk, drift, level } = station;
    const { time, trace, network } = this;
    station.troubled = false;
    station.incarnation = undefined;
    station.lives++;
    station.runs = level;
    this.#observer.begins(station);
    trace.note(time.now, `start ${id}`);
    trace.recorder?.began(id);
    const process = new SimulatedProcess(id, {
      ...{ time, trace, network, disk, drift, setup: { ...this.#setup, ...station.odd } },
      named: namedBy(station, this.#setup),
      featureLevel: level,
      ...messagesOf(this.#observer, station, level),
      random: stream(this.#setup.seed, `life ${station.lives} of ${id}`),
      wallOffset: () => station.wallOffset,
      opened: (storage) => this.#observer.opened(station, storage),
      beforeEffect: (what) => this.#observer.beforeEffect(station, what),
      made: (replica) => this.#observer.made(replica),
      speaks: (replica) => this.#observer.speaks(station, replica),
      listen: () => station.portTaken-- <= 0,
      died: () => this.kill(station, this.#random.chance(0.7)),
      ended: (reason) => this.#ended(station, process, reason),
    });
    station.process = process;
    process.start().then(
      () => {
        process.replica?.onNews((shard) => this.#observer.applied(process, shard));
        station.incarnation = process.replica?.replicas().up.get(id);
      },
      (error: unknown) => {
        if (process.alive) this.#ended(station, process, `it does not start: ${String(error)}`);
      },
    );
  }

  /** As kill -9, or, with a loss of power, a crash of the machine. */
  kill(station: Station, noticed: boolean, backAfterMs?: number): void {
    const { process } = station;
    if (process?.alive !== true) return;
    this.#observer.died(station, process);
    process.die();
    this.network.gone(station.id, noticed);
    const lost = station.disk.crash();
    if (lost > 0) this.trace.reached('a crash lost sectors');
    this.trace.note(this.time.now, `crash ${station.id}: ${lost} sectors lost`);
    this.trace.recorder?.ended(station.id, 'crash');
    this.#restartLater(station, backAfterMs);
  }

  restart(station: Station, inOrder: boolean, backAfterMs: number): void {
    const { process } = station;
    if (!inOrder || process?.replica === undefined) return this.kill(station, true, backAfterMs);
    process.stop(() => {
      this.trace.reached('a process stopped in order');
      this.kill(station, true, backAfterMs);
    });
  }
  #ended(station: Station, process: SimulatedProcess, reason: string): void {
    this.#observer.died(station, process);
    process.die();
    this.trace.note(this.time.now, `end ${station.id}: ${reason}`);
    this.trace.recorder?.ended(station.id, reason);
    this.history.endings.push({
      replica: station.id,
      reason,
      explained:
        station.troubled ||
        station.damaged ||
        (station.tooOld && reason.includes(TOO_NEW)) ||
        inTrouble(station.disk.trouble) ||
        // Of a disk that has been mended since.
        reason.includes('EIO') ||
        reason.includes('EADDRINUSE') ||
        reason.includes('this data directory belongs to a cluster'),
    });
    this.trace.reached('a replica ended by itself');
    this.network.gone(station.id, true);
    station.disk.crash();
    this.#restartLater(station);
  }

  #restartLater(station: Station, afterMs?: number): void {
    const drawn = 50 + this.#random.below(1_500);
    this.time.after(this.#healed ? 100 : (afterMs ?? drawn), () => this.start(station));
  }

  /** The one whose disk was damaged, if any: the others must have a quorum of votes. */
  #badOne(victim: Station): Station {
    const damaged = this.stations.find((station) => station.damaged);
    return damaged ?? victim;
  }

  #heal(badOne: Station): void {
    const { staysBad } = this.#setup;
    this.#healed = true;
    this.#observer.conduct.heals();
    this.trace.note(
      this.time.now,
      `all heals${staysBad === undefined ? '' : `, but ${badOne.id} is ${staysBad}`}`,
    );
    this.network.heal();
    for (const station of this.stations) {
      const { disk, process } = station;
      disk.mend();
      station.portTaken = 0;
      station.wallOffset = 0;
      this.#settingsCorrected(station);
      this.#upgradedAtLast(station);
      process?.dieAfter(Number.POSITIVE_INFINITY);
      process?.stopUntil(0);
    }
    if (staysBad !== undefined) this.#keepBad(badOne, staysBad);
    const planned = plannedIn(this.#running());
    for (const station of this.stations) {
      station.isGone &&= !planned.has(station.id);
      this.start(station);
    }
  }

  #settingsCorrected(station: Station): void {
    if (Object.keys(station.odd).length === 0) return;
    station.odd = {};
    this.kill(station, true);
  }
  #upgradedAtLast(station: Station): void {
    if (station.level === FEATURE_LEVEL || !(station.tooOld || this.#setup.endsUpgraded === true)) return;
    station.level = FEATURE_LEVEL;
    station.tooOld = false;
    this.kill(station, true);
  }

  #keepBad(station: Station, how: StaysBad): void {
    this.trace.reached(`one replica stayed ${how}`);
    const others = this.stations.filter((other) => other !== station);
    if (how === 'dead') {
      this.kill(station, true);
      station.isGone = true;
    }
    for (const { id } of how === 'apart' ? others : how === 'oneLink' ? others.slice(1) : []) {
      this.network.cut(station.id, id);
      this.network.cut(id, station.id);
    }
    if (how === 'flaps') this.#flap(station);
  }
  #flap(station: Station): void {
    this.time.after(2 * this.#setup.electionTimeoutMs, () => {
      for (const { id } of this.stations) if (id !== station.id) this.network.reset(station.id, id);
      this.#flap(station);
    });
  }

  // ---- checks ----

  #lookAgain(): void {
    this.time.after(SAMPLE_EVERY_MS, () => {
      this.#observer.look();
      if (hasSeenWrong(this.history)) this.#check();
      this.#lookAgain();
    });
  }

  #check(): void {
    for (const [invariant, broken] of Object.entries(INVARIANTS)) {
      const detail = broken(this.history);
      if (detail !== undefined) this.#violation ??= { invariant, detail };
    }
  }
}
