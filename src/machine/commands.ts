import {
  ByteReader,
  ByteWriter,
  codec,
  MalformedBytesError,
  type TopicId,
  type TopicName,
  type WallMs,
  wallMs,
  type Codec,
} from '../kernel/index.js';
import { groupCommandCodec, type GroupCommand } from '../groups/index.js';
import { registerCommandCodec, type RegisterCommand } from '../registers/index.js';
import {
  type EndsCommand,
  endsCommandCodec,
  partitionEnd,
  topicCommandCodec,
  type TopicCommand,
} from '../topics/index.js';
import { FEATURE_LEVEL, FIRST_FEATURE_LEVEL, type LevelCommand, levelCommandCodec } from './feature-level.js';
import { type ReplicasCommand, replicasCommandCodec } from './replica-plan.js';
import type { Command, Notice, NoticeCommand, StampedCommand } from './types.js';

/** The format of commands in the log. A replica refuses a format that it does not know: it would apply it wrongly. */
const FORMAT = 1;

/** Which room a command belongs to. Tags are in the log: never change or reuse one. */
const ROOM = { group: 1, topic: 2, notice: 3, record: 4, ends: 5, replicas: 6, level: 7 } as const;

const topicId = codec.branded<TopicId, string>()(codec.string);
const noticeCodec = codec.struct<Notice>({
  sequence: codec.uint,
  fact: codec.union<Notice['fact']>({
    'topic-deleted': {
      tag: 1,
      codec: codec.struct({
        name: codec.branded<TopicName, string>()(codec.string),
        id: topicId,
      }),
    },
    'ends-set-back': {
      tag: 2,
      codec: codec.struct({ id: topicId, ends: codec.array(partitionEnd), revision: codec.uint }),
    },
  }),
});
export const noticesCodec = codec.array(noticeCodec);

const noticeCommandCodec = codec.union<NoticeCommand>({
  'notice.receive': { tag: 1, codec: codec.struct({ notices: noticesCodec }) },
  'notice.acknowledge': { tag: 2, codec: codec.struct({ shard: codec.uint, through: codec.uint }) },
});

export const isTopicCommand = (command: Command): command is TopicCommand =>
  command.kind.startsWith('topic.');
export const isNoticeCommand = (command: Command): command is NoticeCommand =>
  command.kind.startsWith('notice.');
export const isGroupCommand = (command: Command): command is GroupCommand =>
  command.kind.startsWith('group.');

export const isRegisterCommand = (command: Command): command is RegisterCommand =>
  command.kind.startsWith('record.');

export const isEndsCommand = (command: Command): command is EndsCommand => command.kind.startsWith('ends.');

export const isReplicasCommand = (command: Command): command is ReplicasCommand =>
  command.kind.startsWith('replicas.');

export const isLevelCommand = (command: Command): command is LevelCommand =>
  command.kind.startsWith('level.');

const commandCodec: Codec<Command> = {
  write: (w, command) => {
    // What comes most comes first.
    if (isGroupCommand(command)) {
      w.u8(ROOM.group);
      groupCommandCodec.write(w, command);
    } else if (isTopicCommand(command)) {
      w.u8(ROOM.topic);
      topicCommandCodec.write(w, command);
    } else if (isNoticeCommand(command)) {
      w.u8(ROOM.notice);
      noticeCommandCodec.write(w, command);
    } else if (isRegisterCommand(command)) {
      w.u8(ROOM.record);
      registerCommandCodec.write(w, command);
    } else if (isEndsCommand(command)) {
      w.u8(ROOM.ends);
      endsCommandCodec.write(w, command);
    } else if (isReplicasCommand(command)) {
      w.u8(ROOM.replicas);
      replicasCommandCodec.write(w, command);
    } else {
      w.u8(ROOM.level);
      levelCommandCodec.write(w, command);
    }
  },
  read: (r) => {
    const room = r.u8();
    switch (room) {
      case ROOM.group:
        return groupCommandCodec.read(r);
      case ROOM.topic:
        return topicCommandCodec.read(r);
      case ROOM.notice:
        return noticeCommandCodec.read(r);
      case ROOM.record:
        return registerCommandCodec.read(r);
      case ROOM.ends:
        return endsCommandCodec.read(r);
      case ROOM.replicas:
        return replicasCommandCodec.read(r);
      case ROOM.level:
        return levelCommandCodec.read(r);
      default:
        throw new MalformedBytesError(`a command of the unknown room ${room}`);
    }
  },
};

const LEVELS: Readonly<Partial<Record<Command['kind'], number>>> = {
  'group.startTokens': 2,
  'topic.setEnds': 3,
  'ends.start': 3,
  'group.expireThese': 3,
  'group.rollCall': 4,
  'replicas.plan': 5,
  'replicas.met': 5,
  'replicas.ready': 5,
  'replicas.sealed': 5,
  'replicas.cancel': 5,
  'replicas.supersede': 7,
  'replicas.readyIn': 7,
  'level.raise': 6,
};
/** Version 0.1.0 reads numbers only. */
const LEVEL_OF_WIDE_OFFSETS = 2;

/** A command may be proposed when the cluster uses this level: each replica must be able to apply it. */
export function levelOf(command: Command): number {
  if (command.kind === 'group.commit' && command.offsets.some(({ offset }) => typeof offset === 'bigint'))
    return LEVEL_OF_WIDE_OFFSETS;
  return LEVELS[command.kind] ?? FIRST_FEATURE_LEVEL;
}

const scratch = new ByteWriter(4096);

/** The bytes of a command as the log carries them. */
export function encodeCommand({ at, command }: StampedCommand): Buffer {
  scratch.reset();
  scratch.u8(FORMAT);
  scratch.f64(at);
  commandCodec.write(scratch, command);
  return scratch.copy();
}

/**
 * The reverse of encodeCommand, in a version of this feature level. Throws MalformedBytesError: this version cannot apply the
 * command and must not skip it.
 */
export function decodeCommand(payload: Uint8Array, featureLevel = FEATURE_LEVEL): StampedCommand {
  const reader = new ByteReader(payload);
  const format = reader.u8();
  if (format !== FORMAT) {
    throw new MalformedBytesError(
      `a command of format ${format}, this version knows ${FORMAT}: upgrade this replica`,
    );
  }
  const at: WallMs = wallMs(reader.f64());
  const command = commandCodec.read(reader);
  reader.end();
  if (featureLevel < FEATURE_LEVEL && levelOf(command) > featureLevel) {
    throw new MalformedBytesError(
      `${command.kind} is a command of feature level ${levelOf(command)}, this version knows ${featureLevel}: upgrade this replica`,
    );
  }
  return { at, command };
}
