import {
  crc32c,
  type GroupId,
  MalformedBytesError,
  type MemberId,
  type MonotonicMs,
  type ReplicaId,
  type ShardId,
  shardId,
  type Slot,
} from '../kernel/index.js';
import {
  type Command,
  createMachine,
  type GroupSettings,
  type MachineView,
  type News,
  type Reply,
  type ReplyTo,
} from '../machine/index.js';
import type { Leadership, PaxosOptions, PaxosStatus, QuorumSystem } from '../paxos/index.js';
import type { BrokerAddress, Coordinator, LeadershipChange, Outcome, ReadOutcome } from './coordinator.js';
import { type Standing, standing } from './formation.js';
import { Forwarding, type ForwardableCommand } from './forwarding.js';
import { decodeFrame, encodeFrame } from './frames.js';
import { NoticePump } from './notice-pump.js';
import { Outbox } from './outbox.js';
import type { Clock, DiskIdentity, Entropy, Hello, LogRecord, OpenedStorage, Transport } from './ports.js';
import { ShardHost, type ShardSurroundings } from './shard-host.js';
import { Compaction, SnapshotReceiver, SnapshotSender } from './snapshots.js';

export interface ReplicaAddress {
  readonly id: ReplicaId;
  /** Where clients reach it. */
  readonly kafka: { readonly host: string; readonly port: number };
}

export interface ReplicaLog {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** Times and bounds of the Paxos cores; see PaxosOptions for each. */
export type PaxosSettings = Omit<PaxosOptions, 'self' | 'configuration' | 'priority' | 'votes' | 'seed'>;

export interface ReplicaOptions {
  readonly self: ReplicaId;
  /** 22 characters of base64url, the same on every replica. */
  readonly clusterId: string;
  readonly shards: number;
  /** All replicas of the cluster, this one included. */
  readonly replicas: readonly ReplicaAddress[];
  readonly quorums: QuorumSystem;
  readonly http: { readonly host: string; readonly port: number } | undefined;
  readonly paxos: PaxosSettings;
  readonly groupSettings: GroupSettings;
  /** Offsets and groups past their retention are looked for this often. Milliseconds. */
  readonly retentionSweepMs: number;
  /** The log may grow by this much before snapshots are taken and its older part dropped. Bytes. */
  readonly compactionBytes: number;
  readonly storage: OpenedStorage;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: ReplicaLog;
  /** The replica can no longer be trusted (disk error, divergence, broken invariant): end the process. Called once. */
  readonly onFatal: (reason: string) => void;
}

export interface ReplicaStatus {
  readonly self: ReplicaId;
  readonly clusterId: string;
  readonly standing: Standing['kind'];
  readonly missing: readonly ReplicaId[];
  readonly peers: readonly { readonly id: ReplicaId; readonly up: boolean }[];
  readonly logBytes: number;
  readonly shards: readonly (PaxosStatus & {
    readonly shard: ShardId;
    readonly hash: number;
    readonly groups: number;
    readonly members: number;
    readonly offsets: number;
  })[];
}

/** One replica of a cluster: the shell around the pure core. */
export interface Replica extends Coordinator {
  start(): Promise<void>;
  /** Asks others to lead what is led here, and waits until they do or `withinMs` is over. It goes on as a follower. */
  handOver(withinMs: number): Promise<void>;
  /** Hands leadership over (for at most `handOverMs`), then closes links and disk. */
  stop(handOverMs?: number): Promise<void>;
  status(): ReplicaStatus;
}

/** The data directory belongs to another replica, cluster or shard count. */
export class ForeignDiskError extends Error {
  override readonly name = 'ForeignDiskError';
}

export function createReplica(options: ReplicaOptions): Replica {
  return new LocalReplica(options);
}

const AUDIT_EVERY_MS = 1_000;

class LocalReplica implements Replica {
  readonly clusterId: string;
  readonly self: ReplicaId;
  readonly shards: number;
  readonly groupSettings: GroupSettings;
  readonly #options: ReplicaOptions;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  readonly #forwarding: Forwarding;
  readonly #notices: NoticePump;
  readonly #snapshotSender: SnapshotSender;
  readonly #snapshotReceiver = new SnapshotReceiver();
  readonly #compaction: Compaction;
  readonly #up = new Map<ReplicaId, Hello>();
  readonly #met = new Map<ReplicaId, Hello>();
  readonly #newsListeners = new Set<(shard: ShardId, news: readonly News[], serving: boolean) => void>();
  readonly #leadershipListeners = new Set<(shard: ShardId, change: LeadershipChange) => void>();
  /** Stands in for the machines until the cluster has formed. */
  readonly #blank: MachineView;
  #identity: DiskIdentity | undefined;
  #standing: Standing = { kind: 'forming', missing: [] };
  #hosts: readonly ShardHost[] = [];
  #recovered: { records: LogRecord[][]; snapshots: (Buffer | undefined)[] } | undefined;
  readonly #dirty = new Set<ShardHost>();
  #turnScheduled = false;
  #stopTicking: (() => void) | undefined;
  #lastAuditAt = 0;
  #lastSweepAt = 0;
  #state: 'new' | 'running' | 'stopping' | 'dead' = 'new';

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.clusterId = options.clusterId;
    this.self = options.self;
    this.shards = options.shards;
    this.groupSettings = options.groupSettings;
    const { storage } = options.storage;
    this.#outbox = new Outbox(options.transport);
    this.#snapshotSender = new SnapshotSender(storage, options.transport, options.clock);
    this.#compaction = new Compaction(storage, options.compactionBytes);
    this.#blank = createMachine({ shard: shardId(0), shards: options.shards });
    this.#forwarding = new Forwarding({
      now: () => this.#clock.monotonic(),
      leaderOf: (shard) => this.leaderOf(shard),
      serves: (shard) => this.serves(shard),
      submit: (shard, command, done) => this.submit(shard, command, done),
      send: (to, frame) => this.#up.has(to) && options.transport.send(to, frame, 'normal'),
    });
    this.#notices = new NoticePump(this);
  }

  // ---- life ----

  async start(): Promise<void> {
    const { storage, transport } = this.#options;
    this.#identity = await this.#claimDisk();
    storage.storage.onFailure((error) => this.#fatal(`the disk failed: ${error.message}`));
    this.#recovered = await this.#recover();
    this.#state = 'running';
    this.#reconsiderStanding();
    await transport.start(() => this.#hello(), {
      onUp: (peer, hello) => this.#guard(() => this.#peerUp(peer, hello)),
      onDown: (peer, reason) => this.#guard(() => this.#peerDown(peer, reason)),
      onMessage: (peer, bytes) => this.#guard(() => this.#receive(peer, bytes)),
    });
    this.#lastSweepAt = this.#clock.monotonic();
    this.#scheduleTick();
  }

  async stop(handOverMs = 2_000): Promise<void> {
    if (this.#state === 'stopping' || this.#state === 'new') return;
    const wasRunning = this.#state === 'running';
    if (wasRunning) await this.handOver(handOverMs);
    this.#state = 'stopping';
    this.#stopTicking?.();
    await this.#options.transport.close();
    if (wasRunning) await this.#options.storage.storage.close();
  }

  /** Asks a peer to lead each shard that is led here, and waits until all of them have another leader or time is up. */
  async handOver(withinMs: number): Promise<void> {
    const until = this.#clock.monotonic() + withinMs;
    const led = this.#hosts.filter((host) => host.leadership.role === 'leader');
    for (const host of led) {
      const heirs = host.status().peers.filter(({ id }) => this.#up.has(id));
      const heir = heirs.sort((a, b) => b.matched - a.matched)[0];
      if (heir !== undefined) this.#guard(() => host.step({ kind: 'transfer', to: heir.id }));
    }
    const pending = (): boolean =>
      led.some(({ leadership: { leader } }) => leader === undefined || leader === this.self);
    while (this.#up.size > 0 && pending() && this.#clock.monotonic() < until) {
      await new Promise<void>((resume) => this.#clock.after(5, resume));
    }
  }

  async #claimDisk(): Promise<DiskIdentity> {
    const { storage, self, clusterId, shards, entropy, log } = this.#options;
    const found = storage.identity;
    if (found === undefined) {
      const identity = { clusterId, replicaId: self, shards, incarnation: entropy.uuid(), formedWith: {} };
      await storage.storage.saveIdentity(identity);
      return identity;
    }
    const problems = [
      found.clusterId === clusterId
        ? ''
        : `cluster ${found.clusterId}, and the configuration says ${clusterId}`,
      found.replicaId === self ? '' : `replica ${found.replicaId}, and the configuration says ${self}`,
      found.shards === shards
        ? ''
        : `a cluster of ${found.shards} shards, and the configuration says ${shards} (it is fixed when a cluster is first started)`,
    ].filter((problem) => problem !== '');
    if (problems.length > 0) {
      throw new ForeignDiskError(
        `this data directory belongs to ${problems.join('; to ')}. Correct the configuration or give another directory.`,
      );
    }
    if (
      storage.condition.kind === 'rotten' ||
      (storage.condition.kind === 'blank' && found.formedWith[self] !== undefined)
    ) {
      // What this disk promised is lost. It is from now on another disk, and the peers know it by the incarnation.
      log.error('acknowledged records are lost: this replica will follow, but must not vote', {
        condition: storage.condition,
      });
      const renamed = { ...found, incarnation: entropy.uuid() };
      await storage.storage.saveIdentity(renamed);
      return renamed;
    }
    return found;
  }

  async #recover(): Promise<{ records: LogRecord[][]; snapshots: (Buffer | undefined)[] }> {
    const { storage, shards, log } = this.#options;
    const records = Array.from({ length: shards }, (): LogRecord[] => []);
    const snapshots = new Array<Buffer | undefined>(shards).fill(undefined);
    for (const record of storage.records) records[record.shard]?.push(record);
    for (let shard = 0; shard < shards; shard++) {
      const snapshot = await storage.storage.readSnapshot(shardId(shard));
      if (snapshot === undefined) continue;
      const chunks: Uint8Array[] = [];
      for await (const chunk of snapshot.chunks) chunks.push(Buffer.from(chunk));
      snapshots[shard] = Buffer.concat(chunks);
    }
    const { condition } = storage;
    if (condition.kind === 'intact' && condition.droppedBytes > 0) {
      log.info(
        `dropped ${condition.droppedBytes} bytes at the end of the log that a crash cut off before they were acknowledged`,
      );
    }
    return { records, snapshots };
  }

  #reconsiderStanding(): void {
    if (this.#hosts.length > 0 || this.#identity === undefined) return;
    const { log, replicas } = this.#options;
    const now = standing(
      this.self,
      this.#identity,
      replicas.map(({ id }) => id),
      this.#met,
    );
    this.#standing = now;
    switch (now.kind) {
      case 'forming':
        log.info(`a new cluster: waiting to meet replica ${now.missing.join(', ')}`);
        return;
      case 'learner':
        log.error(
          `replica ${now.witness} knows this replica with another disk (${now.expected}): it follows the others and does not vote. ` +
            'Bring the old data directory back, or readmit the replica under a new id.',
        );
        return this.#openShards(false);
      case 'voter':
        return this.#becomeVoter(now.formedWith);
    }
  }

  #becomeVoter(formedWith: Readonly<Record<string, string>>): void {
    const identity = this.#identity!;
    if (identity.formedWith === formedWith) return this.#openShards(true);
    this.#identity = { ...identity, formedWith };
    // The peers' disks are remembered before this replica promises anything.
    this.#options.storage.storage.saveIdentity(this.#identity).then(
      () =>
        this.#guard(() => {
          this.#options.transport.helloChanged();
          if (this.#hosts.length === 0) this.#openShards(true);
        }),
      (error: unknown) => this.#fatal(`the identity file could not be written: ${String(error)}`),
    );
  }

  #openShards(votes: boolean): void {
    const { paxos, replicas, quorums, entropy, storage } = this.#options;
    const recovered = this.#recovered!;
    this.#recovered = undefined;
    const ids = replicas.map(({ id }) => id);
    const around: ShardSurroundings = {
      clock: this.#clock,
      storage: storage.storage,
      send: (shard, send) => {
        this.#outbox.add(shard, send);
        this.#scheduleTurn();
      },
      touchTurn: (host) => {
        this.#dirty.add(host);
        this.#scheduleTurn();
      },
      applied: (host, news) => this.#applied(host, news),
      leadershipChanged: (host, before, after) => this.#leadershipChanged(host, before, after),
      snapshotNeeded: (host, to) => this.#sendSnapshot(host, to),
      audit: (host, at, hash) => this.#tellHash(host.shard, at, hash),
      fatal: (reason) => this.#fatal(reason),
    };
    this.#hosts = Array.from({ length: this.shards }, (_, index) => {
      const shard = shardId(index);
      return new ShardHost(
        {
          shard,
          shards: this.shards,
          paxos: {
            ...paxos,
            self: this.self,
            configuration: { number: 1, replicas: ids, quorums },
            priority: homePriority(ids, this.self, shard),
            votes,
            seed: entropy.seed(),
          },
          records: recovered.records[index]!,
          snapshot: recovered.snapshots[index],
        },
        around,
      );
    });
    for (const host of this.#hosts) host.tick();
  }

  // ---- turns ----

  #scheduleTick(): void {
    const everyMs = Math.max(5, Math.floor(this.#options.paxos.heartbeatIntervalMs / 2));
    this.#stopTicking = this.#clock.after(everyMs, () => {
      if (this.#state !== 'running') return;
      this.#guard(() => this.#tick());
      this.#scheduleTick();
    });
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    for (const host of this.#hosts) host.tick();
    this.#forwarding.tick();
    if (now - this.#lastAuditAt >= AUDIT_EVERY_MS) {
      this.#lastAuditAt = now;
      for (const host of this.#hosts) host.auditResting();
      this.#notices.pump();
      this.#compaction.maybeRun(this.#hosts);
    }
    if (now - this.#lastSweepAt >= this.#options.retentionSweepMs) {
      this.#lastSweepAt = now;
      this.#sweepRetention();
    }
  }

  #sweepRetention(): void {
    const { offsetsRetentionMs } = this.groupSettings;
    for (const host of this.#hosts) {
      if (!host.leadership.serving || host.machine.groups.groupCount === 0) continue;
      host.submit({ kind: 'group.expireOffsets', offsetsRetentionMs }, () => undefined);
    }
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    this.#clock.endOfTurn(() => {
      this.#turnScheduled = false;
      this.#guard(() => {
        for (const host of this.#dirty) host.endTurn();
        this.#dirty.clear();
        this.#outbox.flush();
      });
    });
  }

  /** Whatever throws in here is a defect of ours: the replica stops instead of going on with a state it cannot trust. */
  #guard(action: () => void): void {
    if (this.#state === 'dead') return;
    try {
      action();
    } catch (error) {
      this.#fatal(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  #fatal(reason: string): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#stopTicking?.();
    this.#options.log.error(`stopping: ${reason}`);
    this.#options.onFatal(reason);
  }

  // ---- peers ----

  #hello(): Hello {
    const identity = this.#identity!;
    const own = this.#options.replicas.find(({ id }) => id === this.self)!;
    const { clusterId, replicaId, shards, incarnation, formedWith } = identity;
    return {
      clusterId,
      replicaId,
      shards,
      incarnation,
      formedWith,
      kafka: own.kafka,
      http: this.#options.http,
    };
  }

  #peerUp(peer: ReplicaId, hello: Hello): void {
    this.#up.set(peer, hello);
    this.#met.set(peer, hello);
    this.#reconsiderStanding();
    this.#forwarding.retry();
  }

  #peerDown(peer: ReplicaId, reason: string): void {
    if (this.#up.delete(peer) && this.#state === 'running')
      this.#options.log.warn(`lost replica ${peer}: ${reason}`);
    this.#forwarding.peerDown(peer);
    this.#snapshotReceiver.peerDown(peer);
  }

  #receive(from: ReplicaId, bytes: Uint8Array): void {
    try {
      this.#dispatch(from, bytes);
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error;
      this.#options.log.warn(
        `a message of replica ${from} cannot be read (another version?): ${error.message}`,
      );
    }
  }

  #dispatch(from: ReplicaId, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    switch (frame.kind) {
      case 'paxos':
        for (const { shard, message } of frame.messages) this.#hosts[shard]?.receive(from, message);
        return;
      case 'forward':
        return this.#forwarding.asked(from, frame);
      case 'forwarded':
        return this.#forwarding.answered(frame);
      case 'snapshot': {
        const whole = this.#snapshotReceiver.receive(from, frame);
        if (whole !== undefined) this.#installSnapshot(frame.shard, frame.through, whole);
        return;
      }
      case 'audit':
        return this.#hosts[frame.shard]?.hashHeard(from, frame.slot, frame.hash);
    }
  }

  #sendSnapshot(host: ShardHost, to: ReplicaId): void {
    this.#snapshotSender
      .send(host.shard, to, () => this.#up.has(to))
      .catch((error: unknown) => {
        this.#fatal(`the snapshot of shard ${host.shard} cannot be read: ${String(error)}`);
      });
  }

  #installSnapshot(shard: ShardId, through: Slot, bytes: Buffer): void {
    const host = this.#hosts[shard];
    if (host === undefined || through <= host.machine.appliedThrough) return;
    this.#options.storage.storage.writeSnapshot(shard, through, [bytes], () =>
      this.#guard(() => host.install(bytes)),
    );
  }

  #tellHash(shard: ShardId, at: Slot, hash: number): void {
    const frame = encodeFrame({ kind: 'audit', shard, slot: at, hash });
    for (const peer of this.#up.keys()) this.#options.transport.send(peer, frame, 'droppable');
  }

  // ---- what happened ----

  #applied(host: ShardHost, news: readonly News[]): void {
    const { serving } = host.leadership;
    for (const listener of this.#newsListeners) listener(host.shard, news, serving);
    if (serving && host.shard === 0 && news.some(({ kind }) => kind === 'topic-deleted'))
      this.#notices.pump();
  }

  #leadershipChanged(host: ShardHost, before: Leadership, after: Leadership): void {
    if (before.leader === after.leader && before.serving === after.serving) return;
    for (const listener of this.#leadershipListeners)
      listener(host.shard, { leader: after.leader, serving: after.serving });
    this.#forwarding.retry();
  }

  // ---- Coordinator ----

  brokers(): readonly BrokerAddress[] {
    return this.#options.replicas.map(({ id, kafka }) => {
      const heard = this.#up.get(id);
      const { host, port } = heard?.kafka ?? kafka;
      return { id, host, port, up: id === this.self || heard !== undefined };
    });
  }

  shardOf(group: GroupId): ShardId {
    return shardId(crc32c(Buffer.from(group)) % this.shards);
  }
  leaderOf(shard: ShardId): ReplicaId | undefined {
    return this.#hosts[shard]?.leadership.leader;
  }
  serves(shard: ShardId): boolean {
    return this.#state === 'running' && this.#hosts[shard]?.leadership.serving === true;
  }
  leaseHolds(shard: ShardId): boolean {
    return this.#state === 'running' && this.#hosts[shard]?.leaseHolds() === true;
  }
  now(): MonotonicMs {
    return this.#clock.monotonic();
  }

  submit<C extends Command>(shard: ShardId, command: C, done: (outcome: Outcome<ReplyTo<C>>) => void): void {
    const host = this.#hosts[shard];
    if (host === undefined || this.#state !== 'running')
      return done({ kind: 'not-leader', leader: undefined });
    // The machine answers a command with the reply of its kind (Machine.apply), which a map by id cannot say.
    host.submit(command, done as (outcome: Outcome<Reply>) => void);
  }

  submitAnywhere<C extends ForwardableCommand>(
    shard: ShardId,
    command: C,
    done: (outcome: Outcome<ReplyTo<C>>) => void,
  ): void {
    this.#forwarding.submit(shard, command, done);
  }

  read(shard: ShardId, done: (outcome: ReadOutcome) => void): void {
    const host = this.#hosts[shard];
    if (host === undefined || this.#state !== 'running')
      return done({ kind: 'not-leader', leader: undefined });
    host.read(done);
  }

  peek(shard: ShardId): MachineView {
    return this.#hosts[shard]?.machine ?? this.#blank;
  }
  heard(group: GroupId, member: MemberId): boolean {
    return this.#hosts[this.shardOf(group)]?.heard(group, member) ?? false;
  }
  touch(group: GroupId, member: MemberId): void {
    this.#hosts[this.shardOf(group)]?.touch(group, member);
  }
  uuid(): string {
    return this.#options.entropy.uuid();
  }

  onNews(listener: (shard: ShardId, news: readonly News[], serving: boolean) => void): () => void {
    this.#newsListeners.add(listener);
    return () => this.#newsListeners.delete(listener);
  }
  onLeadership(listener: (shard: ShardId, change: LeadershipChange) => void): () => void {
    this.#leadershipListeners.add(listener);
    return () => this.#leadershipListeners.delete(listener);
  }

  status(): ReplicaStatus {
    return {
      self: this.self,
      clusterId: this.clusterId,
      standing: this.#standing.kind,
      missing: this.#standing.kind === 'forming' ? this.#standing.missing : [],
      peers: this.#options.replicas
        .filter(({ id }) => id !== this.self)
        .map(({ id }) => ({ id, up: this.#up.has(id) })),
      logBytes: this.#options.storage.storage.logBytes(),
      shards: this.#hosts.map((host) => ({
        ...host.status(),
        shard: host.shard,
        hash: host.machine.hash,
        groups: host.machine.groups.groupCount,
        members: host.machine.groups.memberCount,
        offsets: host.machine.groups.offsetCount,
      })),
    };
  }
}

/** Shard s is at home on replica s mod n, and next on the one after it: leaders spread, and go home after a failure. */
export function homePriority(replicas: readonly ReplicaId[], self: ReplicaId, shard: ShardId): number {
  const index = replicas.indexOf(self);
  const distance = (((index - shard) % replicas.length) + replicas.length) % replicas.length;
  return replicas.length - distance;
}
