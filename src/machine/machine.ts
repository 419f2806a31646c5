import {
  assert,
  assertNever,
  ByteWriter,
  crc32c,
  begun,
  broken,
  crc32cWord,
  finished,
  nextSlot,
  NO_SLOT,
  PartedBytes,
  type Slot,
  topicId,
  type TopicId,
  type TopicName,
  type WallMs,
  type Steps,
  wallMs,
} from '../kernel/index.js';
import { createGroups, type GroupCommand, type Groups, snapshotGroups, wholeOf } from '../groups/index.js';
import { createRegisters, snapshotRegisters, type Registers } from '../registers/index.js';
import { createTopics, Ends, snapshotTopics, type TopicChange, type Topics } from '../topics/index.js';
import {
  decodeCommand,
  isEndsCommand,
  isGroupCommand,
  isLevelCommand,
  isNoticeCommand,
  isRegisterCommand,
  isReplicasCommand,
  isTopicCommand,
} from './commands.js';
import { committedEnds } from './committed-ends.js';
import { createNoticeLog, emptyNoticeLog, noticeLogCodec, type NoticeLog } from './notices.js';
import { partsInNewCluster, type TakeOver } from './new-cluster.js';
import type { Parts } from './parts.js';
import { readingParts } from './restored-parts.js';
import { changeReplicas, NO_CHANGES, replicasBytes, type ReplicasView } from './replica-plan.js';
import type {
  Applied,
  ApplyContext,
  BegunCommand,
  Command,
  AppliedStep,
  Machine,
  MachineOptions,
  News,
  Notice,
  NoticeCommand,
  Reply,
  TimerChange,
} from './types.js';
import { writeHead } from './snapshot-head.js';

export function createMachine(options: MachineOptions): Machine {
  return new ShardMachine(options, {
    groups: createGroups(),
    topics: createTopics(),
    registers: createRegisters(),
    ends: new Ends(),
    notices: createNoticeLog(emptyNoticeLog(options.shards)),
    appliedThrough: NO_SLOT,
    hash: 0,
    clock: wallMs(0),
    configuration: undefined,
    replicas: NO_CHANGES,
    level: 0,
  });
}

/** Rebuilds a machine from what `snapshot()` gave. Throws MalformedBytesError when it is not that. */
export const restoreMachine = (options: MachineOptions, snapshot: Uint8Array): Machine =>
  finished(restoringMachine(options, PartedBytes.whole(snapshot)));

/** The same in steps of a few milliseconds, of bytes that may come in parts. */
export function* restoringMachine(options: MachineOptions, snapshot: PartedBytes): Steps<Machine> {
  return new ShardMachine(options, yield* readingParts(options, snapshot));
}

/** The machine of a new cluster, from a snapshot of another one. Throws MalformedBytesError. `facts` default to its own: shard 0. */
export function machineInNewCluster(
  options: MachineOptions,
  snapshot: Uint8Array,
  { at, facts, factsAreLatest }: Omit<TakeOver, 'facts'> & { readonly facts?: TakeOver['facts'] | undefined },
): Machine {
  const parts = finished(readingParts(options, PartedBytes.whole(snapshot)));
  return new ShardMachine(
    options,
    partsInNewCluster(parts, options.shards, { at, facts: facts ?? parts, factsAreLatest }),
  );
}

const NOTHING: Pick<BegunCommand, 'news' | 'timers' | 'rest'> = { news: [], timers: [], rest: undefined };
const noticed = (through: number): Reply => ({ kind: 'noticed', through });

class ShardMachine implements Machine {
  readonly groups: Groups;
  readonly topics: Topics;
  readonly registers: Registers;
  readonly ends: Ends;
  readonly #options: MachineOptions;
  readonly #notices: NoticeLog;
  #appliedThrough: Slot;
  #hash: number;
  /** The leaders' wall clock. It does not go back when leadership moves to a replica whose clock is behind. */
  #clock: WallMs;
  #configuration: Uint8Array | undefined;
  #replicas: ReplicasView;
  #level: number;
  #underWay = false;

  constructor(options: MachineOptions, parts: Parts) {
    this.#options = options;
    this.groups = parts.groups;
    this.topics = parts.topics;
    this.registers = parts.registers;
    this.ends = parts.ends;
    this.#notices = parts.notices;
    this.#appliedThrough = parts.appliedThrough;
    this.#hash = parts.hash;
    this.#clock = parts.clock;
    this.#configuration = parts.configuration;
    this.#replicas = parts.replicas;
    this.#level = parts.level;
  }

  get appliedThrough(): Slot {
    return this.#appliedThrough;
  }
  get underWay(): boolean {
    return this.#underWay;
  }
  get hash(): number {
    return this.#hash;
  }
  get clock(): WallMs {
    return this.#clock;
  }
  get configuration(): Uint8Array | undefined {
    return this.#configuration;
  }
  get replicas(): ReplicasView {
    return this.#replicas;
  }
  get level(): number {
    return this.#level;
  }

  pendingNotices(shard: number): readonly Notice[] {
    return this.#notices.pending(shard);
  }

  applySeal(at: Slot, configuration: Uint8Array): void {
    this.#isNext(at);
    this.#configuration = configuration;
    this.#done(at, crc32c(configuration, this.#hash));
  }

  #isNext(at: Slot): void {
    if (at !== nextSlot(this.#appliedThrough))
      broken(`slot ${at} is applied right after ${this.#appliedThrough}`);
    if (this.#underWay) broken(`slot ${at} waits until the command before it has been applied`);
  }
  #done(at: Slot, hash: number): void {
    this.#appliedThrough = at;
    this.#hash = hash;
  }

  apply(at: Slot, payload: Uint8Array | null): Applied | undefined {
    const first = this.begin(at, payload);
    return first && wholeOf(first);
  }

  begin(at: Slot, payload: Uint8Array | null): BegunCommand | undefined {
    this.#isNext(at);
    if (payload === null) {
      this.#done(at, crc32cWord(0, this.#hash));
      return undefined;
    }
    const stamped = decodeCommand(payload, this.#options.featureLevel);
    this.#clock = wallMs(Math.max(this.#clock, stamped.at));
    const { membersAStep } = this.#options;
    const first = this.#perform(stamped.command, { slot: at, at: this.#clock, membersAStep });
    // phxpaxos' chain of checksums: what was applied, and what it led to.
    const done = (): void => this.#done(at, this.#fingerprint(stamped.command, crc32c(payload, this.#hash)));
    const { reply, news, timers, rest } = first;
    if (rest !== undefined) return { reply, news, timers, rest: this.#otherSteps(rest, done) };
    done();
    return first;
  }

  #otherSteps(rest: Iterable<AppliedStep>, done: () => void): IterableIterator<AppliedStep> {
    this.#underWay = true;
    const steps = function* (machine: ShardMachine): Generator<AppliedStep, void, void> {
      yield* rest;
      machine.#underWay = false;
      done();
    };
    return steps(this);
  }

  #perform(command: Command, context: ApplyContext): BegunCommand {
    if (isGroupCommand(command)) return this.#group(command, context);
    if (isRegisterCommand(command)) return { reply: this.registers.apply(command), ...NOTHING };
    if (isNoticeCommand(command)) return this.#notice(command, context);
    if (isEndsCommand(command)) {
      this.ends.start(committedEnds(this.groups));
      return { reply: { kind: 'done' }, ...NOTHING };
    }
    assert(this.#options.shard === 0, 'topics, the list of replicas and the feature level live in shard 0');
    if (isLevelCommand(command)) return this.#raise(command.level);
    if (isReplicasCommand(command)) {
      const { view, reply } = changeReplicas(this.#replicas, command, { ...this.#options, at: context.at });
      this.#replicas = view;
      return { ...NOTHING, reply, news: [{ kind: 'replicas-changed' }] };
    }
    const { reply, change } = this.topics.apply(command);
    if (change === null) return { reply, ...NOTHING };
    if (change.kind === 'ends-said') return { ...NOTHING, reply, news: this.#endsSaid(change, context) };
    if (change.kind === 'topic-deleted') {
      const { name, id } = change.topic;
      const fact = { kind: 'topic-deleted', name, id } as const;
      this.#notices.publish(fact);
      const here = this.#learn(fact, context);
      return { ...NOTHING, reply, news: [change, ...here.news], timers: here.timers };
    }
    return { ...NOTHING, reply, news: [change] };
  }

  #raise(to: number): BegunCommand {
    const news: News[] = to > this.#level ? [{ kind: 'level-raised', level: to }] : [];
    this.#level = Math.max(this.#level, to);
    return { ...NOTHING, reply: { kind: 'level', level: this.#level }, news };
  }

  #endsSaid(
    { topic, ends, back }: Extract<TopicChange, { kind: 'ends-said' }>,
    { slot: revision }: ApplyContext,
  ): News[] {
    this.ends.say(topic.id, ends, back);
    if (!back) return [];
    this.ends.setBack(topic.id, ends, revision);
    this.#notices.publish({ kind: 'ends-set-back', id: topic.id, ends, revision });
    return [{ kind: 'ends-set-back', topic }];
  }

  #group(command: GroupCommand, context: ApplyContext): BegunCommand {
    if (command.kind === 'group.deleteOffsets') return this.#deleteOffsets(command, context);
    const applied = this.groups.begin(command, context);
    const { reply } = applied;
    if (command.kind === 'group.commit' && reply.kind === 'commit' && reply.error === 'NONE') {
      command.offsets.forEach(({ topicId: id, partition, offset }, index) => {
        if (id !== null && reply.errors[index] === 'NONE') this.ends.raise(topicId(id), partition, offset);
      });
    }
    return applied;
  }

  #deleteOffsets(
    command: Extract<GroupCommand, { kind: 'group.deleteOffsets' }>,
    context: ApplyContext,
  ): BegunCommand {
    const { group, topics } = command;
    const before = topics.flatMap(({ topic, partitions }) =>
      partitions.flatMap((partition) => this.groups.committed(group, topic, partition) ?? []),
    );
    const applied = this.groups.begin(command, context);
    /** What was deleted and had gone as far as any commit of the shard. */
    const furthest = new Map<TopicName, { readonly topicId: TopicId; readonly partitions: Set<number> }>();
    for (const { topic, topicId: id, partition, offset } of before) {
      if (id === null || this.groups.committed(group, topic, partition) !== undefined) continue;
      if (!this.ends.isReachedBy(topicId(id), partition, offset)) continue;
      const known = furthest.get(topic);
      if (known === undefined)
        furthest.set(topic, { topicId: topicId(id), partitions: new Set([partition]) });
      else known.partitions.add(partition);
    }
    if (furthest.size > 0) this.#setToRemaining(furthest);
    return applied;
  }

  #setToRemaining(deleted: Parameters<Groups['furthest']>[0]): void {
    const remaining = this.groups.furthest(deleted);
    for (const [topic, { topicId: id, partitions }] of deleted) {
      for (const partition of partitions)
        this.ends.lower(topicId(id), partition, remaining.get(topic)?.get(partition) ?? 0);
    }
  }

  /** A fact of shard 0. */
  #learn(fact: Notice['fact'], context: ApplyContext): AppliedStep {
    if (fact.kind === 'ends-set-back') {
      this.ends.setBack(fact.id, fact.ends, fact.revision);
      return NOTHING;
    }
    this.ends.forget(fact.id);
    return this.groups.apply({ kind: 'group.topicDeleted', topic: fact.name, topicId: fact.id }, context);
  }

  #notice(command: NoticeCommand, context: ApplyContext): BegunCommand {
    switch (command.kind) {
      case 'notice.receive': {
        const news: News[] = [];
        const timers: TimerChange[] = [];
        for (const { fact } of this.#notices.receive(command.notices)) {
          const outcome = this.#learn(fact, context);
          for (const one of outcome.news) news.push(one);
          for (const one of outcome.timers) timers.push(one);
        }
        return { ...NOTHING, reply: noticed(this.#notices.seenThrough), news, timers };
      }
      case 'notice.acknowledge':
        this.#notices.acknowledge(command.shard, command.through);
        return { reply: noticed(command.through), ...NOTHING };
      default:
        return assertNever(command);
    }
  }

  #fingerprint(command: Command, previous: number): number {
    if ('group' in command) return this.groups.fingerprint(command.group, previous);
    if (command.kind === 'topic.setEnds') {
      const topic = this.topics.byName(command.name);
      return topic === undefined ? previous : this.ends.fingerprint(topic.id, previous);
    }
    if (isTopicCommand(command)) {
      // Replicas of version 0.1.0 compare theirs: the cheaper one begins with the first command that they do not know.
      return this.groups.tokensFrom === 0
        ? this.topics.fingerprintOfAll(previous)
        : this.topics.fingerprint(command, previous);
    }
    if (isLevelCommand(command)) return crc32cWord(this.#level, previous);
    if (isReplicasCommand(command)) return crc32c(replicasBytes(this.#replicas), previous);
    if (isRegisterCommand(command)) return this.registers.fingerprint(command, previous);
    return crc32cWord(this.groups.offsetCount, previous);
  }

  *snapshot(chunkBytes?: number): Iterable<Uint8Array> {
    assert(!this.#underWay, 'no snapshot is taken in the middle of a command');
    const head = new ByteWriter(1024);
    const { started } = this.ends;
    writeHead(head, {
      shard: this.#options.shard,
      appliedThrough: this.#appliedThrough,
      hash: this.#hash,
      clock: this.#clock,
      configuration: this.#configuration,
      replicas: this.#replicas,
      level: this.#level,
      endsStarted: started,
    });
    noticeLogCodec.write(head, this.#notices.save());
    head.bytes(snapshotTopics(this.topics));
    const ends = started ? [...this.ends.snapshot()] : [];
    const registers = begun(snapshotRegisters(this.registers, chunkBytes));
    const groups = begun(snapshotGroups(this.groups, chunkBytes));
    try {
      yield head.copy();
      yield* ends;
      yield* registers;
      yield* groups;
    } finally {
      groups.return?.();
    }
  }
}
