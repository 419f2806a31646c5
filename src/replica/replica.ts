import {
  errorText,
  type ReplicaId,
  shardId,
  type Slot,
  unwatched,
  type Work,
  type WorkKind,
} from '../kernel/index.js';
import { levelOf, type News } from '../machine/index.js';
import type { Leadership } from '../paxos/index.js';
import { Compaction } from './compaction.js';
import { ReplicaDoor } from './door.js';
import { preferredLeaderPriority, type Standing, standing } from './formation.js';
import { handOver } from './hand-over.js';
import { DiskWatch } from './disk-watch.js';
import { Forwarding, type ForwardingPort } from './forwarding.js';
import { decodeFrame, encodeFrame, type PeerFrame } from './frames.js';
import { guardedStorage } from './guarded-storage.js';
import { NoticePump } from './notice-pump.js';
import type { Replica, ReplicaOptions, ReplicaStatus } from './options.js';
import { OwnDisk } from './own-disk.js';
import { PeerClocks } from './peer-clocks.js';
import type { Clock, Hello, Storage } from './ports.js';
import { Pace } from './pace.js';
import { recover, type Recovered } from './recovery.js';
import { RetentionSweep } from './retention-sweep.js';
import { ShardHost, type ShardSurroundings } from './shard-host.js';
import { shardStatus } from './status.js';
import { TurnEnd } from './turn-end.js';
import { VoteWatch } from './votes.js';
import { softly } from './softly.js';
import { startShard } from './shard-start.js';
import { type ReadPort, RemoteReads } from './remote-reads.js';
import { SnapshotInstaller } from './snapshot-installer.js';
import { SnapshotReceiver, SnapshotSource } from './snapshot-transfer.js';

export function createReplica(options: ReplicaOptions): Replica {
  return new LocalReplica(options);
}

const AUDIT_EVERY_MS = 1_000;

class LocalReplica extends ReplicaDoor implements Replica {
  readonly #options: ReplicaOptions;
  readonly #clock: Clock;
  readonly #work: Work;
  readonly #storage: Storage;
  readonly #turnEnd: TurnEnd;
  protected readonly forwarding: Forwarding;
  protected readonly remoteReads: RemoteReads;
  readonly #notices: NoticePump;
  readonly #retention: RetentionSweep;
  readonly #snapshotSource: SnapshotSource;
  readonly #snapshotReceiver: SnapshotReceiver;
  readonly #snapshotInstaller: SnapshotInstaller;
  readonly #compaction: Compaction;
  readonly #disk: OwnDisk;
  readonly #diskWatch: DiskWatch;
  readonly #pace: Pace;
  readonly #clocks: PeerClocks;
  readonly #votes: VoteWatch;
  #standing: Standing = { kind: 'forming', missing: [] };
  #recovered: Recovered | undefined;
  #stopTicking: (() => void) | undefined;
  #lastAuditAt = 0;
  #lastSweepAt = 0;
  #state: 'new' | 'running' | 'stopping' | 'dead' = 'new';

  protected get running(): boolean {
    return this.#state === 'running';
  }

  constructor(options: ReplicaOptions) {
    super(options);
    this.#diskWatch = new DiskWatch(options.log, options.clock.monotonic());
    const guarded = guardedStorage(options.storage, (action) => this.#guard(action));
    this.#storage = this.measuring.over(this.#diskWatch.over(guarded));
    this.#options = { ...options, storage: { ...options.storage, storage: this.#storage } };
    this.#clock = options.clock;
    this.#work = options.work ?? unwatched;
    this.#turnEnd = new TurnEnd(options.clock, options.transport, (action) => this.#guard(action));
    this.#pace = new Pace(options.paxos.heartbeatIntervalMs, options.clock.monotonic());
    const { transport, clock, compactionBytes } = options;
    this.#snapshotInstaller = new SnapshotInstaller({
      ...{ storage: this.#storage, clock, log: options.log, work: this.#work },
      guard: (action) => this.#guard(action),
    });
    this.#snapshotSource = new SnapshotSource(this.#storage, transport, clock, compactionBytes);
    this.#snapshotReceiver = new SnapshotReceiver(transport, clock, {
      reaches: (shard) => this.hosts[shard] && this.#snapshotInstaller.reaches(this.hosts[shard]),
      leaderOf: (shard) => this.leaderOf(shard),
    });
    const keepFrom = (host: ShardHost): Slot | undefined => this.#snapshotSource.keepFrom(host);
    this.#compaction = new Compaction(this.#storage, compactionBytes, keepFrom, options.log, this.#work);
    const port: ForwardingPort & ReadPort = {
      now: () => this.#clock.monotonic(),
      leaderOf: (shard) => this.leaderOf(shard),
      serves: (shard) => this.serves(shard),
      submit: (shard, command, done) => this.submit(shard, command, done),
      read: (shard, done) => this.read(shard, done),
      peek: (shard) => this.peek(shard),
      levelOf: (peer) => this.peers.levelOf(peer),
      send: (to, frame) => this.peers.isUp(to) && options.transport.send(to, frame, 'normal'),
    };
    const run = options.entropy.seed();
    this.forwarding = new Forwarding(port, run, options.featureLevel);
    this.remoteReads = new RemoteReads(port, run);
    this.#notices = new NoticePump(this);
    this.#retention = new RetentionSweep(this, this.#clock, this.#work);
    this.#clocks = new PeerClocks(options, this.peers);
    this.#votes = new VoteWatch(options, this.peers);
    this.#disk = new OwnDisk({
      options: this.#options,
      peers: this.peers,
      guard: (action) => this.#guard(action),
      fatal: (reason) => this.#fatal(reason),
    });
  }

  async start(): Promise<void> {
    const { transport } = this.#options;
    this.#storage.onFailure((error) => this.#fatal(`the disk failed: ${error.message}`));
    await this.#disk.claim();
    this.#recovered = await recover(this.#options);
    this.#state = 'running';
    this.#reconsiderStanding();
    await transport.start(() => this.#disk.hello(), {
      onUp: (peer, hello) => this.#guard(() => this.#peerUp(peer, hello)),
      onDown: (peer, reason) => this.#guard(() => this.#peerDown(peer, reason)),
      onDied: (peer) => this.#guard(() => this.#peerDied(peer)),
      onRefused: (hello) => this.#guard(() => this.#disk.refused(hello)),
      onMessage: (peer, bytes) => this.#guard(() => this.#receive(peer, bytes), 'messages'),
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
    if (wasRunning) await this.#storage.close();
  }

  /** Asks a peer to lead each shard that is led here, and waits until all of them have another leader or time is up. */
  async handOver(withinMs: number): Promise<void> {
    this.#disk.leave();
    await handOver(this.hosts, this.peers, this.#clock, withinMs);
  }

  #reconsiderStanding(): void {
    if (this.hosts.length > 0) return;
    const { log, replicas } = this.#options;
    const now = standing(
      this.self,
      this.#disk.identity,
      replicas.map(({ id }) => id),
      this.#options.quorums,
      this.peers.met,
    );
    const before = this.#standing;
    this.#standing = now;
    switch (now.kind) {
      case 'forming':
        if (before.kind === 'forming' && before.missing.join() === now.missing.join()) return;
        log.info(`waiting to meet replica ${now.missing.join(', ')}`);
        return;
      case 'learner':
        log.error(
          `replica ${now.reportedBy} remembers another data directory of this replica (${now.expected}): this one follows the others and does not vote. ` +
            'Stop it and bring the old data directory back. Without its vote the cluster survives one failure fewer.',
        );
        return this.#openShards(false);
      case 'voter':
        return this.#becomeVoter(now.formedWith);
    }
  }

  #becomeVoter(formedWith: Readonly<Record<string, string>>): void {
    // The peers' disks are remembered before this replica promises anything.
    if (this.#disk.remembers(formedWith)) return this.#openShards(true);
    // On its way to the disk: `save` opens the shards.
    if (this.#disk.identity.formedWith === formedWith) return;
    this.#disk.save({ ...this.#disk.identity, formedWith, levels: this.peers.formed() }, () => {
      this.#options.transport.helloChanged();
      if (this.hosts.length === 0) this.#openShards(true);
    });
  }

  #openShards(votes: boolean): void {
    const { paxos, replicas, quorums, entropy, featureLevel } = this.#options;
    const recovered = this.#recovered!;
    this.#recovered = undefined;
    const ids = replicas.map(({ id }) => id);
    const around: ShardSurroundings = {
      clock: this.#clock,
      storage: this.#storage,
      ...{ work: this.#work, measures: this.measuring },
      send: (shard, send) => this.#turnEnd.send(shard, send),
      touchTurn: (host) => this.#turnEnd.touch(host),
      agreedTime: () => this.#clocks.now(),
      allKnow: (command) => levelOf(command) <= this.peers.featureLevel,
      applied: (host, news) => this.#applied(host, news),
      leadershipChanged: (host, before, after) => this.#leadershipChanged(host, before, after),
      snapshotNeeded: (host, to) => this.#snapshotSource.offer(host, to),
      audit: (host, at, hash) => this.#tellHash(host.shard, at, hash),
      differs: (reason) => this.#options.log.error(`replicas hold different states: ${reason}`),
      fatal: (reason) => this.#fatal(reason),
    };
    this.hosts = Array.from({ length: this.shards }, (_, index) => {
      const shard = shardId(index);
      return new ShardHost(
        {
          ...{ shard, shards: this.shards, featureLevel },
          paxos: {
            ...paxos,
            earlierLeaseMs: this.#disk.identity.earlierLeaseMs ?? 0,
            ...{ self: this.self, incarnation: this.#disk.identity.incarnation },
            priorityAmong: (among) => preferredLeaderPriority(among, this.self, shard),
            configuration: { number: 1, replicas: ids, quorums },
            priority: preferredLeaderPriority(ids, this.self, shard),
            ...{ votes, seed: entropy.seed() },
          },
        },
        { records: recovered.records[index]!, snapshot: recovered.snapshots[index] },
        around,
      );
    });
    for (const host of this.hosts) host.tick();
  }

  // ---- turns ----

  #scheduleTick(): void {
    this.#stopTicking = this.#clock.after(this.#pace.tickMs, () => {
      if (this.#state !== 'running') return;
      this.#guard(() => this.#tick());
      this.#scheduleTick();
    });
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    this.#diskWatch.tick(now, this.#pace.tickMs);
    const { stalls: diskStalls } = this.#diskWatch;
    this.#pace.tick(now, this.hosts, { diskStalls, someoneLeaves: this.peers.someoneLeaves });
    this.forwarding.tick();
    this.remoteReads.tick();
    if (!this.#diskWatch.stalls) this.#disk.tick(now);
    if (now - this.#lastAuditAt >= AUDIT_EVERY_MS) {
      this.#lastAuditAt = now;
      for (const host of this.hosts) {
        host.auditResting();
        startShard(host);
      }
      this.#clocks.ask();
      this.#votes.look(this.#standing.kind, this.hosts);
      this.#notices.pump();
      this.#compaction.maybeRun(this.hosts);
      this.#snapshotSource.tick();
      this.#snapshotReceiver.tick();
    }
    if (now - this.#lastSweepAt >= this.#options.retentionSweepMs) {
      this.#lastSweepAt = now;
      for (const host of this.hosts)
        this.#retention.startWhere((shard) => this.#clocks.mayDelete(shard), host);
    }
  }

  /** A throw in here is a defect of Quorate: the replica stops, because its state can no longer be trusted. */
  #guard(action: () => void, kind: WorkKind = 'upkeep'): void {
    if (this.#state === 'dead') return;
    try {
      this.#work(kind, action);
    } catch (error) {
      this.#fatal(errorText(error));
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

  #peerUp(peer: ReplicaId, hello: Hello): void {
    const isNew = this.peers.linkUp(peer, hello);
    this.#disk.met(peer, hello, this.hosts.length > 0);
    this.#clocks.ask();
    this.#reconsiderStanding();
    if (isNew) for (const host of this.hosts) host.step({ kind: 'peerUp', peer });
    this.forwarding.retry();
  }

  #peerDown(peer: ReplicaId, reason: string): void {
    if (this.peers.linkDown(peer) && this.running && !this.#disk.leaving) {
      if (this.peers.isLeaving(peer)) this.#options.log.info(`replica ${peer} has stopped`);
      else this.#options.log.warn(`lost replica ${peer}: ${reason}`);
    }
    this.forwarding.peerDown(peer);
    this.remoteReads.peerDown(peer);
    this.#snapshotReceiver.peerDown(peer);
  }

  #peerDied(peer: ReplicaId): void {
    if (!this.#disk.leaving && !this.peers.isLeaving(peer))
      this.#options.log.warn(`the process of replica ${peer} has ended`);
    for (const host of this.hosts) host.peerDied(peer);
  }

  #receive(from: ReplicaId, bytes: Uint8Array): void {
    const frame = softly(this.#options.log, `a message of replica ${from}`, () => decodeFrame(bytes));
    if (frame !== undefined) this.#dispatch(from, frame);
  }

  #dispatch(from: ReplicaId, frame: PeerFrame): void {
    // A snapshot ends in a file, which blocks the loop. It will be offered again.
    if (this.#diskWatch.stalls && ['snapshotOffer', 'snapshotChunk'].includes(frame.kind)) return;
    switch (frame.kind) {
      case 'paxos':
        for (const { shard, message } of frame.messages) this.hosts[shard]?.receive(from, message);
        return this.remoteReads.applied();
      case 'forward':
        return this.forwarding.asked(from, frame);
      case 'forwarded':
        return this.forwarding.answered(from, frame);
      case 'snapshotOffer':
        return this.#snapshotReceiver.offered(from, frame);
      case 'snapshotAsk':
        return this.#snapshotAsked(from, frame);
      case 'snapshotChunk': {
        const whole = this.#snapshotReceiver.received(from, frame);
        const host = this.hosts[frame.shard];
        if (whole !== undefined && host !== undefined) this.#snapshotInstaller.install(host, whole);
        return;
      }
      case 'readAsk':
      case 'readAnswer':
        return this.remoteReads.heard(from, frame);
      case 'clockAsk':
      case 'clockAnswer':
        return this.#clocks.heard(from, frame);
      case 'position':
        return this.#disk.heard(from, frame.position);
      case 'audit':
        return this.hosts[frame.shard]?.hashHeard(from, frame.slot, frame.hash);
    }
  }

  #snapshotAsked(from: ReplicaId, ask: Extract<PeerFrame, { kind: 'snapshotAsk' }>): void {
    const host = this.hosts[ask.shard];
    if (host === undefined) return;
    this.#snapshotSource.asked(host, from, ask).catch((error: unknown) => {
      this.#fatal(`the snapshot of shard ${host.shard} cannot be read: ${String(error)}`);
    });
  }

  #tellHash(shard: ShardHost['shard'], at: Slot, hash: number): void {
    const frame = encodeFrame({ kind: 'audit', shard, slot: at, hash });
    for (const peer of this.peers.up) this.#options.transport.send(peer, frame, 'droppable');
  }

  // ---- what happened ----

  #applied(host: ShardHost, news: readonly News[]): void {
    const { serving } = host.leadership;
    this.news.tell(host.shard, news, serving);
    if (host.shard === 0) this.#notices.told(news);
  }

  #leadershipChanged(host: ShardHost, before: Leadership, after: Leadership): void {
    if (before.leader === after.leader && before.serving === after.serving) return;
    startShard(host, before.serving ? undefined : { quietMs: this.groupSettings.initialQuietMs });
    this.leadership.tell(host.shard, { leader: after.leader, serving: after.serving });
    this.forwarding.retry();
  }

  status(): ReplicaStatus {
    return {
      self: this.self,
      clusterId: this.clusterId,
      standing: this.#standing.kind,
      missing: this.#standing.kind === 'forming' ? this.#standing.missing : [],
      formed: this.#disk.identity.formedWith[this.self] !== undefined,
      ...this.#votes.of(this.#standing.kind, this.hosts),
      clocks: [...this.#clocks.offsets()].map(([id, aheadMs]) => ({ id, aheadMs })),
      logBytes: this.#storage.logBytes(),
      ...this.#diskWatch.status(),
      shards: this.hosts.map(shardStatus),
    };
  }
}
