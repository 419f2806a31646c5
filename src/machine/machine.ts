import {
  assert,
  assertNever,
  ByteReader,
  ByteWriter,
  crc32c,
  begun,
  broken,
  crc32cWord,
  finished,
  MalformedBytesError,
  nextSlot,
  NO_SLOT,
  type ShardId,
  type Slot,
  topicId,
  type TopicId,
  type TopicName,
  type WallMs,
  type Steps,
  wallMs,
} from '../kernel/index.js';
import {
  createGroups,
  type GroupCommand,
  type Groups,
  restoringGroups,
  snapshotGroups,
} from '../groups/index.js';
import {
  createRegisters,
  restoringRegisters,
  snapshotRegisters,
  type Registers,
} from '../registers/index.js';
import {
  createTopics,
  Ends,
  restoreTopics,
  snapshotTopics,
  type TopicChange,
  type Topics,
} from '../topics/index.js';
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
import { changeReplicas, NO_CHANGES, replicasBytes, type ReplicasView } from './replica-plan.js';
import type {
  Applied,
  ApplyContext,
  Command,
  MachineView,
  News,
  Notice,
  NoticeCommand,
  Reply,
  TimerChange,
} from './types.js';
import { readHead, readReplicas, writeHead } from './snapshot-head.js';

/** The replicated state machine of one shard. Its state depends on the log alone and is the same on every replica. */
export interface Machine extends MachineView {
  /** The highest time that stood on an applied command; 0 before the first. */
  readonly clock: WallMs;
  readonly ends: Ends;
  /** Applies the entry of the next slot: a command's bytes, or null for a no-op. */
  apply(at: Slot, payload: Uint8Array | null): Applied | undefined;
  /** Which configuration of replicas the log is in, as the replica wrote it; undefined for the first one. */
  readonly configuration: Uint8Array | undefined;
  /** Applies the entry of the next slot where the replicas change: it only says so in snapshots. */
  applySeal(at: Slot, configuration: Uint8Array): void;
  /**
   * The whole state in chunks, as it is when the first one is asked for: commands may be applied between two chunks. Ends with
   * `return` when not all is asked for.
   */
  snapshot(chunkBytes?: number): Iterable<Uint8Array>;
}

export interface MachineOptions {
  readonly shard: ShardId;
  readonly shards: number;
  /** Plays a version that knows no more than this; the present one by default. */
  readonly featureLevel?: number | undefined;
}

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
  finished(restoringMachine(options, snapshot));

/** The same in steps of a few milliseconds. */
export function* restoringMachine(options: MachineOptions, snapshot: Uint8Array): Steps<Machine> {
  return new ShardMachine(options, yield* readingParts(options, snapshot));
}

/** The machine of a new cluster, from a snapshot of another one. Throws MalformedBytesError. `facts` default to its own: shard 0. */
export function machineInNewCluster(
  options: MachineOptions,
  snapshot: Uint8Array,
  { at, facts, factsAreLatest }: Omit<TakeOver, 'facts'> & { readonly facts?: TakeOver['facts'] | undefined },
): Machine {
  const parts = finished(readingParts(options, snapshot));
  return new ShardMachine(
    options,
    partsInNewCluster(parts, options.shards, { at, facts: facts ?? parts, factsAreLatest }),
  );
}

function* readingParts(options: MachineOptions, snapshot: Uint8Array): Steps<Parts> {
  const reader = new ByteReader(snapshot);
  const { format, shard, appliedThrough } = readHead(reader, options.featureLevel);
  if (shard !== options.shard)
    throw new MalformedBytesError(`a snapshot of shard ${shard}, not ${options.shard}`);
  const hash = reader.u32();
  const clock = wallMs(reader.f64());
  const { configuration, hasEnds, replicas, level } = readReplicas(reader, format);
  const notices = createNoticeLog(noticeLogCodec.read(reader));
  const topics = restoreTopics(reader.bytes());
  const ends = hasEnds ? Ends.restore(reader) : new Ends();
  const registers = yield* restoringRegisters(reader);
  const groups = yield* restoringGroups(reader.raw(reader.remaining));
  if (!ends.started) ends.derive(committedEnds(groups));
  return {
    ...{ groups, topics, registers, ends, notices, appliedThrough, hash, clock },
    ...{ configuration, replicas, level },
  };
}

const NOTHING: Pick<Applied, 'news' | 'timers'> = { news: [], timers: [] };
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
    this.#advance(at);
    this.#configuration = configuration;
    this.#hash = crc32c(configuration, this.#hash);
  }

  #advance(at: Slot): void {
    if (at !== nextSlot(this.#appliedThrough))
      broken(`slot ${at} is applied right after ${this.#appliedThrough}`);
    this.#appliedThrough = at;
  }

  apply(at: Slot, payload: Uint8Array | null): Applied | undefined {
    this.#advance(at);
    if (payload === null) {
      this.#hash = crc32cWord(0, this.#hash);
      return undefined;
    }
    const stamped = decodeCommand(payload, this.#options.featureLevel);
    this.#clock = wallMs(Math.max(this.#clock, stamped.at));
    const applied = this.#perform(stamped.command, { slot: at, at: this.#clock });
    // phxpaxos' chain of checksums: what was applied, and what it led to.
    this.#hash = this.#fingerprint(stamped.command, crc32c(payload, this.#hash));
    return applied;
  }

  #perform(command: Command, context: ApplyContext): Applied {
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
      const { view, reply } = changeReplicas(this.#replicas, command, this.#options.shards);
      this.#replicas = view;
      return { reply, news: [{ kind: 'replicas-changed' }], timers: [] };
    }
    const { reply, change } = this.topics.apply(command);
    if (change === null) return { reply, ...NOTHING };
    if (change.kind === 'ends-said') return { reply, news: this.#endsSaid(change, context), timers: [] };
    if (change.kind === 'topic-deleted') {
      const { name, id } = change.topic;
      const fact = { kind: 'topic-deleted', name, id } as const;
      this.#notices.publish(fact);
      const here = this.#learn(fact, context);
      return { reply, news: [change, ...here.news], timers: here.timers };
    }
    return { reply, news: [change], timers: [] };
  }

  #raise(to: number): Applied {
    const news: News[] = to > this.#level ? [{ kind: 'level-raised', level: to }] : [];
    this.#level = Math.max(this.#level, to);
    return { reply: { kind: 'level', level: this.#level }, news, timers: [] };
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

  #group(command: GroupCommand, context: ApplyContext): Applied {
    if (command.kind === 'group.deleteOffsets') return this.#deleteOffsets(command, context);
    const applied = this.groups.apply(command, context);
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
  ): Applied {
    const { group, topics } = command;
    const before = topics.flatMap(({ topic, partitions }) =>
      partitions.flatMap((partition) => this.groups.committed(group, topic, partition) ?? []),
    );
    const applied = this.groups.apply(command, context);
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
  #learn(fact: Notice['fact'], context: ApplyContext): Pick<Applied, 'news' | 'timers'> {
    if (fact.kind === 'ends-set-back') {
      this.ends.setBack(fact.id, fact.ends, fact.revision);
      return NOTHING;
    }
    this.ends.forget(fact.id);
    return this.groups.apply({ kind: 'group.topicDeleted', topic: fact.name, topicId: fact.id }, context);
  }

  #notice(command: NoticeCommand, context: ApplyContext): Applied {
    switch (command.kind) {
      case 'notice.receive': {
        const news: News[] = [];
        const timers: TimerChange[] = [];
        for (const { fact } of this.#notices.receive(command.notices)) {
          const outcome = this.#learn(fact, context);
          for (const one of outcome.news) news.push(one);
          for (const one of outcome.timers) timers.push(one);
        }
        return { reply: noticed(this.#notices.seenThrough), news, timers };
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
