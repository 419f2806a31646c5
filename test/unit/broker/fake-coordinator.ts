import {
  generation,
  type GroupId,
  type MemberId,
  memberId,
  type MonotonicMs,
  replicaId,
  type ShardId,
  shardId,
  slot,
  topicId,
  type TopicName,
  wallMs,
} from '../../../src/kernel/index.js';
import {
  type Command,
  type CommittedOffset,
  DEFAULT_GROUP_SETTINGS,
  type GroupDescription,
  type GroupReply,
  type GroupSummary,
  type HeartbeatQuestion,
  type JoinAnswer,
  type MachineView,
  type News,
  type Reply,
  type SyncAnswer,
  type Topic,
  type TopicCommand,
  type TopicReply,
} from '../../../src/machine/index.js';
import { Ends } from '../../../src/topics/index.js';
import type {
  BrokerAddress,
  Coordinator,
  LeadershipChange,
  Outcome,
  ReadAllOutcome,
  ReadOutcome,
  Refusal,
} from '../../../src/replica/index.js';
import type { FakeClock } from './fake-clock.js';

export const joinAnswer = (member: string, overrides: Partial<JoinAnswer> = {}): JoinAnswer => ({
  error: 'NONE',
  generation: generation(1),
  protocolType: 'consumer',
  protocolName: 'range',
  leader: member,
  memberId: memberId(member),
  skipAssignment: false,
  members: [],
  ...overrides,
});
export const syncAnswer = (overrides: Partial<SyncAnswer> = {}): SyncAnswer => ({
  error: 'NONE',
  protocolType: 'consumer',
  protocolName: 'range',
  assignment: Buffer.from([0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
  ...overrides,
});

/**
 * A replica that is what the test says: it leads the shards it is told to lead, and answers each command with what
 * `onCommand` returns. Offsets and topics are kept for real; the rest is scripted.
 */
export class FakeCoordinator implements Coordinator {
  readonly clusterId = 'b8k6xW0nQ1-fakeCluster';
  readonly self = replicaId(1);
  readonly shards = 4;
  groupSettings = DEFAULT_GROUP_SETTINGS;
  readonly commands: { readonly shard: ShardId; readonly command: Command }[] = [];
  readonly touched: string[] = [];
  readonly topics = new Map<TopicName, Topic>();
  readonly ends = new Ends();
  readonly offsets = new Map<GroupId, CommittedOffset[]>();
  readonly heartbeats: HeartbeatQuestion[] = [];
  addresses: BrokerAddress[] = [1, 2, 3].map((id) => ({
    id: replicaId(id),
    host: `replica-${id}`,
    port: 9090 + id,
    up: true,
  }));
  leader: (shard: ShardId) => number | undefined = () => 1;
  lease = true;
  factsThrough = 1;
  /** Undefined: the built-in answer. `hold`: the callback is kept in `held`, and asks again when it is released. */
  onCommand: (command: Command) => Reply | Refusal | 'hold' | undefined = () => undefined;
  held: (() => void)[] = [];
  onHeartbeat: (question: HeartbeatQuestion) => ReturnType<MachineView['groups']['heartbeat']> = () => ({
    error: 'NONE',
    renew: true,
  });
  descriptions: GroupDescription[] = [];
  reads = 0;
  #ids = 0;
  readonly #news = new Set<(shard: ShardId, news: readonly News[], serving: boolean) => void>();
  readonly #leadership = new Set<(shard: ShardId, change: LeadershipChange) => void>();

  constructor(readonly clock: FakeClock) {}

  brokers(): readonly BrokerAddress[] {
    return this.addresses;
  }
  shardOf(group: GroupId): ShardId {
    return shardId([...group].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % this.shards);
  }
  leaderOf(shard: ShardId) {
    const leader = this.leader(shard);
    return leader === undefined ? undefined : replicaId(leader);
  }
  /** A shard that is led here and not served yet. */
  loading: ShardId | undefined;
  serves(shard: ShardId): boolean {
    return this.leader(shard) === this.self && shard !== this.loading;
  }
  leaseHolds(shard: ShardId): boolean {
    return this.lease && this.serves(shard);
  }
  now(): MonotonicMs {
    return this.clock.monotonic();
  }
  submit<C extends Command>(shard: ShardId, command: C, done: (outcome: Outcome<never>) => void): void {
    if (!this.serves(shard)) return done({ kind: 'not-leader', leader: this.leaderOf(shard) });
    this.submitAnywhere(shard, command, done);
  }
  submitAnywhere<C extends Command>(
    shard: ShardId,
    command: C,
    done: (outcome: Outcome<never>) => void,
  ): void {
    this.commands.push({ shard, command });
    const scripted = this.onCommand(command);
    const finish = (): void => {
      const answer = scripted === 'hold' ? this.onCommand(command) : scripted;
      const reply = answer === 'hold' ? this.#apply(command) : (answer ?? this.#apply(command));
      if (isRefusal(reply)) return done(reply);
      done({ kind: 'ok', reply: reply as never });
    };
    if (scripted === 'hold') this.held.push(finish);
    else setImmediate(finish);
  }
  readAnywhere(shard: ShardId, done: (outcome: ReadOutcome) => void): void {
    const leader = this.leaderOf(shard);
    if (leader === undefined || shard === this.loading) return done({ kind: 'not-leader', leader });
    done({ kind: 'ok', view: this.peek(shard) });
  }
  readAll(done: (outcome: ReadAllOutcome) => void): void {
    const outcomes: ReadOutcome[] = [];
    for (let shard = 0; shard < this.shards; shard++)
      this.readAnywhere(shardId(shard), (outcome) => outcomes.push(outcome));
    const refused = outcomes.find((outcome) => outcome.kind !== 'ok');
    done(
      refused ?? { kind: 'ok', views: outcomes.flatMap((each) => (each.kind === 'ok' ? [each.view] : [])) },
    );
  }
  read(shard: ShardId, done: (outcome: ReadOutcome) => void): void {
    if (!this.serves(shard)) return done({ kind: 'not-leader', leader: this.leaderOf(shard) });
    this.reads++;
    done({ kind: 'ok', view: this.peek(shard) });
  }
  /** Members not heard since a take-over, as `group/member`. */
  readonly unheard = new Set<string>();
  readonly sessionsEnded: string[] = [];
  endSession(group: GroupId, member: MemberId): void {
    this.sessionsEnded.push(`${group}/${member}`);
  }
  heard(group: GroupId, member: MemberId): boolean {
    return !this.unheard.has(`${group}/${member}`);
  }
  /** By `topic/partition`. */
  readonly owners = new Map<string, MemberId>();
  /** Ids that were handed out, by `group/member`, each with its token. */
  readonly issued = new Map<string, number>();
  /** By `group/leader`. */
  readonly sharedOut = new Map<string, ReadonlyMap<TopicName, number>>();
  touch(group: GroupId, member: MemberId): void {
    this.touched.push(`${group}/${member}`);
  }
  uuid(): string {
    return `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`;
  }
  onNews(listener: (shard: ShardId, news: readonly News[], serving: boolean) => void): () => void {
    this.#news.add(listener);
    return () => this.#news.delete(listener);
  }
  onLeadership(listener: (shard: ShardId, change: LeadershipChange) => void): () => void {
    this.#leadership.add(listener);
    return () => this.#leadership.delete(listener);
  }

  tell(group: GroupId, ...news: News[]): void {
    for (const listener of this.#news) listener(this.shardOf(group), news, true);
  }
  moveLead(to: number | undefined): void {
    this.leader = () => to;
    for (let shard = 0; shard < this.shards; shard++) {
      for (const listener of this.#leadership) {
        listener(shardId(shard), { leader: this.leaderOf(shardId(shard)), serving: to === this.self });
      }
    }
  }
  release(): void {
    for (const finish of this.held.splice(0)) finish();
  }
  commandsOf<K extends Command['kind']>(kind: K): Extract<Command, { kind: K }>[] {
    return this.commands.flatMap(({ command }) =>
      command.kind === kind ? [command as Extract<Command, { kind: K }>] : [],
    );
  }
  addTopic(name: string, partitions: number): Topic {
    const topic: Topic = { name: name as TopicName, id: this.uuid() as Topic['id'], partitions };
    this.topics.set(topic.name, topic);
    return topic;
  }

  peek(shard: ShardId): MachineView {
    const all = (): Topic[] => [...this.topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const mine = <T extends { readonly group: GroupId }>(items: readonly T[]): T[] =>
      items.filter(({ group }) => this.shardOf(group) === shard);
    return {
      topics: {
        byName: (name) => this.topics.get(name),
        byId: (id) => all().find((topic) => topic.id === id),
        all,
        size: this.topics.size,
      },
      ends: this.ends,
      level: 0,
      replicas: { number: 0, current: null, plan: null, lastNumber: 0, removed: [] },
      registers: {
        get: () => undefined,
        list: () => [],
        fenceOf: () => null,
        recordCount: 0,
        recordBytes: 0,
      },
      groups: {
        heartbeat: (question) => {
          this.heartbeats.push(question);
          return this.onHeartbeat(question);
        },
        committed: (group, topic, partition) =>
          this.offsets.get(group)?.find((each) => each.topic === topic && each.partition === partition),
        furthest: () => new Map(),
        missing: () => [],
        committedAll: (group) => this.offsets.get(group) ?? [],
        committedCount: (group) => this.offsets.get(group)?.length ?? 0,
        list: () => [
          ...mine<GroupSummary>(this.descriptions),
          ...mine([...this.offsets.keys()].map((group) => simpleGroup(group))),
        ],
        describe: (group) => this.descriptions.find((each) => each.group === group),
        rebalances: () => [],
        fences: () => [],
        tokensOf: () => [],
        ownerOf: (_group, _generation, topic, partition) => this.owners.get(`${topic}/${partition}`),
        sharedOut: (group, leader) => this.sharedOut.get(`${group}/${leader}`),
        timers: () => [],
        issuedToken: (group, member) => this.issued.get(`${group}/${member}`),
        dynamicMembers: () => [],
        expirable: () => [],
        hasUnanswered: false,
        has: (group) => this.offsets.has(group) || this.descriptions.some((each) => each.group === group),
        groupCount: this.offsets.size,
        memberCount: 0,
        tokensFrom: 0,
        offsetCount: 0,
      },
      underWay: false,
      appliedThrough: slot(this.factsThrough),
      hash: 0,
      pendingNotices: () => [],
    };
  }

  #apply(command: Command): Reply {
    switch (command.kind) {
      case 'group.commit': {
        const kept = this.offsets.get(command.group) ?? [];
        const added = command.offsets.map((offset) => ({ ...offset, committedAt: wallMs(1) }));
        const other = kept.filter(
          (old) => !added.some((each) => each.topic === old.topic && each.partition === old.partition),
        );
        this.offsets.set(command.group, [...other, ...added]);
        for (const { topicId: id, partition, offset } of added)
          if (id !== null) this.ends.raise(topicId(id), partition, offset);
        return { kind: 'commit', error: 'NONE', errors: command.offsets.map(() => 'NONE') };
      }
      case 'topic.create':
      case 'topic.delete':
      case 'topic.addPartitions':
      case 'topic.setEnds':
        return this.#topic(command);
      case 'group.join':
        return { kind: 'join', answer: joinAnswer(command.memberId || command.newMemberId) };
      case 'group.sync':
        return { kind: 'sync', answer: syncAnswer() };
      case 'group.leave':
        return {
          kind: 'leave',
          error: 'NONE',
          members: command.members.map(({ memberId: member, instanceId }) => ({
            memberId: member,
            instanceId,
            error: 'NONE',
          })),
        };
      case 'group.delete':
        return { kind: 'delete', error: this.offsets.delete(command.group) ? 'NONE' : 'GROUP_ID_NOT_FOUND' };
      case 'group.deleteOffsets':
        return deletedOffsets(command.topics);
      default:
        return { kind: 'done' };
    }
  }
  #topic(command: TopicCommand): TopicReply {
    const fail = (error: 'TOPIC_ALREADY_EXISTS' | 'UNKNOWN_TOPIC_OR_PARTITION'): TopicReply => ({
      kind: 'topic',
      error,
      message: error,
      topic: null,
    });
    switch (command.kind) {
      case 'topic.create': {
        if (this.topics.has(command.name)) return fail('TOPIC_ALREADY_EXISTS');
        const topic: Topic = { name: command.name, id: command.newId, partitions: command.partitions };
        this.topics.set(topic.name, topic);
        return { kind: 'topic', error: 'NONE', topic };
      }
      case 'topic.delete': {
        const topic = [...this.topics.values()].find(
          ({ name, id }) => name === command.name || id === command.id,
        );
        if (topic === undefined) return fail('UNKNOWN_TOPIC_OR_PARTITION');
        this.topics.delete(topic.name);
        return { kind: 'topic', error: 'NONE', topic };
      }
      case 'topic.setEnds':
        return fail('UNKNOWN_TOPIC_OR_PARTITION');
      case 'topic.addPartitions': {
        const topic = this.topics.get(command.name);
        if (topic === undefined) return fail('UNKNOWN_TOPIC_OR_PARTITION');
        const grown = { ...topic, partitions: command.partitions };
        this.topics.set(topic.name, grown);
        return { kind: 'topic', error: 'NONE', topic: grown };
      }
    }
  }
}

function isRefusal(value: Reply | Refusal): value is Refusal {
  return value.kind === 'not-leader' || value.kind === 'overloaded' || value.kind === 'outcome-unknown';
}
function simpleGroup(group: GroupId): GroupSummary {
  return { group, type: 'classic', state: 'Empty', protocolType: '', members: 0, generation: generation(0) };
}
function deletedOffsets(topics: Extract<Command, { kind: 'group.deleteOffsets' }>['topics']): GroupReply {
  return {
    kind: 'deleteOffsets',
    error: 'NONE',
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map((partition) => ({ partition, error: 'NONE' })),
    })),
  };
}
