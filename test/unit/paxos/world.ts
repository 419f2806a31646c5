import {
  type MonotonicMs,
  monotonicMs,
  type Random,
  type ReplicaId,
  replicaId,
  seededRandom,
  type Slot,
  slot,
} from '../../../src/kernel/index.js';
import {
  type Ballot,
  BALLOT_ZERO,
  compareBallots,
  createPaxos,
  decodeMessage,
  type Effect,
  encodeMessage,
  type Entry,
  formatBallot,
  type HardRecord,
  type Input,
  type Leadership,
  majority,
  maxBallot,
  type Message,
  type Paxos,
  type PaxosOptions,
  type PersistId,
  type Send,
} from '../../../src/paxos/index.js';

/** What may go wrong in a run; every seed draws its own mixture. Probabilities are per event. */
export interface Weather {
  readonly replicas: number;
  readonly drop: number;
  readonly duplicate: number;
  readonly delayMsMax: number;
  readonly longDelay: number;
  readonly crash: number;
  readonly cut: number;
  readonly transfer: number;
  readonly snapshot: number;
  readonly slowDisk: number;
  readonly pause: number;
}

export function drawWeather(random: Random): Weather {
  const sometimes = (most: number): number => (random.chance(0.5) ? random.next() * most : 0);
  return {
    replicas: random.chance(0.85) ? 3 : 5,
    drop: sometimes(0.3),
    duplicate: sometimes(0.3),
    delayMsMax: 1 + random.below(8),
    longDelay: sometimes(0.1),
    crash: sometimes(0.03),
    cut: sometimes(0.03),
    transfer: sometimes(0.02),
    snapshot: sometimes(0.03),
    slowDisk: sometimes(0.3),
    pause: sometimes(0.02),
  };
}

/** A planted bug: changes what goes into or comes out of a core. For showing that the checks can fail. */
export interface Mutant {
  readonly name: string;
  input?(input: Input, world: World, self: ReplicaId): Input | undefined;
  effects?(effects: readonly Effect[], world: World, self: ReplicaId): readonly Effect[];
  /** Changes how the core is set up. */
  options?(options: PaxosOptions): PaxosOptions;
}

interface Node {
  readonly id: ReplicaId;
  /** How fast its clock runs. */
  readonly rate: number;
  core: Paxos | undefined;
  life: number;
  pausedUntil: number;
  disk: HardRecord[];
  snapshotThrough: Slot;
  pending: {
    readonly id: PersistId;
    readonly records: readonly HardRecord[];
    readonly sync: boolean;
    readonly then: readonly Send[];
  }[];
  diskBusy: boolean;
  applied: number;
  /** The highest ballot that it revealed to anyone. */
  revealed: Ballot;
  durable: { promised: Ballot; accepted: Map<Slot, Ballot> };
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class Violation extends Error {
  override readonly name = 'Violation';
}

const BASE: Omit<PaxosOptions, 'self' | 'configuration' | 'priority' | 'seed'> = {
  votes: true,
  electionTimeoutMs: 36,
  heartbeatIntervalMs: 10,
  leaseMs: 36,
  clockDriftRatio: 0.1,
  windowEntriesMax: 8,
  windowBytesMax: 4096,
  queuedEntriesMax: 64,
  queuedBytesMax: 65536,
  chunkBytesMax: 96,
  retainedEntries: 4,
};
const TICK_MS = 6;
export const ELECTION_TIMEOUT_MS = BASE.electionTimeoutMs;

/** A cluster of pure cores with a simulated network, disk and clock, checked after every step. */
export class World {
  readonly random: Random;
  readonly nodes: Node[] = [];
  readonly #weather: Weather;
  readonly #mutant: Mutant | undefined;
  readonly #events: Event[] = [];
  readonly #cut = new Set<string>();
  readonly #throughBytes: boolean;
  #healed = false;
  #quiet = false;
  #order = 0;
  time = 0;
  steps = 0;
  /** What is chosen, by slot, as any replica has ever said. */
  readonly chosen = new Map<number, string>();
  readonly #proposed = new Set<string>();
  readonly #open = new Map<string, { slotWhenAcked: number }>();
  readonly #reads = new Map<string, number>();
  #nextId = 1;
  /** The highest slot whose proposer was told that it is chosen. */
  acknowledged = 0;
  /** Who campaigned and who led, in order: for counting elections. */
  readonly campaigns: { readonly at: number; readonly replica: ReplicaId }[] = [];
  readonly terms: { readonly at: number; readonly replica: ReplicaId; readonly ballot: string }[] = [];
  reached = { elections: 0, snapshots: 0, transfers: 0, reads: 0, restarts: 0 };

  constructor(seed: number, mutant?: Mutant, weather?: Weather) {
    this.random = seededRandom(seed);
    this.#weather = weather ?? drawWeather(this.random);
    this.#mutant = mutant;
    this.#throughBytes = seed % 4 === 0;
    for (let i = 0; i < this.#weather.replicas; i++) {
      const node: Node = {
        id: replicaId(i + 1),
        rate: 0.97 + this.random.next() * 0.06,
        core: undefined,
        life: 0,
        pausedUntil: 0,
        disk: [],
        snapshotThrough: slot(0),
        pending: [],
        diskBusy: false,
        applied: 0,
        revealed: BALLOT_ZERO,
        durable: { promised: BALLOT_ZERO, accepted: new Map() },
      };
      this.nodes.push(node);
    }
    for (const node of this.nodes) this.#boot(node);
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
    this.#checkLiveness();
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

  #until(end: number): void {
    while (this.#events.length > 0 && this.#events[0]!.at <= end) {
      const event = pop(this.#events);
      this.time = event.at;
      event.run();
    }
    this.time = end;
  }

  #at(delay: number, run: () => void): void {
    push(this.#events, { at: this.time + delay, order: this.#order++, run });
  }

  now(node: Node): MonotonicMs {
    return monotonicMs(this.time * node.rate);
  }

  #boot(node: Node): void {
    node.life++;
    const { life } = node;
    const replicas = this.nodes.map(({ id }) => id);
    const options: PaxosOptions = {
      ...BASE,
      self: node.id,
      configuration: { number: 1, replicas, quorums: majority(replicas) },
      priority: replicas.length - node.id,
      seed: this.random.below(2 ** 31),
    };
    const used = this.#mutant?.options?.(options) ?? options;
    node.pending = [];
    node.diskBusy = false;
    node.applied = node.snapshotThrough;
    node.core = createPaxos(
      used,
      { records: node.disk, snapshotThrough: node.snapshotThrough },
      this.now(node),
    );
    const { promised } = node.core.status(this.now(node));
    if (compareBallots(promised, node.revealed) < 0) {
      this.#fail(
        `replica ${node.id} promised ${formatBallot(node.revealed)} and remembers ${formatBallot(promised)} after a restart`,
      );
    }
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
    this.#store(node, unsynced.slice(0, survives));
    node.pending = [];
    this.reached.restarts++;
    this.#at(this.#healed ? 0 : this.random.below(60), () => {
      if (node.core === undefined) this.#boot(node);
    });
  }

  #store(node: Node, records: readonly HardRecord[]): void {
    for (const record of records) {
      node.disk.push(record);
      if (record.kind === 'promised') node.durable.promised = maxBallot(node.durable.promised, record.ballot);
      if (record.kind === 'accepted') {
        node.durable.promised = maxBallot(node.durable.promised, record.ballot);
        record.entries.forEach((_, i) =>
          node.durable.accepted.set(slot(record.firstSlot + i), record.ballot),
        );
      }
    }
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
    for (const effect of this.#mutant?.effects?.(effects, this, node.id) ?? effects)
      this.#perform(node, effect);
    this.#checkLease();
  }

  #perform(node: Node, effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        return this.#send(node, effect);
      case 'persist':
        node.pending.push(effect);
        return this.#spinDisk(node);
      case 'chosen':
        return this.#apply(node, effect.firstSlot, effect.entries, effect.proposals);
      case 'proposalsFailed':
        return;
      case 'readReady':
        for (const id of effect.ids) this.#checkRead(node, id);
        return;
      case 'readsFailed':
        return;
      case 'leadership':
        if (effect.leadership.serving) this.reached.elections++;
        return this.#noteElection(node, effect.leadership);
      case 'snapshotNeeded':
        return this.#sendSnapshot(node, effect.to);
      case 'fatal':
        return this.#fail(effect.reason);
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
      this.#store(
        node,
        done.flatMap(({ records }) => records),
      );
      for (const { id, sync, then } of done) {
        for (const send of then) this.#send(node, send);
        if (sync) this.#step(node, { kind: 'persisted', id });
      }
      this.#spinDisk(node);
    });
  }

  #send(from: Node, { to, message }: Send): void {
    this.#checkDurable(from, message);
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
    const through = from.snapshotThrough;
    this.#at(2, () => {
      const target = this.nodes[to - 1]!;
      if (target.core === undefined || target.pausedUntil > this.time) return;
      if (this.#cut.has(`${from.id}>${to}`) || through <= target.applied) return;
      this.reached.snapshots++;
      target.snapshotThrough = through;
      target.applied = through;
      this.#step(target, { kind: 'snapshotInstalled', through });
    });
  }

  #apply(
    node: Node,
    firstSlot: Slot,
    entries: readonly Entry[],
    proposals: readonly (number | undefined)[],
  ): void {
    if (firstSlot !== node.applied + 1)
      this.#fail(`replica ${node.id} stands at ${node.applied} and is told to apply ${firstSlot}`);
    entries.forEach((entry, i) => {
      const position = firstSlot + i;
      const value = entry.kind === 'noop' ? '' : Buffer.from(entry.payload).toString();
      const known = this.chosen.get(position);
      if (known === undefined) this.chosen.set(position, value);
      else if (known !== value)
        this.#fail(`slot ${position} is "${known}", and replica ${node.id} has "${value}"`);
      if (value !== '' && !this.#proposed.has(value))
        this.#fail(`"${value}" in slot ${position} was never proposed`);
      if (proposals[i] !== undefined) {
        if (!this.#open.has(`${node.id}/${node.life}/${proposals[i]}/${value}`))
          this.#fail(`proposal ${proposals[i]} is not "${value}"`);
        this.acknowledged = Math.max(this.acknowledged, position);
      }
    });
    node.applied = firstSlot + entries.length - 1;
    this.#step(node, { kind: 'applied', through: slot(node.applied) });
  }

  // ---- checks ----

  /** Nothing leaves before the state that it reports is on disk. */
  #checkDurable(node: Node, message: Message): void {
    const { durable } = node;
    const reveals = (ballot: Ballot): void => {
      if (compareBallots(durable.promised, ballot) < 0)
        this.#fail(`replica ${node.id} reveals ${formatBallot(ballot)} before it is durable`);
      node.revealed = maxBallot(node.revealed, ballot);
    };
    if (message.kind === 'promise') reveals(message.ballot);
    if (message.kind === 'heartbeatReply' && message.follows) reveals(message.ballot);
    if (message.kind === 'accepted') {
      reveals(message.ballot);
      for (let position = message.through; position > node.applied; position = slot(position - 1)) {
        const at = durable.accepted.get(position);
        // A later acceptance may have overwritten it in the same sync; an earlier one may not stand for it.
        if (at === undefined || compareBallots(at, message.ballot) < 0) {
          if (!this.chosen.has(position))
            this.#fail(`replica ${node.id} reports slot ${position} accepted before it is durable`);
        }
      }
    }
  }

  /** At one true instant at most one replica may serve reads by itself. */
  #checkLease(): void {
    let holder: Node | undefined;
    for (const node of this.nodes) {
      if (node.core?.leaseHolds(this.now(node)) !== true) continue;
      if (holder !== undefined) this.#fail(`replicas ${holder.id} and ${node.id} hold a lease at once`);
      holder = node;
      if (node.applied < this.acknowledged) {
        this.#fail(
          `replica ${node.id} holds a lease at slot ${node.applied}, and slot ${this.acknowledged} was acknowledged`,
        );
      }
    }
  }

  #checkRead(node: Node, id: number): void {
    const must = this.#reads.get(`${node.id}/${node.life}/${id}`);
    if (must === undefined) return;
    this.reached.reads++;
    if (node.applied < must)
      this.#fail(
        `replica ${node.id} serves a read at ${node.applied} that began after ${must} was acknowledged`,
      );
  }

  #checkLiveness(): void {
    const serving = this.serving();
    if (serving.length !== 1) this.#fail(`after the faults ${serving.length} replicas serve`);
    const top = Math.max(...this.nodes.map(({ applied }) => applied));
    for (const node of this.nodes) {
      if (node.applied < top)
        this.#fail(`after the faults replica ${node.id} stands at ${node.applied}, not at ${top}`);
    }
    if (serving[0] !== replicaId(1))
      this.#fail(`after the faults replica ${serving[0]} leads, which is not the preferred leader`);
  }

  #fail(what: string): never {
    throw new Violation(`${what} (at ${this.time.toFixed(1)} ms)`);
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
      this.#proposed.add(value);
      this.#open.set(`${node.id}/${node.life}/${id}/${value}`, { slotWhenAcked: 0 });
      return { id, payload: Buffer.from(value) };
    });
    this.#step(node, { kind: 'propose', proposals });
  }

  #read(node: Node): void {
    const id = this.#nextId++;
    this.#reads.set(`${node.id}/${node.life}/${id}`, this.acknowledged);
    this.#step(node, { kind: 'read', id });
  }

  #troubles(): void {
    if (this.#healed) return;
    const { crash, cut, transfer, snapshot, pause } = this.#weather;
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
      this.#step(node, { kind: 'snapshotTaken', through: node.snapshotThrough });
      if (this.random.chance(0.5)) this.#rewrite(node);
    }
    this.#at(5, () => this.#troubles());
  }

  /** The shell drops the log before a snapshot and writes again what is still needed. */
  #rewrite(node: Node): void {
    if (node.pending.length > 0 || node.diskBusy) return;
    node.disk = [];
    this.#store(node, node.core!.hardState());
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

// ---- a binary heap by time, then by order of insertion ----

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let i = heap.length;
  heap.push(event);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (before(heap[parent]!, event)) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = event;
}

function pop(heap: Event[]): Event {
  const top = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (before(last, heap[child]!)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}
