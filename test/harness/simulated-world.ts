import {
  monotonicMs,
  type Random,
  replicaId,
  type ReplicaId,
  seededRandom,
  wallMs,
  type WallMs,
} from '../../src/kernel/index.js';
import { DEFAULT_GROUP_SETTINGS, type GroupSettings } from '../../src/machine/index.js';
import { type QuorumDescription, quorumSystem } from '../../src/paxos/index.js';
import { refusal } from '../../src/transport/handshake.js';
import { PROTOCOLS } from '../../src/transport/protocols.js';
import {
  type Clock,
  createReplica,
  type Entropy,
  type Hello,
  type OpenedStorage,
  type PaxosSettings,
  type Replica,
  type Transport,
  type TransportHandler,
} from '../../src/replica/index.js';
import { blankDisk, type MemoryDisk, openMemoryStorage } from '../../src/storage/index.js';
import { logTo } from './lines.js';

export const PAXOS_SETTINGS: PaxosSettings = {
  electionTimeoutMs: 300,
  heartbeatIntervalMs: 60,
  leaseMs: 300,
  clockDriftRatio: 0.05,
  returns: { afterMs: 600, afterMsMax: 600, busyPerSecond: 100 },
  windowEntriesMax: 1024,
  windowBytesMax: 8 * 1024 * 1024,
  queuedEntriesMax: 10_000,
  queuedBytesMax: 64 * 1024 * 1024,
  chunkBytesMax: 256 * 1024,
  retainedEntries: 64,
};

/** What the disk holds now. */
export const copyOf = (disk: MemoryDisk): MemoryDisk => ({
  ...disk,
  synced: [...disk.synced],
  snapshots: new Map(disk.snapshots),
});

/** Virtual time: nothing happens but what was scheduled, in order. */
export class VirtualTime {
  now = 0;
  #events: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  after(delayMs: number, run: () => void): () => void {
    const event = { at: this.now + Math.max(0, delayMs), order: this.#order++, run };
    this.#events.push(event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  }

  /** Runs everything that falls into the next `ms`, letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const due = this.#events.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at || a.order - b.order);
      const [next] = due;
      if (next === undefined) break;
      this.now = next.at;
      // All of one instant at once, so that a turn of the loop holds what a real one would.
      const batch = due.filter(({ at }) => at === next.at);
      this.#events = this.#events.filter((event) => !batch.includes(event));
      for (const { run } of batch) run();
    }
    this.now = end;
  }
}

/** What may wait on a slow link, and the share of it that bulk may take. Bytes. */
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
const BULK_SHARE = 0.5;

/** Links that deliver in order after a delay, can be slow, and can be cut. */
export class SimulatedNetwork {
  readonly #time: VirtualTime;
  readonly #nodes = new Map<
    ReplicaId,
    { hello: () => Hello; handler: TransportHandler; peers: Set<ReplicaId> }
  >();
  /** Why links were refused. */
  readonly refusals: string[] = [];
  readonly #cut = new Set<string>();
  /** Links whose ends are introduced. Nothing is sent on others. */
  readonly #linked = new Set<string>();
  delayMs = 0.2;
  /** How many bytes a millisecond takes to a peer; no limit where it is not set. */
  readonly bytesPerMs = new Map<ReplicaId, number>();
  /** Bytes sent to each peer so far, and those of them that were bulk. */
  readonly bulkBytesTo = new Map<ReplicaId, number>();
  readonly bytesTo = new Map<ReplicaId, number>();
  readonly #freeAt = new Map<string, number>();
  /** What becomes of a Hello on the way, e.g. that of an older version. */
  hello: (hello: Hello) => Hello = (hello) => hello;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** `peers`: as the configuration of `self` has them. */
  connect(self: ReplicaId, configured: ReadonlySet<ReplicaId>): Transport {
    const peers = new Set(configured);
    const reach = (peer: ReplicaId): boolean =>
      this.#linked.has(key(self, peer)) && !this.#cut.has(key(self, peer));
    return {
      start: (hello, handler) => {
        this.#nodes.set(self, { hello, handler, peers });
        for (const peer of this.#nodes.keys()) if (peer !== self) this.#introduce(self, peer);
        return Promise.resolve();
      },
      send: (peer, message, urgency) => {
        if (!reach(peer)) return false;
        const bulk = urgency === 'bulk';
        const waitMs = this.#pass(self, peer, message.length, bulk ? BULK_SHARE : 1);
        if (waitMs === undefined) return false;
        if (bulk) this.bulkBytesTo.set(peer, (this.bulkBytesTo.get(peer) ?? 0) + message.length);
        const bytes = Buffer.from(message);
        const target = this.#nodes.get(peer)!;
        this.#time.after(waitMs + this.delayMs, () => {
          if (reach(peer) && this.#nodes.get(peer) === target) target.handler.onMessage(self, bytes);
        });
        return true;
      },
      helloChanged: () => {
        for (const peer of this.#nodes.keys()) if (peer !== self) this.#introduce(self, peer);
      },
      setPeers: (now) => {
        const ids = new Set(now.map(({ id }) => id));
        for (const id of peers) if (!ids.has(id)) this.#unlink(self, id);
        peers.clear();
        for (const id of ids) {
          peers.add(id);
          if (this.#nodes.has(id) && !this.#linked.has(key(self, id))) this.#introduce(self, id);
        }
      },
      close: () => {
        this.#drop(self);
        return Promise.resolve();
      },
    };
  }

  /** How long a message waits behind what was sent before; undefined when there is no room for it. */
  #pass(self: ReplicaId, peer: ReplicaId, length: number, share: number): number | undefined {
    const rate = this.bytesPerMs.get(peer) ?? Infinity;
    const { now } = this.#time;
    const freeAt = Math.max(now, this.#freeAt.get(key(self, peer)) ?? now);
    if (rate < Infinity && (freeAt - now) * rate + length > QUEUE_BYTES_MAX * share) return undefined;
    const doneAt = freeAt + length / rate;
    this.#freeAt.set(key(self, peer), doneAt);
    this.bytesTo.set(peer, (this.bytesTo.get(peer) ?? 0) + length);
    return doneAt - now;
  }

  #introduce(a: ReplicaId, b: ReplicaId): void {
    this.#time.after(this.delayMs, () => {
      const [first, second] = [this.#nodes.get(a), this.#nodes.get(b)];
      if (first === undefined || second === undefined || this.#cut.has(key(a, b))) return;
      const [called, caller] = a < b ? [first, second] : [second, first];
      const [to, from] = [this.hello(called.hello()), this.hello(caller.hello())];
      const reason =
        refusal(to, introduction(from, to.replicaId), {
          called: undefined,
          peers: called.peers,
          refuses: (hello) => called.handler.refuses(hello),
        }) ??
        refusal(from, introduction(to, from.replicaId), {
          called: to.replicaId,
          peers: caller.peers,
          refuses: (hello) => caller.handler.refuses(hello),
        });
      if (reason !== undefined) {
        this.refusals.push(reason);
        called.handler.onRefused(from);
        return caller.handler.onRefused(to);
      }
      this.#linked.add(key(a, b)).add(key(b, a));
      caller.handler.onUp(to.replicaId, to);
      called.handler.onUp(from.replicaId, from);
    });
  }

  #unlink(a: ReplicaId, b: ReplicaId): void {
    if (!this.#linked.delete(key(a, b))) return;
    this.#linked.delete(key(b, a));
    this.#nodes.get(a)?.handler.onDown(b, 'it is no peer any more');
    this.#nodes.get(b)?.handler.onDown(a, 'it is no peer any more');
  }

  #drop(self: ReplicaId): void {
    this.#nodes.delete(self);
    for (const peer of this.#nodes.keys()) {
      this.#linked.delete(key(self, peer));
      this.#linked.delete(key(peer, self));
    }
    for (const [, { handler }] of this.#nodes) handler.onDown(self, 'it is gone');
  }

  /** A frame of any content, as if `from` had sent it. */
  inject(from: ReplicaId, to: ReplicaId, frame: Uint8Array): void {
    this.#nodes.get(to)!.handler.onMessage(from, frame);
  }
  /** A replica that dies says nothing. */
  kill(self: ReplicaId): void {
    this.#drop(self);
  }
  cut(a: ReplicaId, b: ReplicaId): void {
    this.#cut.add(key(a, b)).add(key(b, a));
    this.#nodes.get(a)?.handler.onDown(b, 'cut');
    this.#nodes.get(b)?.handler.onDown(a, 'cut');
  }
  heal(): void {
    this.#cut.clear();
    const ids = [...this.#nodes.keys()];
    for (const a of ids) for (const b of ids) if (a < b) this.#introduce(a, b);
  }
}

const introduction = (hello: Hello, target: ReplicaId) => ({
  protocols: PROTOCOLS,
  self: hello.replicaId,
  target,
  hello,
});
const key = (a: ReplicaId, b: ReplicaId): string => `${a}-${b}`;

export interface SimulatedClusterOptions {
  readonly replicas?: number;
  readonly shards?: number;
  readonly seed?: number;
  readonly compactionBytes?: number;
  readonly groupSettings?: Partial<GroupSettings>;
  readonly retentionSweepMs?: number;
  /** Majorities by default. */
  readonly quorums?: QuorumDescription;
}

/** What one replica has otherwise than the others. */
interface OwnConfiguration {
  readonly quorums?: QuorumDescription;
  readonly ids?: readonly ReplicaId[];
  readonly paxos?: Partial<PaxosSettings>;
  /** Plays a version that knows no more; the present one by default. */
  readonly featureLevel?: number;
  /** True by default: the tests of other things need what is new. */
  readonly levelRaisesItself?: boolean;
  /** Instead of its disk in memory. */
  readonly storage?: OpenedStorage;
}

/** A cluster of real replica shells over simulated clock, chance, disk and network. */
export class SimulatedCluster {
  readonly time = new VirtualTime();
  readonly network = new SimulatedNetwork(this.time);
  readonly random: Random;
  readonly ids: readonly ReplicaId[];
  readonly disks = new Map<ReplicaId, MemoryDisk>();
  readonly replicas = new Map<ReplicaId, Replica>();
  readonly fatal: string[] = [];
  readonly logs: string[] = [];
  /** How far the wall clock of a replica is ahead of the true time. Milliseconds. */
  readonly wallAhead = new Map<ReplicaId, number>();
  readonly #options: SimulatedClusterOptions;
  readonly #lives = new Map<ReplicaId, number>();

  constructor(options: SimulatedClusterOptions = {}) {
    this.#options = options;
    this.random = seededRandom(options.seed ?? 1);
    this.ids = Array.from({ length: options.replicas ?? 3 }, (_, i) => replicaId(i + 1));
    for (const id of this.ids) this.disks.set(id, blankDisk());
  }

  wall(): WallMs {
    return wallMs(1_700_000_000_000 + this.time.now);
  }

  async startAll(): Promise<void> {
    for (const id of this.ids) await this.start(id);
    await this.time.advance(2_000);
  }

  /** Starts a replica, with a configuration of its own if one is given. Its promise is rejected when it refuses to start. */
  async start(id: ReplicaId, own: OwnConfiguration = {}): Promise<Replica> {
    const ids = own.ids ?? this.ids;
    const life = (this.#lives.get(id) ?? 0) + 1;
    this.#lives.set(id, life);
    const alive = (): boolean => this.#lives.get(id) === life;
    const whileAlive = (run: () => void) => () => {
      if (alive()) run();
    };
    const clock: Clock = {
      monotonic: () => monotonicMs(this.time.now),
      wall: () => wallMs(this.wall() + (this.wallAhead.get(id) ?? 0)),
      after: (delayMs, callback) => this.time.after(delayMs, whileAlive(callback)),
      endOfTurn: (callback) => void this.time.after(0, whileAlive(callback)),
    };
    let uuids = 0;
    const entropy: Entropy = {
      uuid: () => `${id}-${life}-${uuids++}`,
      seed: () => this.random.below(2 ** 31),
    };
    const storage =
      own.storage ??
      (await openMemoryStorage({
        disk: this.disks.get(id)!,
        later: (sync) => void this.time.after(0.2 + this.random.next(), whileAlive(sync)),
      }));
    const replica = createReplica({
      self: id,
      clusterId: 'simulated-cluster-0000',
      shards: this.#options.shards ?? 2,
      replicas: ids.map((peer) => ({
        id: peer,
        peer: { host: 'simulated', port: 7000 + peer },
        kafka: { host: 'simulated', port: 9000 + peer },
      })),
      quorums: quorumSystem(own.quorums ?? this.#options.quorums ?? { kind: 'majority' }, ids),
      http: undefined,
      paxos: { ...PAXOS_SETTINGS, ...own.paxos },
      groupSettings: { ...DEFAULT_GROUP_SETTINGS, ...this.#options.groupSettings },
      retentionSweepMs: this.#options.retentionSweepMs ?? 600_000,
      compactionBytes: this.#options.compactionBytes ?? 1 << 30,
      storage,
      ...{ featureLevel: own.featureLevel, levelRaisesItself: own.levelRaisesItself ?? true },
      transport: this.network.connect(id, new Set(ids.filter((peer) => peer !== id))),
      clock,
      entropy,
      log: logTo((_level, message) => this.logs.push(`${id}: ${message}`)),
      onFatal: (reason) => this.fatal.push(`${id}: ${reason}`),
    });
    this.replicas.set(id, replica);
    await replica.start();
    return replica;
  }

  /** As kill -9: what was not synced is gone, nothing is said. */
  kill(id: ReplicaId): void {
    this.#lives.set(id, (this.#lives.get(id) ?? 0) + 1);
    this.replicas.delete(id);
    this.network.kill(id);
  }

  get any(): Replica {
    return [...this.replicas.values()][0]!;
  }
}
