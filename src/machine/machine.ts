import {
  assert,
  assertNever,
  ByteReader,
  ByteWriter,
  crc32c,
  crc32cWord,
  MalformedBytesError,
  nextSlot,
  NO_SLOT,
  type ShardId,
  type Slot,
  slot,
  type WallMs,
  wallMs,
} from '../kernel/index.js';
import { createGroups, restoreGroups, snapshotGroups, type GroupNews, type Groups } from '../groups/index.js';
import { createRegisters, restoreRegisters, snapshotRegisters, type Registers } from '../registers/index.js';
import { createTopics, restoreTopics, snapshotTopics, type Topics } from '../topics/index.js';
import {
  decodeCommand,
  isGroupCommand,
  isNoticeCommand,
  isRegisterCommand,
  isTopicCommand,
} from './commands.js';
import { createNoticeLog, emptyNoticeLog, noticeLogCodec, type NoticeLog } from './notices.js';
import type {
  Applied,
  ApplyContext,
  Command,
  MachineView,
  Notice,
  NoticeCommand,
  Reply,
  TimerChange,
} from './types.js';

/** The replicated state machine of one shard. Its state depends on the log alone and is the same on every replica. */
export interface Machine extends MachineView {
  /** Applies the entry of the next slot: a command's bytes, or null for a no-op. */
  apply(at: Slot, payload: Uint8Array | null): Applied | undefined;
  /** The whole state in chunks; consume before the next apply. */
  snapshot(): Iterable<Uint8Array>;
}

export interface MachineOptions {
  readonly shard: ShardId;
  readonly shards: number;
}

/** Grows with every change that an older version cannot read. */
const SNAPSHOT_FORMAT = 2;

interface Parts {
  readonly groups: Groups;
  readonly topics: Topics;
  readonly registers: Registers;
  readonly notices: NoticeLog;
  readonly appliedThrough: Slot;
  readonly hash: number;
  readonly clock: WallMs;
}

export function createMachine(options: MachineOptions): Machine {
  return new ShardMachine(options, {
    groups: createGroups(),
    topics: createTopics(),
    registers: createRegisters(),
    notices: createNoticeLog(emptyNoticeLog(options.shards)),
    appliedThrough: NO_SLOT,
    hash: 0,
    clock: wallMs(0),
  });
}

/** Rebuilds a machine from what `snapshot()` gave. Throws MalformedBytesError when it is not that. */
export function restoreMachine(options: MachineOptions, snapshot: Uint8Array): Machine {
  const reader = new ByteReader(snapshot);
  const format = reader.u8();
  if (format !== SNAPSHOT_FORMAT) {
    throw new MalformedBytesError(`a snapshot of format ${format}, this version knows ${SNAPSHOT_FORMAT}`);
  }
  const shard = reader.varint();
  if (shard !== options.shard)
    throw new MalformedBytesError(`a snapshot of shard ${shard}, not ${options.shard}`);
  const appliedThrough = slot(reader.varint());
  const hash = reader.u32();
  const clock = wallMs(reader.f64());
  const notices = createNoticeLog(noticeLogCodec.read(reader));
  const topics = restoreTopics(reader.bytes());
  const registers = restoreRegisters(reader);
  const groups = restoreGroups(reader.raw(reader.remaining));
  return new ShardMachine(options, { groups, topics, registers, notices, appliedThrough, hash, clock });
}

const NOTHING: Pick<Applied, 'news' | 'timers'> = { news: [], timers: [] };

class ShardMachine implements Machine {
  readonly groups: Groups;
  readonly topics: Topics;
  readonly registers: Registers;
  readonly #options: MachineOptions;
  readonly #notices: NoticeLog;
  #appliedThrough: Slot;
  #hash: number;
  /** The leaders' wall clock. It does not go back when leadership moves to a replica whose clock is behind. */
  #clock: WallMs;

  constructor(options: MachineOptions, parts: Parts) {
    this.#options = options;
    this.groups = parts.groups;
    this.topics = parts.topics;
    this.registers = parts.registers;
    this.#notices = parts.notices;
    this.#appliedThrough = parts.appliedThrough;
    this.#hash = parts.hash;
    this.#clock = parts.clock;
  }

  get appliedThrough(): Slot {
    return this.#appliedThrough;
  }
  get hash(): number {
    return this.#hash;
  }

  pendingNotices(shard: number): readonly Notice[] {
    return this.#notices.pending(shard);
  }

  apply(at: Slot, payload: Uint8Array | null): Applied | undefined {
    assert(
      at === nextSlot(this.#appliedThrough),
      `slot ${at} is applied right after ${this.#appliedThrough}`,
    );
    this.#appliedThrough = at;
    if (payload === null) {
      this.#hash = crc32cWord(0, this.#hash);
      return undefined;
    }
    const stamped = decodeCommand(payload);
    this.#clock = wallMs(Math.max(this.#clock, stamped.at));
    const applied = this.#perform(stamped.command, { slot: at, at: this.#clock });
    // phxpaxos' chain of checksums: what was applied, and what it led to.
    this.#hash = this.#fingerprint(stamped.command, crc32c(payload, this.#hash));
    return applied;
  }

  #perform(command: Command, context: ApplyContext): Applied {
    if (isGroupCommand(command)) return this.groups.apply(command, context);
    if (isRegisterCommand(command)) return { reply: this.registers.apply(command), ...NOTHING };
    if (isNoticeCommand(command)) return this.#notice(command, context);
    assert(this.#options.shard === 0, 'topics live in shard 0');
    const { reply, change } = this.topics.apply(command);
    if (change === null) return { reply, ...NOTHING };
    if (change.kind === 'topic-deleted') {
      const { name, id } = change.topic;
      this.#notices.publish({ kind: 'topic-deleted', name, id });
      const here = this.groups.apply({ kind: 'group.topicDeleted', topic: name, topicId: id }, context);
      return { reply, news: [change, ...here.news], timers: here.timers };
    }
    return { reply, news: [change], timers: [] };
  }

  #notice(command: NoticeCommand, context: ApplyContext): Applied {
    switch (command.kind) {
      case 'notice.receive': {
        const news: GroupNews[] = [];
        const timers: TimerChange[] = [];
        for (const { fact } of this.#notices.receive(command.notices)) {
          const outcome = this.groups.apply(
            { kind: 'group.topicDeleted', topic: fact.name, topicId: fact.id },
            context,
          );
          for (const one of outcome.news) news.push(one);
          for (const one of outcome.timers) timers.push(one);
        }
        return { reply: this.#noticed(this.#notices.seenThrough), news, timers };
      }
      case 'notice.acknowledge':
        this.#notices.acknowledge(command.shard, command.through);
        return { reply: this.#noticed(command.through), ...NOTHING };
      default:
        return assertNever(command);
    }
  }

  #noticed(through: number): Reply {
    return { kind: 'noticed', through };
  }

  #fingerprint(command: Command, previous: number): number {
    if (isTopicCommand(command)) return this.topics.fingerprint(previous);
    if (isRegisterCommand(command)) return this.registers.fingerprint(command, previous);
    if ('group' in command) return this.groups.fingerprint(command.group, previous);
    return crc32cWord(this.groups.offsetCount, previous);
  }

  *snapshot(): Iterable<Uint8Array> {
    const head = new ByteWriter(1024);
    head.u8(SNAPSHOT_FORMAT);
    head.varint(this.#options.shard);
    head.varint(this.#appliedThrough);
    head.u32(this.#hash);
    head.f64(this.#clock);
    noticeLogCodec.write(head, this.#notices.save());
    head.bytes(snapshotTopics(this.topics));
    yield head.copy();
    yield* snapshotRegisters(this.registers);
    yield* snapshotGroups(this.groups);
  }
}
