import { errorText, type ReplicaId, shardId, unwatched, type Work, type WorkKind } from '../kernel/index.js';
import type { News } from '../machine/index.js';
import type { Leadership } from '../paxos/index.js';
import { Compaction } from './compaction.js';
import { ReplicaDoor } from './door.js';
import { FirstVote } from './first-vote.js';
import { preferredLeaderPriority, type Standing } from './formation.js';
import { handOver } from './hand-over.js';
import { tellHash } from './hash-audit.js';
import { DiskWatch } from './disk-watch.js';
import { Forwarding, type ForwardingPort } from './forwarding.js';
import { decodeFrame, type PeerFrame } from './frames.js';
import { guardedStorage } from './guarded-storage.js';
import { NoticePump } from './notice-pump.js';
import type { Planned, Replica, ReplicaOptions, ReplicasStatus, ReplicaStatus } from './options.js';
import { OwnDisk } from './own-disk.js';
import { PeerClocks } from './peer-clocks.js';
import type { Clock, Hello, Storage } from './ports.js';
import { Pace } from './pace.js';
import type { ReplicaChange } from './replica-plans.js';
import { recover, type Recovered } from './recovery.js';
import { Roster } from './roster.js';
import { RetentionSweep } from './retention-sweep.js';
import { ShardHost, type ShardSurroundings } from './shard-host.js';
import { linksStatus, shardStatus } from './status.js';
import { TurnEnd } from './turn-end.js';
import { VoteWatch } from './votes.js';
import { softly } from './softly.js';
import { startShard } from './shard-start.js';
import { type ReadPort, RemoteReads } from './remote-reads.js';
import { SnapshotInstaller } from './snapshot-installer.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { SnapshotSource } from './snapshot-source.js';

export function createReplica(options: ReplicaOptions): Replica {
  return new LocalReplica(options);
}

const AUDIT_EVERY_MS = 1_000;
const FACTS = shardId(0);

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
  readonly #roster: Roster;
  readonly #firstVote: FirstVote;
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
    const source = new SnapshotSource({ ...options, storage: this.#storage, members: this.members });
    this.#snapshotSource = source;
    this.#snapshotReceiver = new SnapshotReceiver(transport, clock, {
      reaches: (shard) => this.hosts[shard] && this.#snapshotInstaller.reaches(this.hosts[shard]),
      leaderOf: (shard) => this.leaderOf(shard),
    });
    this.#compaction = new Compaction(this.#storage, compactionBytes, source, options.log, this.#work);
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
    this.forwarding = new Forwarding(port, run, options.featureLevel, this.limits);
    this.remoteReads = new RemoteReads(port, run, this.limits.readsElsewhere);
    this.#notices = new NoticePump(this);
    this.#retention = new RetentionSweep(this, this.#clock, this.#work, this.measuring);
    this.#clocks = new PeerClocks(options, this.peers, this.members);
    this.#votes = new VoteWatch(options, this.peers, this.members);
    this.#disk = new OwnDisk({
      options: this.#options,
      peers: this.peers,
      guard: (action) => this.#guard(action),
      fatal: (reason) => this.#fatal(reason),
    });
    const around = { options: this.#options, members: this.members, peers: this.peers, disk: this.#disk };
    this.#roster = new Roster({ ...around, door: this, guard: (action) => this.#guard(action) });
    this.#firstVote = new FirstVote({
      ...around,
      waits: () => this.hosts.length === 0,
      open: (votes) => this.#openShards(votes),
    });
  }

  async start(): Promise<void> {
    this.#storage.onFailure((error) => this.#fatal(`the disk failed: ${error.message}`));
    await this.#disk.claim();
    this.members.restore(this.#disk.identity);
    this.#options.transport.setPeers(this.members.links());
    this.#recovered = await recover(this.#options);
    this.#state = 'running';
    this.#firstVote.reconsider();
    await this.#options.transport.start(() => this.#disk.hello(), {
      onUp: (peer, hello) => this.#guard(() => this.#peerUp(peer, hello)),
      onDown: (peer, reason) => this.#guard(() => this.#peerDown(peer, reason)),
      onDied: (peer) => this.#guard(() => this.#peerDied(peer)),
      onRefused: (hello) => this.#guard(() => this.#roster.refused(hello)),
      onMessage: (peer, bytes) => this.#guard(() => this.#receive(peer, bytes), 'messages'),
      refuses: (hello) => this.members.refuses(hello),
    });
    this.#lastSweepAt = this.#clock.monotonic();
    this.#scheduleTick();
  }

  async stop(handOverMs = 2_000): Promise<void> {
    if (this.#state === 'stopping' || this.#state === 'new') return;
    const wasRunning = this.running;
    if (wasRunning) await this.handOver(handOverMs);
    this.#state = 'stopping';
    this.#stopTicking?.();
    this.#snapshotSource.close();
    await this.#options.transport.close();
    if (wasRunning) await this.#storage.close();
  }

  /** Asks a peer to lead each shard that is led here, and waits until all of them have another leader or time is up. */
  async handOver(withinMs: number): Promise<void> {
    this.#disk.leave();
    await handOver(this.hosts, this.peers, this.#clock, withinMs);
  }

  /** `votes`: in the configuration that the cluster was formed with. In later ones the log says who votes. */
  #openShards(votes: boolean): void {
    const { paxos, entropy, featureLevel, applyPace: pace } = this.#options;
    const first = this.members.first(this.#disk.identity, votes);
    const recovered = this.#recovered!;
    this.#recovered = undefined;
    const around: ShardSurroundings = {
      ...{ clock: this.#clock, storage: this.#storage, work: this.#work, measures: this.measuring },
      send: (shard, send) => this.#turnEnd.send(shard, send),
      touchTurn: (host) => this.#turnEnd.touch(host),
      later: (goOn) =>
        (pace?.later ?? this.#clock.endOfTurn)(() =>
          this.#guard(() => {
            goOn();
            this.remoteReads.applied();
          }),
        ),
      agreedTime: (now) => this.#clocks.now(now),
      allKnow: (command) => this.peers.allows(command),
      applied: (host, news) => this.#applied(host, news),
      leadershipChanged: (host, before, after) => this.#leadershipChanged(host, before, after),
      snapshotNeeded: (host, to) => this.#snapshotSource.offer(host, to),
      audit: ({ shard }, at, hash) =>
        tellHash(this.#options.transport, this.peers.up, { shard, slot: at, hash }),
      differs: (reason) => this.#options.log.error(`replicas hold different states: ${reason}`),
      fatal: (reason) => this.#fatal(reason),
    };
    this.hosts = Array.from({ length: this.shards }, (_, index) => {
      const shard = shardId(index);
      return new ShardHost(
        {
          ...{ shard, shards: this.shards, featureLevel, readsMax: this.limits.readsHere, ...pace },
          paxos: {
            ...paxos,
            earlierLeaseMs: this.#disk.identity.earlierLeaseMs ?? 0,
            ...{ self: this.self, incarnation: this.#disk.identity.incarnation },
            priorityAmong: (among) => preferredLeaderPriority(among, this.self, shard),
            configuration: first,
            priority: preferredLeaderPriority(first.replicas, this.self, shard),
            ...{ votes, seed: entropy.seed() },
          },
        },
        { records: recovered.records[index]!, machine: recovered.machines[index] },
        around,
      );
    });
    for (const host of this.hosts) for (const peer of this.peers.up) host.step({ kind: 'peerUp', peer });
    for (const host of this.hosts) host.tick();
    this.#roster.note(this.hosts);
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
    this.#pace.tick(now, this.hosts, { diskStalls, keeps: this.peers.someoneLeaves || this.members.seals });
    this.forwarding.tick();
    this.remoteReads.tick();
    if (!diskStalls) this.#disk.tick(now);
    if (now - this.#lastAuditAt >= AUDIT_EVERY_MS) {
      this.#lastAuditAt = now;
      for (const host of this.hosts) {
        host.auditResting();
        startShard(host);
      }
      this.#clocks.ask();
      this.measuring.tick(now);
      this.#votes.look(this.#standingNow(), this.hosts);
      this.#roster.tick(this.hosts);
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
    this.members.met(hello);
    this.#disk.met(peer, hello, this.hosts.length > 0);
    this.#clocks.ask();
    this.#firstVote.reconsider();
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
    this.#pace.goesOn(this.#clock.monotonic(), this.hosts);
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

  // ---- what happened ----

  #applied(host: ShardHost, news: readonly News[]): void {
    const { serving } = host.leadership;
    this.news.tell(host.shard, news, serving);
    if (host.shard !== FACTS) return;
    this.#notices.told(news);
    if (news.some(({ kind }) => kind === 'replicas-changed' || kind === 'level-raised'))
      this.#roster.note(this.hosts);
  }

  #leadershipChanged(host: ShardHost, before: Leadership, after: Leadership): void {
    if (before.leader === after.leader && before.serving === after.serving) return;
    startShard(host, before.serving ? undefined : { quietMs: this.groupSettings.initialQuietMs });
    this.leadership.tell(host.shard, { leader: after.leader, serving: after.serving });
    this.forwarding.retry();
  }

  /** Once the shards are open, their logs say who votes. */
  #standingNow(): Standing['kind'] {
    if (this.hosts.length === 0) return this.#firstVote.standing.kind;
    return this.#roster.votesHere(this.hosts) ? 'voter' : 'learner';
  }

  replicas(): ReplicasStatus {
    return this.#roster.status(this.hosts);
  }
  planReplicas(change: ReplicaChange): Planned {
    return this.#roster.plan(change, this.hosts);
  }

  status(): ReplicaStatus {
    const { standing } = this.#firstVote;
    return {
      ...{ self: this.self, clusterId: this.clusterId, standing: this.#standingNow() },
      missing: standing.kind === 'forming' ? standing.missing : [],
      formed: Object.keys(this.#disk.identity.formedWith).length > 0,
      ...this.#votes.of(this.#standingNow(), this.hosts),
      clocks: [...this.#clocks.offsets()].map(([id, aheadMs]) => ({ id, aheadMs })),
      logBytes: this.#storage.logBytes(),
      ...this.#diskWatch.status(),
      ...{ diskRoom: this.#storage.room(), diskWritesLately: this.measuring.diskWritesLately() },
      ...linksStatus(this.peers, this.#options.transport),
      waiting: { commands: this.forwarding.waiting, reads: this.remoteReads.waiting },
      shards: this.hosts.map(shardStatus),
    };
  }
}
