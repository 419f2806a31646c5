import type { Socket } from 'node:net';
import { type Broker, createBroker } from '../broker/index.js';
import { countingSuspends, type Log, monotonicMs, type ReplicaId, wallMs } from '../kernel/index.js';
import { DEFAULT_GROUP_SETTINGS } from '../machine/index.js';
import { type QuorumDescription, quorumProblem, quorumSystem } from '../paxos/index.js';
import {
  type Clock,
  createReplica,
  decodeFrame,
  type Entropy,
  type Replica,
  type Transport,
} from '../replica/index.js';
import { openFileStorage } from '../storage/index.js';
import { KAFKA_PORT, PEER_PORT } from './kafka-carrier.js';
import type { BrokerPort } from './kafka-client.js';
import { KeptEvents } from './kept-events.js';
import { isApplying, slowPace } from './slow-pace.js';
import { seededUuid, type Setup } from './setup.js';
import type { Surroundings } from './surroundings.js';
import type { VirtualTime } from './virtual-time.js';

const BOUNDS = {
  clockDriftRatio: 0.05,
  windowEntriesMax: 1024,
  windowBytesMax: 8 * 1024 * 1024,
  queuedEntriesMax: 10_000,
  queuedBytesMax: 64 * 1024 * 1024,
  chunkBytesMax: 16 * 1024,
  retainedEntries: 16,
} as const;

/** So little that a burst of clients reaches it. */
const TIGHT_BOUNDS = { windowEntriesMax: 8, queuedEntriesMax: 16 } as const;
const TIGHT_LIMITS = { forwarded: 20, readsElsewhere: 20, readsHere: 20 } as const;

/** What a right wall clock says when a world begins. Milliseconds. */
export const WALL_STARTS_AT = 1_700_000_000_000;
/** A third of the sessions of a world. Milliseconds. */
const DISCONNECT_GRACE_MS = 400;
/** How long a process that stops in order waits for others to lead. Milliseconds. */
const HAND_OVER_MS = 2_000;
/** What comes from the process itself: its timers, and what its disk has done. */
const OWN = 'own';
/** A wait for the disk that nobody notices. Milliseconds. */
const BLOCKS_BRIEFLY_MS = 5;
/** How many of its last messages are compared with its promises after its next start. */
const SENT_KEPT = 32;

/** The process is dead: whatever it still does has no effect. */
class Dead extends Error {
  override readonly name = 'Dead';
}

/** One life of a replica: from its start to its end. */
export class SimulatedProcess implements BrokerPort {
  readonly id: ReplicaId;
  readonly #around: Surroundings;
  #alive = true;
  #stoppedUntil = 0;
  #runsSince: number;
  /** Since when its machine sleeps. */
  #suspendedAt: number | undefined;
  #suspendedMs = 0;
  readonly #kept = new KeptEvents();
  #effectsLeft = Number.POSITIVE_INFINITY;
  /** The kind of effect from which on effects are counted; undefined: they are. */
  #countsFrom: string | undefined;
  #stop: { effectsLeft: number; readonly ms: number } | undefined;
  #spoke = false;
  readonly #sent: Buffer[] = [];
  #broker: Broker | undefined;
  readonly #onEnd = new Set<() => void>();
  replica: Replica | undefined;
  /** Takes the connections of Kafka clients; undefined while nobody listens. */
  accept: ((socket: Socket) => void) | undefined;
  /** Bytes of log that a restart would read. */
  logBytes: () => number = () => 0;
  /** How far its disk has come; undefined before it has opened it. */
  position: () => number | undefined = () => undefined;

  constructor(id: ReplicaId, around: Surroundings) {
    this.id = id;
    this.#around = around;
    this.#runsSince = around.time.now;
  }

  /** When it was started, or went on after it was stopped for a while. */
  get runsSince(): number {
    return this.#runsSince;
  }
  /** The last frames that left it. */
  get sent(): readonly Buffer[] {
    return this.#sent;
  }
  /** It is not stopped, waits for nothing, and has done all that came to it. */
  get idle(): boolean {
    return this.#around.time.now >= this.#stoppedUntil && this.#kept.empty;
  }
  get alive(): boolean {
    return this.#alive;
  }
  /** As kill -9: nothing it does from now on has an effect. */
  die(): void {
    if (this.#alive && isApplying(this.replica))
      this.#around.trace.reached('died in the middle of a command');
    this.#alive = false;
    this.accept = undefined;
    for (const tell of this.#onEnd) tell();
    this.#onEnd.clear();
  }
  onEnd(tell: () => void): void {
    this.#onEnd.add(tell);
  }
  /** Dies before one of its next effects: a write, a sync, a message. `from`: counted from the next one of this kind on. */
  dieAfter(effects: number, from?: string): void {
    this.#effectsLeft = effects;
    this.#countsFrom = from;
  }
  /** Stops behind one of its next effects. */
  stopAfter(effects: number, ms: number): void {
    this.#stop = { effectsLeft: effects, ms };
  }
  /** As SIGSTOP: its clock runs on, and it does nothing. */
  stopUntil(at: number): void {
    this.#stop = undefined;
    if (at <= this.#around.time.now) this.#wake();
    else if (this.suspended) return;
    this.#stoppedUntil = at;
    this.#runsSince = Math.max(at, this.#around.time.now);
    // Sooner than it was to go on, perhaps.
    if (!this.#kept.empty) this.#goOnLater();
    if (at > this.#around.time.now) this.#around.trace.recorder?.paused(this.id, at);
  }

  /** Rejects when the replica refuses to start. */
  async start(): Promise<void> {
    const { time, random, disk, setup, named: ids } = this.#around;
    const { shards, compactionBytes, segmentBytes, electionTimeoutMs, heartbeatIntervalMs, leaseMs } = setup;
    const effect = (what: string): void => {
      if (!this.mayAct(what)) throw new Dead(`before ${what}`);
      this.#around.beforeEffect(what);
    };
    const clock = this.#clock();
    const entropy: Entropy = {
      uuid: () => seededUuid(random),
      seed: () => random.below(2 ** 31),
    };
    const storage = await openFileStorage({
      directory: '/data',
      segmentBytes,
      zeroAheadBytes: 4_096,
      fileSystem: disk.fileSystem({
        ...{ effect, underWay: this.#around.beforeEffect },
        later: (delayMs, run) => this.#later(delayMs, run),
        blocks: (ms) => this.#blocks(ms),
      }),
      soon: (run) => this.#later(0, run),
      claimDirectory: () => ({ holds: () => true, release: () => undefined }),
      uuid: () => entropy.uuid(),
    });
    if (!this.#alive) return;
    this.position = () => storage.storage.position();
    this.logBytes = () => storage.storage.logBytes();
    this.#around.opened(storage);
    const replica = createReplica({
      self: this.id,
      clusterId: 'simulated-cluster-0000',
      shards,
      replicas: ids.map((peer) => ({
        ...{ id: peer, peer: { host: 'simulated', port: PEER_PORT + peer } },
        kafka: { host: 'simulated', port: KAFKA_PORT + peer },
      })),
      quorums: quorumSystem(quorumsFor(ids, setup), ids),
      http: undefined,
      limits: {
        ...(setup.tight === true ? TIGHT_LIMITS : {}),
        ...(setup.forwardedMs === undefined ? {} : { forwardedMs: setup.forwardedMs }),
      },
      paxos: {
        ...BOUNDS,
        ...(setup.tight === true ? TIGHT_BOUNDS : {}),
        electionTimeoutMs,
        heartbeatIntervalMs,
        leaseMs,
      },
      groupSettings: DEFAULT_GROUP_SETTINGS,
      retentionSweepMs: setup.retentionSweepMs,
      compactionBytes,
      ...{ featureLevel: this.#around.featureLevel, levelRaisesItself: true },
      ...slowPace(setup, entropy, (delayMs, run) => void this.#later(delayMs, run)),
      transport: this.#transport(),
      ...{ storage, clock, entropy },
      log: this.#log(time),
      onFatal: (reason) => {
        if (this.#alive) this.#around.ended(reason);
      },
    });
    this.#around.made(replica);
    await replica.start();
    if (!this.#alive) return;
    this.replica = replica;
    await this.#startBroker(replica, clock);
  }

  async #startBroker(coordinator: Replica, clock: Clock): Promise<void> {
    const address = { host: 'simulated', port: KAFKA_PORT + this.id };
    const log = this.#log(this.#around.time);
    const listen = (accept: (socket: Socket) => void): Promise<typeof address> => {
      this.accept = accept;
      return Promise.resolve(address);
    };
    const listener = { listen, close: () => undefined };
    this.#broker = createBroker({
      ...{ ...address, coordinator, log, clock, listener },
      settings: { disconnectGraceMs: DISCONNECT_GRACE_MS },
    });
    await this.#broker.start();
  }

  /** As SIGTERM: hands over what it leads, answers what waits, and closes its disk. `then` is called if it lives until then. */
  stop(then: () => void): void {
    const { replica } = this;
    const stopped = async (): Promise<void> => {
      await replica?.handOver(HAND_OVER_MS);
      await this.#broker?.stop();
      await replica?.stop(0);
    };
    stopped().then(
      () => {
        if (this.#alive) then();
      },
      (error: unknown) => {
        if (this.#alive) this.#around.ended(`it does not stop: ${String(error)}`);
      },
    );
  }

  #transport(): Transport {
    const { network, listen, sends, hears, named } = this.#around;
    const transport = network.transport(
      this.id,
      named,
      (what) => this.mayAct(what),
      (run, source) => this.inProcess(run, source),
    );
    return {
      ...transport,
      send: (peer, message, urgency) => {
        this.#speaks();
        if (!transport.send(peer, message, urgency)) return false;
        sends?.(message);
        if (urgency === 'normal') this.#remember(message);
        if (urgency === 'bulk') this.#sentBulk(message);
        return true;
      },
      start: (hello, handler) => {
        if (!listen()) return Promise.reject(new Error('EADDRINUSE: address in use'));
        const onMessage: typeof handler.onMessage = (from, bytes) => {
          if (hears?.(from, bytes) !== false) handler.onMessage(from, bytes);
        };
        return transport.start(hello, hears === undefined ? handler : { ...handler, onMessage });
      },
    };
  }

  /** Its shards are as its disk had them. */
  #speaks(): void {
    if (this.#spoke || this.replica === undefined || this.replica.status().shards.length === 0) return;
    this.#spoke = true;
    this.#around.speaks(this.replica);
  }
  #sentBulk(message: Uint8Array): void {
    const frame = decodeFrame(message);
    if (frame.kind === 'snapshotChunk' && frame.offset > 0)
      this.#around.trace.reached('a snapshot came in many chunks');
  }
  #remember(message: Uint8Array): void {
    this.#sent.push(Buffer.from(message));
    if (this.#sent.length > 2 * SENT_KEPT) this.#sent.splice(0, SENT_KEPT);
  }

  /** As the system clock of production is made: of a monotonic clock that stands still while the machine is suspended. */
  #clock(): Clock {
    const { time, drift, wallOffset } = this.#around;
    const wall = (): number => WALL_STARTS_AT + time.now + wallOffset();
    const monotonic = countingSuspends({
      monotonicMs: () => this.#counted(),
      wallMs: wall,
      uptimeMs: () => 10 * Math.floor((time.now * drift) / 10),
    });
    return {
      monotonic: () => monotonicMs(monotonic()),
      wall: () => wallMs(wall()),
      after: (delayMs, callback) => this.#timer(this.#counted() + delayMs, callback),
      endOfTurn: (callback) => void this.#later(0, callback),
    };
  }

  /** What the machine counted while it was not suspended. Milliseconds. */
  #counted(): number {
    const { time, drift } = this.#around;
    return 1_000 + ((this.#suspendedAt ?? time.now) - this.#suspendedMs) * drift;
  }

  /** `due`: by what the machine counts. */
  #timer(due: number, run: () => void): () => void {
    const { drift } = this.#around;
    let takeBack = this.#later((due - this.#counted()) / drift, () => {
      // The machine was suspended meanwhile.
      if (due - this.#counted() > 0.001) takeBack = this.#timer(due, run);
      else run();
    });
    return () => takeBack();
  }

  /** The whole machine sleeps: its clock stands still, and its timers with it. */
  suspend(ms: number): void {
    if (this.suspended) return;
    const { time } = this.#around;
    this.stopUntil(time.now + ms);
    this.#suspendedAt = time.now;
    time.after(ms, () => {
      if (time.now >= this.#stoppedUntil) this.#wake();
    });
  }
  get suspended(): boolean {
    return this.#suspendedAt !== undefined;
  }
  #wake(): void {
    if (this.#suspendedAt !== undefined) this.#suspendedMs += this.#around.time.now - this.#suspendedAt;
    this.#suspendedAt = undefined;
  }

  #log(time: VirtualTime): Log {
    const say = (message: string): void => {
      if (!this.#alive) return;
      this.#around.trace.note(time.now, `${this.id}: ${message}`);
      if (message.endsWith('from a snapshot of a peer'))
        this.#around.trace.reached('a snapshot of a peer was installed');
    };
    return { debug: say, info: say, warn: say, error: say };
  }

  #later(delayMs: number, run: () => void): () => void {
    return this.#around.time.after(delayMs, () => this.inProcess(run));
  }

  /** Runs it now, or as soon as the process goes on; never once it is dead. `source`: what comes from one stays in order. */
  inProcess(run: () => void, source = OWN): void {
    if (!this.#alive) return;
    const { now } = this.#around.time;
    if (now >= this.#stoppedUntil && this.#kept.empty) return this.#act(run);
    if (this.#kept.empty) this.#goOnLater();
    this.#kept.add({ source, run });
  }

  /** Its loop waits for the disk, and hears nothing meanwhile. */
  #blocks(ms: number): void {
    this.#stoppedUntil = Math.max(this.#stoppedUntil, this.#around.time.now + ms);
    if (ms > BLOCKS_BRIEFLY_MS) this.#runsSince = this.#stoppedUntil;
  }

  /** A stop may be made longer meanwhile. */
  #goOnLater(): void {
    const { time } = this.#around;
    time.after(this.#stoppedUntil - time.now, () => {
      if (this.#kept.empty) return;
      if (time.now < this.#stoppedUntil) return this.#goOnLater();
      // One of them may stop it again.
      for (const { source, run } of this.#kept.take(this.#around.random)) this.inProcess(run, source);
    });
  }

  #act(run: () => void): void {
    try {
      run();
    } catch (error) {
      // Nobody would catch it in a real process either: that is its end.
      if (!(error instanceof Dead) && this.#alive) this.#around.ended(String((error as Error).stack));
    }
  }

  mayAct(what: string): boolean {
    if (!this.#alive) return false;
    if (this.#countsFrom === what) this.#countsFrom = undefined;
    if (this.#countsFrom === undefined && this.#effectsLeft-- <= 0) {
      this.#around.trace.reached(`died before a ${what}`);
      this.#around.died();
    }
    if (this.#stop !== undefined && this.#stop.effectsLeft-- <= 0)
      this.stopUntil(this.#around.time.now + this.#stop.ms);
    return this.#alive;
  }
}

/** Who writes another list of replicas into the settings of one cannot keep quorums that name others. */
function quorumsFor(ids: readonly ReplicaId[], { quorums }: Setup): QuorumDescription {
  return quorums === undefined || quorumProblem(quorums, ids) !== undefined ? { kind: 'majority' } : quorums;
}
