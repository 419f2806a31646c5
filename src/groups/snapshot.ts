import {
  type ByteReader,
  ByteWriter,
  codec,
  type Decoded,
  finished,
  generation as generationOf,
  MalformedBytesError,
  PartedBytes,
  SNAPSHOT_CHUNK_BYTES,
  type Steps,
} from '../kernel/index.js';
import type { ClassicMember } from './classic/member.js';
import { type ClassicGroup, newClassicGroup } from './classic/state.js';
import {
  generation,
  fenceGrant,
  groupId,
  instanceId,
  joinProtocol,
  memberId,
  rebalanceRecord,
  topicName,
  wallMs,
} from './codecs.js';
import { Cut } from './cut.js';
import { createGroups, type GroupsState, ShardGroups } from './groups.js';
import type { StoredOffset } from './offsets.js';
import type { FenceGrant, Groups } from './types/views.js';

/** Grows with every change that an older version cannot read. */
const FORMAT = 2;
/** Without a start of tokens. Version 0.1.0 knows no other; written until there is one. */
const FORMAT_WITHOUT_TOKENS = 1;

const memberCodec = codec.struct<ClassicMember>({
  memberId,
  instanceId,
  clientId: codec.string,
  clientHost: codec.string,
  sessionTimeoutMs: codec.uint,
  rebalanceTimeoutMs: codec.uint,
  protocols: codec.array(joinProtocol),
  isNew: codec.boolean,
  waiting: codec.boolean,
  awaitingAssignment: codec.boolean,
  pendingSync: codec.boolean,
  assignment: codec.bytes,
  waitingSince: codec.nullable(wallMs),
  sessionToken: codec.uint,
});

/** The head of a group: what stands before its members, the members, what stands behind them. */
const beginningCodec = codec.struct({
  id: groupId,
  // Place 4 is taken: it was Kafka's `Dead`, which no group has ever been in.
  state: codec.oneOf('Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'),
  generation,
  protocolType: codec.nullable(codec.string),
  protocolName: codec.nullable(codec.string),
  leader: codec.nullable(memberId),
});
const pendingCodec = codec.struct({ member: memberId, timeoutMs: codec.uint, token: codec.uint });
const restCodec = codec.struct({
  timers: codec.array(
    codec.struct({ kind: codec.oneOf('initial', 'join', 'sync'), token: codec.uint, afterMs: codec.uint }),
  ),
  emptySince: codec.nullable(wallMs),
  initial: codec.nullable(codec.struct({ startedAt: wallMs, quietMs: codec.uint, delayMsMax: codec.uint })),
});
/** Behind the fences. */
const historyCodec = codec.struct({ history: codec.array(rebalanceRecord), historyMax: codec.uint });
const listOf = {
  members: codec.array(memberCodec),
  pending: codec.array(pendingCodec),
  fences: codec.array(fenceGrant),
};

const offsetTopicId = codec.nullable(codec.string);
const expiry = codec.nullable(wallMs);
const offsetCodec = codec.struct<StoredOffset>({
  topic: topicName,
  topicId: offsetTopicId,
  partition: codec.uint,
  offset: codec.int64,
  leaderEpoch: codec.int,
  metadata: codec.string,
  committedAt: wallMs,
  expiresAt: expiry,
});

/**
 * The whole state in chunks. It is that of the moment at which the first chunk is asked for: commands may be
 * applied between two chunks. Ends with `return` when not all is asked for.
 */
export function* snapshotGroups(
  groups: Groups,
  chunkBytes: number = SNAPSHOT_CHUNK_BYTES,
): Iterable<Uint8Array> {
  if (!(groups instanceof ShardGroups))
    throw new TypeError('snapshotGroups takes only a value that createGroups returned');
  const { state, cuts } = groups;
  const format = { head: writeHead, offset: offsetCodec.write.bind(offsetCodec) };
  const cut = new Cut(state.groups, format, chunkBytes);
  cuts.add(cut);
  try {
    const writer = new ByteWriter(1024);
    writer.u8(state.tokensFrom === 0 ? FORMAT_WITHOUT_TOKENS : FORMAT);
    writer.varint(state.generationFloor);
    if (state.tokensFrom !== 0) writer.varint(state.tokensFrom);
    writer.varint(state.groups.size);
    yield writer.copy();
    writer.reset();
    yield* cut.chunks(writer);
  } finally {
    cuts.delete(cut);
  }
}

function writeHead(writer: ByteWriter, group: ClassicGroup): void {
  beginningCodec.write(writer, group);
  listOf.members.write(writer, [...group.members.values()]);
  listOf.pending.write(
    writer,
    [...group.pending].map(([member, { timeoutMs, token }]) => ({ member, timeoutMs, token })),
  );
  const timers = [...group.timers].map(([kind, { token, afterMs }]) => ({ kind, token, afterMs }));
  restCodec.write(writer, { timers, emptySince: group.emptySince, initial: group.initial });
  listOf.fences.write(writer, group.fences.all());
  historyCodec.write(writer, group);
}

/** Throws MalformedBytesError. */
export const restoreGroups = (bytes: Uint8Array): Groups =>
  finished(restoringGroups(PartedBytes.whole(bytes)));

/** The same in steps, each as long as a chunk of a snapshot. They are the last that there is in `bytes`. */
export function* restoringGroups(bytes: PartedBytes): Steps<Groups> {
  const { generationFloor, tokensFrom, count } = yield* bytes.item(readHead);
  const groups = new Map<ClassicGroup['id'], ClassicGroup>();
  for (let i = 0; i < count; i++) {
    const group = yield* readingGroup(bytes);
    groups.set(group.id, group);
  }
  yield* bytes.atEnd();
  return createGroups({ groups, generationFloor, tokensFrom });
}

function readHead(
  reader: ByteReader,
): Pick<GroupsState, 'generationFloor' | 'tokensFrom'> & { readonly count: number } {
  const format = reader.u8();
  if (format !== FORMAT && format !== FORMAT_WITHOUT_TOKENS)
    throw new MalformedBytesError(
      `a snapshot of groups in format ${format}; this version reads format ${FORMAT}`,
    );
  const generationFloor = generationOf(reader.varint());
  const tokensFrom = format === FORMAT_WITHOUT_TOKENS ? 0 : reader.varint();
  return { generationFloor, tokensFrom, count: reader.varint() };
}

function* readingGroup(bytes: PartedBytes): Steps<ClassicGroup> {
  const beginning = yield* bytes.item((reader) => beginningCodec.read(reader));
  const members: ClassicMember[] = [];
  yield* bytes.counted((reader) => members.push(memberCodec.read(reader)));
  const pending: Decoded<typeof pendingCodec>[] = [];
  yield* bytes.counted((reader) => pending.push(pendingCodec.read(reader)));
  const { timers, ...rest } = yield* bytes.item((reader) => restCodec.read(reader));
  const fences: FenceGrant[] = [];
  yield* bytes.counted((reader) => fences.push(fenceGrant.read(reader)));
  const { history, historyMax } = yield* bytes.item((reader) => historyCodec.read(reader));
  const group: ClassicGroup = {
    ...newClassicGroup(beginning.id, beginning.generation),
    ...beginning,
    ...rest,
    ...{ history: [...history], historyMax },
  };
  for (const member of members) {
    group.members.add(member);
    if (member.instanceId !== null) group.staticMembers.set(member.instanceId, member.memberId);
  }
  for (const { member, timeoutMs, token } of pending) group.pending.set(member, { timeoutMs, token });
  for (const { kind, token, afterMs } of timers) group.timers.set(kind, { token, afterMs });
  group.fences.restore(fences);
  yield* bytes.counted((reader) => {
    // By hand: there are millions of them.
    const offset = {
      topic: topicName.read(reader),
      topicId: offsetTopicId.read(reader),
      partition: reader.varint(),
      offset: codec.int64.read(reader),
      leaderEpoch: reader.zigzag(),
      metadata: reader.string(),
    };
    const committedAt = wallMs.read(reader);
    group.offsets.put(offset, committedAt, expiry.read(reader));
  });
  return group;
}
