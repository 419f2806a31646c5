import {
  type MonotonicMs,
  type Random,
  type ReplicaId,
  replicaId,
  seededRandom,
  slot,
} from '../../../src/kernel/index.js';
import {
  createPaxos,
  decodeMessage,
  type Effect,
  encodeMessage,
  formatBallot,
  type Input,
  type Leadership,
  type PaxosOptions,
  type Send,
} from '../../../src/paxos/index.js';
import { Checks } from './checks.js';
import { Node } from './node.js';
import { memberOf, Plans } from './plans.js';
import { Schedule } from './schedule.js';
import { valueText } from './value.js';
import { BASE, NOTHING_REACHED } from './world-options.js';
import { drawWeather, type Weather } from './weather.js';

/** A planted bug: changes what goes into or comes out of a core. For showing that the checks can fail. */
export interface Mutant {
  readonly name: string;
  input?(input: Input, world: World, self: ReplicaId): Input | undefined;
  effects?(effects: readonly Effect[], world: World, self: ReplicaId): readonly Effect[];
  /** Changes how the core is set up. */
  options?(options: PaxosOptions): PaxosOptions;
}

const TICK_MS = 6;
/** Replicas beyond those of the first configuration. */
const SPARES = 2;
export const ELECTION_TIMEOUT_MS = BASE.electionTimeoutMs;

/** A cluster of pure cores with a simulated network, disk and clock, checked after every step. */
export class World {
  readonly random: Random;
  readonly nodes: Node[] = [];
  readonly #weather: Weather;
  readonly #mutant: Mutant | undefined;
  readonly #schedule = new Schedule();
  readonly #checks = new Checks(() => this.time);
  readonly #cut = new Set<string>();
  readonly #throughBytes: boolean;
  readonly #plans: Plans;
  #healed = false;
  #quiet = false;
  steps = 0;
  #nextId = 1;
  /** Who campaigned and who led, in order: for counting elections. */
  readonly campaigns: { readonly at: number; readonly replica: ReplicaId }[] = [];
  readonly terms: { readonly at: number; readonly replica: ReplicaId; readonly ballot: string }[] = [];
  reached = { ...NOTHING_REACHED };

  constructor(seed: number, mutant?: Mutant, weather?: Weather) {
    this.random = seededRandom(seed);
    this.#weather = weather ?? drawWeather(this.random);
    this.#mutant = mutant;
    this.#throughBytes = seed % 4 === 0;
    const spares = this.#weather.reconfigure > 0 ? SPARES : 0;
    for (let i = 0; i < this.#weather.replicas + spares; i++) {
      this.nodes.push(new Node(replicaId(i + 1), 0.97 + this.random.next() * 0.06));
    }
    const members = this.nodes.slice(0, this.#weather.replicas).map(memberOf);
    this.#plans = new Plans({ number: 1, members, quorums: { kind: 'majority' } });
    for (const node of this.nodes) this.#boot(node);
  }

  get time(): number {
    return this.#schedule.now;
  }

  // ---- running ----

  /** Faults for a while, then none; checks safety all along and liveness at the end. */
  run(faultsMs: number, healedMs: number): void {
    this.#clients();
    this.#troubles();
    this.#until(faultsMs);
    this.#heal();
    this.#until(faultsMs + healedMs - 100);
    // Followers learn of the last slots with the next heartbeat.
    this.#quiet = true;
    this.#until(faultsMs + healedMs);
    this.#checks.liveness(this.nodes, this.serving(), this.#plans.preferred(this.nodes));
  }

  // ---- for tests that direct the faults themselves ----

  advance(ms: number): void {
    this.#until(this.time + ms);
  }

  /** A client that knows whom to ask. */
  proposeAt(id: ReplicaId): void {
    this.#propose(this.nodes[id - 1]!);
  }

  cut(from: ReplicaId, to: ReplicaId): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Who may answer clients now. */
  serving(): readonly ReplicaId[] {
    return this.nodes
      .filter((node) => node.core?.status(this.now(node)).leadership.serving)
      .map(({ id }) => id);
  }

  #node(id: ReplicaId): Node {
    return this.nodes[id - 1]!;
  }

  #until(end: number): void {
    while (this.#schedule.runNext(end));
  }

  #at(delay: number, run: () => void): void {
    this.#schedule.after(delay, run);
  }

  now(node: Node): MonotonicMs {
    return node.clock(this.time);
  }

  #boot(node: Node): void {
    node.life++;
    const { life } = node;
    const priorityAmong = (replicas: readonly ReplicaId[]): number =>
      replicas.length - replicas.indexOf(node.id);
    const options: PaxosOptions = {
      ...BASE,
      self: node.id,
      configuration: this.#plans.start,
      incarnation: node.incarnation,
      votes: node.disks === 1,
      priority: priorityAmong(this.#plans.start.replicas),
      priorityAmong,
      seed: this.random.below(2 ** 31),
    };
    const used = this.#mutant?.options?.(options) ?? options;
    node.pending = [];
    node.diskBusy = false;
    node.applied = node.snapshotThrough;
    node.begun = node.snapshotBegun;
    node.core = createPaxos(
      used,
      { records: node.read(), snapshotThrough: node.snapshotThrough, begun: node.begun },
      this.now(node),
    );
    this.#checks.restarted(node);
    const tick = (): void => {
      if (node.life !== life || node.core === undefined) return;
      this.#step(node, { kind: 'tick' });
      this.#at(TICK_MS, tick);
    };
    this.#at(this.random.next() * TICK_MS, tick);
  }

  #crash(node: Node): void {
    if (node.core === undefined) return;
    node.core = undefined;
    node.life++;
    // Of what was not acknowledged, a prefix may have reached the disk.
    const unsynced = node.pending.flatMap(({ records }) => records);
    const survives = this.random.below(unsynced.length + 1);
    node.store(unsynced.slice(0, survives));
    node.pending = [];
    this.reached.restarts++;
    this.#at(this.#healed ? 0 : this.random.below(60), () => {
      if (node.core === undefined) this.#boot(node);
    });
  }

  // ---- steps and effects ----

  #step(node: Node, input: Input): void {
    if (node.core === undefined) return;
    if (node.pausedUntil > this.time) {
      const { life } = node;
      this.#at(node.pausedUntil - this.time, () => node.life === life && this.#step(node, input));
      return;
    }
    this.steps++;
    const used = this.#mutant?.input === undefined ? input : this.#mutant.input(input, this, node.id);
    if (used === undefined) return;
    const effects = node.core.step(used, this.now(node));
    node.core.checkInvariants();
    for (const effect of this.#mutant?.effects?.(effects, this, node.id) ?? effects)
      this.#perform(node, effect);
    this.#checks.leases(this.nodes);
  }

  #perform(node: Node, effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        return this.#send(node, effect);
      case 'persist':
        node.pending.push(effect);
        return this.#spinDisk(node);
      case 'chosen':
        return this.#apply(node, effect);
      case 'proposalsFailed':
      case 'readsFailed':
        return;
      case 'readReady':
        for (const id of effect.ids) this.#checks.answersRead(node, id);
        this.reached.reads += effect.ids.length;
        return;
      case 'leadership':
        if (effect.leadership.serving) this.reached.elections++;
        return this.#noteElection(node, effect.leadership);
      case 'snapshotNeeded':
        return this.#sendSnapshot(node, effect.to);
      case 'fatal':
        return this.#checks.fail(effect.reason);
    }
  }

  #noteElection(node: Node, { role, serving, ballot }: Leadership): void {
    if (role === 'candidate') this.campaigns.push({ at: this.time, replica: node.id });
    if (role === 'leader' && !serving)
      this.terms.push({ at: this.time, replica: node.id, ballot: formatBallot(ballot) });
  }

  #spinDisk(node: Node): void {
    if (node.diskBusy) return;
    const batch = node.pending.length;
    if (batch === 0) return;
    node.diskBusy = true;
    const { life } = node;
    const delay = this.random.chance(this.#healed ? 0 : this.#weather.slowDisk)
      ? this.random.below(20)
      : this.random.next();
    this.#at(delay, () => {
      if (node.life !== life) return;
      node.diskBusy = false;
      const done = node.pending.splice(0, batch);
      node.store(done.flatMap(({ records }) => records));
      for (const { id, sync, then } of done) {
        for (const send of then) this.#send(node, send);
        if (sync) this.#step(node, { kind: 'persisted', id });
      }
      this.#spinDisk(node);
    });
  }

  #send(from: Node, { to, message }: Send): void {
    this.#checks.sends(from, message);
    // Through bytes for one seed in four: the codec has tests of its own, and costs a third of the time.
    const bytes = this.#throughBytes ? encodeMessage(message) : undefined;
    const copies = !this.#healed && this.random.chance(this.#weather.duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (!this.#healed && this.random.chance(this.#weather.drop)) continue;
      const long = !this.#healed && this.random.chance(this.#weather.longDelay) ? this.random.below(150) : 0;
      const delay = this.#healed ? 1 : this.random.next() * this.#weather.delayMsMax + long;
      this.#at(delay, () => {
        if (this.#cut.has(`${from.id}>${to}`)) return;
        const target = this.nodes[to - 1]!;
        this.#step(target, {
          kind: 'message',
          from: from.id,
          message: bytes === undefined ? message : decodeMessage(bytes),
        });
      });
    }
  }

  #sendSnapshot(from: Node, to: ReplicaId): void {
    const { snapshotThrough: through, snapshotBegun: begun } = from;
    this.#at(2, () => {
      const target = this.nodes[to - 1]!;
      if (target.core === undefined || target.pausedUntil > this.time) return;
      if (this.#cut.has(`${from.id}>${to}`) || through <= target.applied) return;
      this.reached.snapshots++;
      if (begun !== undefined && begun.since > target.applied) this.reached.snapshotsOverSeals++;
      target.snapshotThrough = through;
      target.snapshotBegun = target.begun = begun;
      target.applied = through;
      this.#step(target, { kind: 'snapshotInstalled', through, begun });
    });
  }

  #apply(node: Node, effect: Extract<Effect, { kind: 'chosen' }>): void {
    this.#checks.applies(node, effect);
    node.applied = effect.firstSlot + effect.entries.length - 1;
    effect.entries.forEach((entry, i) => {
      if (entry.kind !== 'seal') return;
      node.begun = { since: slot(effect.firstSlot + i), configuration: entry.next };
      if (this.#plans.began(node.begun)) this.reached.seals++;
    });
    this.#step(node, { kind: 'applied', through: slot(node.applied) });
  }

  // ---- clients and troubles ----

  #clients(): void {
    this.#at(2 + this.random.next() * 6, () => {
      if (this.#quiet) return;
      const node = this.random.pick(this.nodes);
      if (node.core !== undefined) {
        if (this.random.chance(0.8)) this.#propose(node);
        else this.#read(node);
      }
      this.#clients();
    });
  }

  #propose(node: Node): void {
    const proposals = Array.from({ length: 1 + this.random.below(3) }, () => {
      const id = this.#nextId++;
      const value = `v${id}`;
      this.#checks.proposes(node, id, value);
      return { id, payload: Buffer.from(value) };
    });
    this.#step(node, { kind: 'propose', proposals });
  }

  #read(node: Node): void {
    const id = this.#nextId++;
    this.#checks.reads(node, id);
    this.#step(node, { kind: 'read', id });
  }

  #troubles(): void {
    if (this.#healed) return;
    const { crash, cut, transfer, snapshot, pause, reconfigure } = this.#weather;
    const node = this.random.pick(this.nodes);
    if (this.random.chance(crash * 5)) this.#crash(node);
    if (this.random.chance(pause * 5)) node.pausedUntil = this.time + this.random.below(100);
    if (this.random.chance(cut * 5)) {
      const [from, to] = [this.random.pick(this.nodes).id, this.random.pick(this.nodes).id];
      this.#cut.add(`${from}>${to}`);
      if (this.random.chance(0.5)) this.#cut.add(`${to}>${from}`);
    }
    if (this.random.chance(cut * 3)) this.#cut.clear();
    if (this.random.chance(transfer * 5)) {
      this.reached.transfers++;
      this.#step(node, { kind: 'transfer', to: this.random.pick(this.nodes).id });
    }
    if (this.random.chance(snapshot * 5) && node.core !== undefined && node.applied > 0) {
      node.snapshotThrough = slot(node.applied);
      node.snapshotBegun = node.begun;
      this.#step(node, { kind: 'snapshotTaken', through: node.snapshotThrough });
      if (this.random.chance(0.5)) this.#rewrite(node);
    }
    if (this.random.chance(reconfigure * 5)) this.#reconfigure();
    if (this.random.chance(reconfigure * 2)) this.#replaceDisk(node);
    this.#at(5, () => this.#troubles());
  }

  /** Any set of replicas may follow any other: who lags and who is new learns before it can vote. */
  #reconfigure(): void {
    const [leader] = this.serving();
    if (leader === undefined) return;
    const node = this.#node(leader);
    const { number } = node.core!.status(this.now(node)).configuration;
    const next = this.#plans.draw(this.random, this.nodes, number + 1);
    this.reached.reconfigurations++;
    const id = this.#nextId++;
    this.#checks.proposes(node, id, valueText({ kind: 'seal', next }));
    this.#step(node, { kind: 'reconfigure', id, next });
  }

  /** A replica comes back with an empty disk, unless it is one too many to be missed. */
  #replaceDisk(node: Node): void {
    if (!this.#plans.canMiss(node, this.nodes, this.#checks.chosenThrough)) return;
    this.reached.newDisks++;
    this.#crash(node);
    node.wipe();
  }

  /** The shell drops the log before a snapshot and writes again what is still needed. */
  #rewrite(node: Node): void {
    if (node.pending.length > 0 || node.diskBusy) return;
    node.disk = [];
    node.store(node.core!.hardState());
  }

  #heal(): void {
    this.#healed = true;
    this.#cut.clear();
    for (const node of this.nodes) {
      node.pausedUntil = 0;
      if (node.core === undefined) this.#boot(node);
    }
  }
}
