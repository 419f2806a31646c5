import { type Random, replicaId, shardId } from '../kernel/index.js';
import type { Replica } from '../replica/index.js';
import {
  type ClientSurroundings,
  committer,
  PATIENCE_MS,
  type PendingRequest,
  recordWriter,
} from './clients.js';
import { inTrouble, SimulatedDisk } from './disk.js';
import { FaultPlan } from './faults/index.js';
import { type History, newHistory } from './history.js';
import { INVARIANTS } from './invariants/index.js';
import { Member } from './members.js';
import { SimulatedNetwork } from './network.js';
import { Observer } from './observer.js';
import { SimulatedProcess } from './process.js';
import { FAULTS_FROM_MS, type Setup, stream } from './setup.js';
import type { Station } from './strike.js';
import { Trace } from './trace.js';
import { VirtualTime } from './virtual-time.js';

/** How long a healed cluster may take until every client has been served: its own patience and four elections. */
const SERVED_WITHIN_MS = 5_000;
const HEALED_ELECTIONS = 4;
const SAMPLE_EVERY_MS = 100;
const LEFT_BEHIND_MS = 750;
/** How long what a replica lacks may take to reach it, beside four elections. */
const LEVEL_WITHIN_MS = 3_000;
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
  readonly #setup: Setup;
  /** Draws when who restarts. */
  readonly #random: Random;
  readonly #observer: Observer;
  readonly #pending = new Set<PendingRequest>();
  #violation: Verdict['violation'];
  #healed = false;

  constructor(setup: Setup) {
    this.#setup = setup;
    const { seed } = setup;
    this.#random = stream(seed, 'lives');
    this.network = new SimulatedNetwork(this.time, stream(seed, 'network'), this.trace);
    const clocks = stream(seed, 'clocks');
    this.stations = Array.from({ length: setup.replicas }, (_, index) => ({
      id: replicaId(index + 1),
      disk: new SimulatedDisk(stream(seed, `disk ${index}`)),
      drift: 1 + (clocks.next() - 0.5) * 0.04,
      wallOffset: 0,
      process: undefined,
      lives: 0,
      troubled: false,
      damaged: false,
      portTaken: 0,
      copy: undefined,
    }));
    this.#observer = new Observer(setup, this.time, this.trace, this.history, this.stations);
  }

  async run(): Promise<Verdict> {
    const violated = (): boolean => this.#violation !== undefined;
    for (const station of this.stations) this.start(station);
    this.#startClients();
    this.#lookAgain();
    await this.time.runThrough(FAULTS_FROM_MS, violated);
    const { seed, faultsMs } = this.#setup;
    const faults = new FaultPlan(this, this.#setup.faults, stream(seed, 'victim'));
    await this.time.runThrough(FAULTS_FROM_MS + faultsMs, violated);
    faults.stop();
    this.#check();
    this.#heal();
    await this.#untilServed(violated);
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

  /** A healed cluster must serve every client: a commit of each committer, and an access to each record. */
  async #untilServed(violated: () => boolean): Promise<void> {
    const { time, history } = this;
    const healedAt = time.now;
    const marks = history.commits.map(({ acknowledged }) => acknowledged);
    const spaces = this.#spacesServed(0);
    let waiting: string[] = [];
    const within = SERVED_WITHIN_MS + this.#elections();
    while (time.now < healedAt + within && !violated()) {
      await time.runThrough(time.now + SAMPLE_EVERY_MS, violated);
      const since = this.#spacesServed(healedAt);
      waiting = [
        ...history.commits
          .filter(({ acknowledged }, index) => acknowledged <= marks[index]!)
          .map(({ group }) => group),
        ...[...spaces].filter((space) => !since.has(space)),
      ];
      // A while longer, so that what was left behind is read.
      if (waiting.length === 0) {
        await time.runThrough(time.now + LEFT_BEHIND_MS, violated);
        return this.#untilLevel(violated);
      }
    }
    for (const name of waiting) history.stuck.push(`nobody was answered about ${name} after all had healed`);
  }

  /** Then every replica must catch up with what had been chosen, and none may keep a request for itself. */
  async #untilLevel(violated: () => boolean): Promise<void> {
    const { time, history } = this;
    const targets = this.#applied().reduce((most, own) =>
      most.map((each, shard) => Math.max(each, own[shard]!)),
    );
    const end = time.now + LEVEL_WITHIN_MS + this.#elections();
    const behind = (): readonly Replica[] =>
      this.#running().filter((replica) =>
        targets.some((target, shard) => replica.peek(shardId(shard)).appliedThrough < target),
      );
    while (time.now < end && behind().length > 0 && !violated())
      await time.runThrough(time.now + SAMPLE_EVERY_MS, violated);
    for (const { self } of behind())
      history.stuck.push(`replica ${self} did not catch up after all had healed`);
    const old = time.now - PATIENCE_MS - this.#elections();
    for (const { replica, askedAt } of this.#pending)
      if (askedAt < old && this.#running().includes(replica))
        history.stuck.push(`replica ${replica.self} never answered what it was asked at ${askedAt} ms`);
  }

  #elections(): number {
    return HEALED_ELECTIONS * this.#setup.electionTimeoutMs;
  }
  #applied(): readonly (readonly number[])[] {
    const shards = Array.from({ length: this.#setup.shards }, (_, index) => shardId(index));
    return this.#running().map((replica) => shards.map((shard) => replica.peek(shard).appliedThrough));
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
    const { time, trace, history } = this;
    const { seed, paceMs, members } = this.#setup;
    const around = (name: string): ClientSurroundings => ({
      ...{ time, trace, history, random: stream(seed, name) },
      replicas: () => this.#running(),
      pending: this.#pending,
      paceMs: () => (this.#healed ? Math.min(HEALED_PACE_MS, paceMs) : paceMs),
    });
    for (let index = 0; index < 2; index++) committer(around(`committer-${index}`), `committer-${index}`);
    for (let index = 0; index < 4; index++) {
      const space = `space-${index % 2}`;
      recordWriter(around(`writer-${index}`), `writer-${index}`, space, this.#tokensOf(space));
    }
    for (let index = 0; index < members; index++) new Member(around(`member-${index}`), `member-${index}`);
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
    const { time, trace, network } = this;
    station.troubled = false;
    station.lives++;
    trace.note(time.now, `start ${id}`);
    trace.recorder?.began(id);
    const process = new SimulatedProcess(id, {
      ...{ time, trace, network, disk, drift, setup: this.#setup },
      random: stream(this.#setup.seed, `life ${station.lives} of ${id}`),
      wallOffset: () => station.wallOffset,
      opened: (condition, incarnation) => this.#observer.opened(id, condition, incarnation),
      listen: () => station.portTaken-- <= 0,
      died: () => this.kill(station, this.#random.chance(0.7)),
      ended: (reason) => this.#ended(station, process, reason),
    });
    station.process = process;
    process.start().then(
      () => process.replica?.onNews(() => this.#observer.applied(process)),
      (error: unknown) => {
        if (process.alive) this.#ended(station, process, `it does not start: ${String(error)}`);
      },
    );
  }

  /** As kill -9, or, with a loss of power, a crash of the machine. */
  kill(station: Station, noticed: boolean, backAfterMs?: number): void {
    const { process } = station;
    if (process?.alive !== true) return;
    this.#observer.died(station.id, process.sent);
    process.die();
    this.network.gone(station.id, noticed);
    const lost = station.disk.crash();
    if (lost > 0) this.trace.reached('a crash lost sectors');
    this.trace.note(this.time.now, `crash ${station.id}: ${lost} sectors lost`);
    this.trace.recorder?.ended(station.id, 'crash');
    this.#restartLater(station, backAfterMs);
  }

  #ended(station: Station, process: SimulatedProcess, reason: string): void {
    this.#observer.died(station.id, process.sent);
    process.die();
    this.trace.note(this.time.now, `end ${station.id}: ${reason}`);
    this.trace.recorder?.ended(station.id, reason);
    this.history.endings.push({
      replica: station.id,
      reason,
      explained:
        station.troubled ||
        station.damaged ||
        inTrouble(station.disk.trouble) ||
        reason.includes('EADDRINUSE'),
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

  get electionTimeoutMs(): number {
    return this.#setup.electionTimeoutMs;
  }

  #heal(): void {
    this.#healed = true;
    this.trace.note(this.time.now, 'all heals');
    this.network.heal();
    for (const station of this.stations) {
      const { disk, process } = station;
      disk.mend();
      station.portTaken = 0;
      process?.dieAfter(Number.POSITIVE_INFINITY);
      process?.stopUntil(0);
    }
    for (const station of this.stations) this.start(station);
  }

  // ---- checks ----

  #lookAgain(): void {
    this.time.after(SAMPLE_EVERY_MS, () => {
      this.#observer.look();
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
