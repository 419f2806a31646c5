import {
  crc32cText,
  type GroupId,
  type MemberId,
  type MonotonicMs,
  type ReplicaId,
  type ShardId,
  shardId,
  snapshotPieces,
  unwatched,
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
import type { CommandTrace } from './command-traces.js';
import type {
  BrokerAddress,
  Coordinator,
  ForwardableCommand,
  LeadershipChange,
  Outcome,
  ReadAllOutcome,
  ReadOutcome,
  Refusal,
  SnapshotOutcome,
} from './coordinator.js';
import type { Forwarding } from './forwarding.js';
import { DEFAULT_LIMITS, type Held, type Limits } from './limits.js';
import { Listeners } from './listeners.js';
import { Measures, type ReplicaMeasures } from './measures.js';
import { Members } from './members.js';
import type { ReplicaOptions } from './options.js';
import { Peers } from './peers.js';
import type { RemoteReads } from './remote-reads.js';
import type { ShardHost } from './shard-host.js';

/** What the broker and the admin side may ask of a replica: each question goes to the shard it concerns. */
export abstract class ReplicaDoor implements Coordinator {
  readonly clusterId: string;
  readonly self: ReplicaId;
  readonly shards: number;
  readonly groupSettings: GroupSettings;
  protected readonly members: Members;
  protected readonly peers: Peers;
  protected readonly news = new Listeners<[shard: ShardId, news: readonly News[], serving: boolean]>();
  protected readonly leadership = new Listeners<[shard: ShardId, change: LeadershipChange]>();
  protected readonly measuring: Measures;
  /** One for each shard, by its number; none until the cluster has formed. */
  protected hosts: readonly ShardHost[] = [];
  protected readonly limits: Limits;
  readonly #options: ReplicaOptions;
  /** Used in place of the machines until the cluster has formed. */
  readonly #blank: MachineView;

  protected abstract readonly forwarding: Forwarding;
  protected abstract readonly remoteReads: RemoteReads;
  protected abstract get running(): boolean;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.clusterId = options.clusterId;
    this.self = options.self;
    this.shards = options.shards;
    this.groupSettings = options.groupSettings;
    this.members = new Members(options);
    this.peers = new Peers(options.self, this.members, options.featureLevel, options.levelRaisesItself);
    this.measuring = new Measures(options.clock);
    this.news.add((_shard, news, serving) => {
      if (serving) this.measuring.told(news);
    });
    this.#blank = createMachine({ shard: shardId(0), shards: options.shards });
  }

  measures(): ReplicaMeasures {
    return this.measuring.read();
  }

  held(): readonly Held[] {
    const { windowEntriesMax, queuedEntriesMax } = this.#options.paxos;
    const { forwarded, readsElsewhere, readsHere } = this.limits;
    return [
      { what: 'forwarded commands', amount: this.forwarding.waiting, most: forwarded },
      { what: 'reads for leaders elsewhere', amount: this.remoteReads.waiting, most: readsElsewhere },
      ...this.hosts.flatMap(({ shard, waiting }) => [
        { what: `reads of shard ${shard}`, amount: waiting.reads, most: readsHere },
        {
          what: `commands of shard ${shard}`,
          amount: waiting.proposals,
          most: windowEntriesMax + queuedEntriesMax,
        },
      ]),
    ];
  }

  brokers(): readonly BrokerAddress[] {
    const learners = new Set(
      this.hosts[0]
        ?.status()
        .peers.filter(({ votes }) => !votes)
        .map(({ id }) => id),
    );
    return this.peers.brokers().map((broker) => ({ ...broker, votes: !learners.has(broker.id) }));
  }

  shardOf(group: GroupId): ShardId {
    return shardId(crc32cText(group) % this.shards);
  }
  leaderOf(shard: ShardId): ReplicaId | undefined {
    return this.hosts[shard]?.leadership.leader;
  }
  serves(shard: ShardId): boolean {
    return this.running && this.hosts[shard]?.leadership.serving === true;
  }
  leaseHolds(shard: ShardId): boolean {
    return this.running && this.hosts[shard]?.leaseHolds() === true;
  }
  now(): MonotonicMs {
    return this.#options.clock.monotonic();
  }

  submit<C extends Command>(
    shard: ShardId,
    command: C,
    done: (outcome: Outcome<ReplyTo<C>>) => void,
    trace?: CommandTrace,
  ): void {
    const host = this.hosts[shard];
    if (host === undefined || !this.running) return done({ kind: 'not-leader', leader: undefined });
    // The machine answers a command with the reply of its kind (Machine.apply), which a map by id cannot say.
    host.submit(command, done as (outcome: Outcome<Reply>) => void, trace);
  }

  submitAnywhere<C extends ForwardableCommand>(
    shard: ShardId,
    command: C,
    done: (outcome: Outcome<ReplyTo<C>>) => void,
  ): void {
    this.forwarding.submit(shard, command, done);
  }

  read(shard: ShardId, done: (outcome: ReadOutcome) => void): void {
    const host = this.hosts[shard];
    if (host === undefined || !this.running) return done({ kind: 'not-leader', leader: undefined });
    host.read(done);
  }

  readAnywhere(shard: ShardId, done: (outcome: ReadOutcome) => void): void {
    this.remoteReads.read(shard, done);
  }
  readAll(done: (outcome: ReadAllOutcome) => void): void {
    const views: MachineView[] = [];
    let refusal: Refusal | undefined;
    let open = this.shards;
    for (let shard = 0; shard < this.shards; shard++) {
      this.readAnywhere(shardId(shard), (outcome) => {
        if (outcome.kind === 'ok') views[shard] = outcome.view;
        else refusal = outcome;
        if (--open === 0) done(refusal ?? { kind: 'ok', views });
      });
    }
  }

  snapshotAnywhere(shard: ShardId, done: (outcome: SnapshotOutcome) => void): void {
    this.readAnywhere(shard, (outcome) => {
      const host = this.hosts[shard];
      if (outcome.kind !== 'ok' || host === undefined)
        return done(outcome.kind === 'ok' ? { kind: 'not-leader', leader: undefined } : outcome);
      // Of a leader of an older version nothing is known, and the state here is the best there is, also on its way.
      if (host.machine.underWay) host.finishApplying();
      const { machine } = host;
      const { work = unwatched } = this.#options;
      // The state of this moment: the shard goes on while it is read.
      const chunks = snapshotPieces(machine.snapshot(), work);
      done({ kind: 'ok', through: machine.appliedThrough, chunks });
    });
  }

  peek(shard: ShardId): MachineView {
    return this.hosts[shard]?.machine ?? this.#blank;
  }
  endSession(group: GroupId, member: MemberId): void {
    this.hosts[this.shardOf(group)]?.endSession(group, member);
  }
  heard(group: GroupId, member: MemberId): boolean {
    return this.hosts[this.shardOf(group)]?.heard(group, member) ?? false;
  }
  touch(group: GroupId, member: MemberId, by?: 'commit'): void {
    this.hosts[this.shardOf(group)]?.touch(group, member, by);
  }
  uuid(): string {
    return this.#options.entropy.uuid();
  }

  onNews(listener: (shard: ShardId, news: readonly News[], serving: boolean) => void): () => void {
    return this.news.add(listener);
  }
  onLeadership(listener: (shard: ShardId, change: LeadershipChange) => void): () => void {
    return this.leadership.add(listener);
  }
}
