import {
  ByteReader,
  ByteWriter,
  chunkWasRead,
  codec,
  finished,
  generation as generationOf,
  MalformedBytesError,
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
import { createGroups, ShardGroups } from './groups.js';
import type { StoredOffset } from './offsets.js';
import type { Groups } from './types/views.js';

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

const headCodec = codec.struct({
  id: groupId,
  // Place 4 is taken: it was Kafka's `Dead`, which no group has ever been in.
  state: codec.oneOf('Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'),
  generation,
  protocolType: codec.nullable(codec.string),
  protocolName: codec.nullable(codec.string),
  leader: codec.nullable(memberId),
  members: codec.array(memberCodec),
  pending: codec.array(codec.struct({ member: memberId, timeoutMs: codec.uint, token: codec.uint })),
  timers: codec.array(
    codec.struct({ kind: codec.oneOf('initial', 'join', 'sync'), token: codec.uint, afterMs: codec.uint }),
  ),
  emptySince: codec.nullable(wallMs),
  initial: codec.nullable(codec.struct({ startedAt: wallMs, quietMs: codec.uint, delayMsMax: codec.uint })),
  fences: codec.array(fenceGrant),
  history: codec.array(rebalanceRecord),
  historyMax: codec.uint,
});

const offsetCodec = codec.struct<StoredOffset>({
  topic: topicName,
  topicId: codec.nullable(codec.string),
  partition: codec.uint,
  offset: codec.int64,
  leaderEpoch: codec.int,
  metadata: codec.string,
  committedAt: wallMs,
  expiresAt: codec.nullable(wallMs),
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
  headCodec.write(writer, {
    ...group,
    members: [...group.members.values()],
    pending: [...group.pending].map(([member, { timeoutMs, token }]) => ({ member, timeoutMs, token })),
    timers: [...group.timers].map(([kind, { token, afterMs }]) => ({ kind, token, afterMs })),
    fences: group.fences.all(),
  });
}

/** Throws MalformedBytesError. */
export const restoreGroups = (bytes: Uint8Array): Groups => finished(restoringGroups(bytes));

/** The same in steps, each as long as a chunk of a snapshot. */
export function* restoringGroups(bytes: Uint8Array): Steps<Groups> {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== FORMAT && format !== FORMAT_WITHOUT_TOKENS)
    throw new MalformedBytesError(
      `a snapshot of groups in format ${format}; this version reads format ${FORMAT}`,
    );
  const generationFloor = generationOf(reader.varint());
  const tokensFrom = format === FORMAT_WITHOUT_TOKENS ? 0 : reader.varint();
  const groups = new Map<ClassicGroup['id'], ClassicGroup>();
  const count = reader.varint();
  const stepEnds = chunkWasRead(reader);
  for (let i = 0; i < count; i++) {
    const group = yield* readingGroup(reader, stepEnds);
    groups.set(group.id, group);
    if (stepEnds()) yield;
  }
  reader.end();
  return createGroups({ groups, generationFloor, tokensFrom });
}

function* readingGroup(reader: ByteReader, stepEnds: () => boolean): Steps<ClassicGroup> {
  const { members, pending, timers, fences, history, ...head } = headCodec.read(reader);
  const group: ClassicGroup = {
    ...newClassicGroup(head.id, head.generation),
    ...head,
    history: [...history],
  };
  for (const member of members) {
    group.members.add(member);
    if (member.instanceId !== null) group.staticMembers.set(member.instanceId, member.memberId);
  }
  for (const { member, timeoutMs, token } of pending) group.pending.set(member, { timeoutMs, token });
  for (const { kind, token, afterMs } of timers) group.timers.set(kind, { token, afterMs });
  group.fences.restore(fences);
  const offsets = reader.varint();
  for (let i = 0; i < offsets; i++) {
    const { committedAt, expiresAt, ...offset } = offsetCodec.read(reader);
    group.offsets.put(offset, committedAt, expiresAt);
    if (stepEnds()) yield;
  }
  return group;
}
