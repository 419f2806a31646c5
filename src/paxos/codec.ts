import {
  ByteReader,
  ByteWriter,
  codec,
  type Codec,
  MalformedBytesError,
  type ReplicaId,
  type Slot,
  slot,
} from '../kernel/index.js';
import { type Ballot, ballotCodec } from './ballot.js';
import type { Begun, Configuration, Member } from './configuration.js';
import type { AcceptedEntry, Entry } from './entry.js';
import type { Message, MessageBody } from './messages.js';
import { quorumDescription } from './quorum-codec.js';
import type { HardRecord } from './types.js';

const slotCodec = codec.branded<Slot, number>()(codec.uint);

const configurationCodec = codec.struct<Configuration>({
  number: codec.uint,
  members: codec.array(
    codec.struct<Member>({ id: codec.branded<ReplicaId, number>()(codec.uint), incarnation: codec.string }),
  ),
  quorums: quorumDescription,
});

/** A command's bytes are a view of what is decoded: decode from bytes of your own. */
const entryCodec: Codec<Entry> = {
  write: (w, entry) => {
    if (entry.kind === 'noop') return w.u8(0);
    if (entry.kind === 'seal') {
      w.u8(2);
      return configurationCodec.write(w, entry.next);
    }
    w.u8(1);
    w.bytes(entry.payload);
  },
  read: (r) => {
    const kind = r.u8();
    if (kind === 0) return { kind: 'noop' };
    if (kind === 2) return { kind: 'seal', next: configurationCodec.read(r) };
    if (kind !== 1) throw new MalformedBytesError(`an entry of the unknown kind ${kind}`);
    return { kind: 'command', payload: r.bytes() };
  },
};
const entriesCodec = codec.array(entryCodec);
const acceptedEntriesCodec = codec.array(
  codec.struct<AcceptedEntry>({ ballot: ballotCodec, entry: entryCodec }),
);

const optionalBallotCodec: Codec<Ballot | undefined> = {
  write: (w, ballot) => {
    w.u8(ballot === undefined ? 0 : 1);
    if (ballot !== undefined) ballotCodec.write(w, ballot);
  },
  read: (r) => (r.u8() === 0 ? undefined : ballotCodec.read(r)),
};

type Body<K extends MessageBody['kind']> = Omit<Extract<MessageBody, { kind: K }>, 'kind'>;

/** Every shard sends these all the time: by hand, which is three times as fast as by a schema. */
const heartbeatCodec: Codec<Body<'heartbeat'>> = {
  write: (w, { round, ballot, leads, chosenThrough }) => {
    w.varint(round);
    ballotCodec.write(w, ballot);
    w.u8(leads ? 1 : 0);
    w.varint(chosenThrough);
  },
  read: (r) => ({
    round: r.varint(),
    ballot: ballotCodec.read(r),
    leads: r.u8() === 1,
    chosenThrough: slot(r.varint()),
  }),
};
const heartbeatReplyCodec: Codec<Body<'heartbeatReply'>> = {
  write: (w, reply) => {
    w.varint(reply.round);
    ballotCodec.write(w, reply.ballot);
    w.u8(reply.follows ? 1 : 0);
    w.u8(reply.content ? 1 : 0);
    w.u8(reply.votes ? 1 : 0);
    w.u8(reply.electable ? 1 : 0);
    w.zigzag(reply.priority);
    w.varint(reply.matched);
    w.varint(reply.chosenThrough);
  },
  read: (r) => ({
    round: r.varint(),
    ballot: ballotCodec.read(r),
    follows: r.u8() === 1,
    content: r.u8() === 1,
    votes: r.u8() === 1,
    electable: r.u8() === 1,
    priority: r.zigzag(),
    matched: slot(r.varint()),
    chosenThrough: slot(r.varint()),
  }),
};

const acceptCodec: Codec<Body<'accept'>> = {
  write: (w, { ballot, firstSlot, entries, chosenThrough }) => {
    ballotCodec.write(w, ballot);
    w.varint(firstSlot);
    entriesCodec.write(w, entries);
    w.varint(chosenThrough);
  },
  read: (r) => ({
    ballot: ballotCodec.read(r),
    firstSlot: slot(r.varint()),
    entries: entriesCodec.read(r),
    chosenThrough: slot(r.varint()),
  }),
};
const acceptedCodec: Codec<Body<'accepted'>> = {
  write: (w, { ballot, through, gap, votes }) => {
    ballotCodec.write(w, ballot);
    w.varint(through);
    w.u8(gap ? 1 : 0);
    w.u8(votes ? 1 : 0);
  },
  read: (r) => ({
    ballot: ballotCodec.read(r),
    through: slot(r.varint()),
    gap: r.u8() === 1,
    votes: r.u8() === 1,
  }),
};

const bodyCodec = codec.union<MessageBody>({
  heartbeat: { tag: 1, codec: heartbeatCodec },
  heartbeatReply: { tag: 2, codec: heartbeatReplyCodec },
  prepare: {
    tag: 3,
    codec: codec.struct({ ballot: ballotCodec, fromSlot: slotCodec, consent: optionalBallotCodec }),
  },
  promise: {
    tag: 4,
    codec: codec.struct({
      ballot: ballotCodec,
      firstSlot: slotCodec,
      accepted: acceptedEntriesCodec,
      last: codec.boolean,
      chosenThrough: slotCodec,
      logStart: slotCodec,
    }),
  },
  accept: { tag: 5, codec: acceptCodec },
  accepted: { tag: 6, codec: acceptedCodec },
  rejected: { tag: 7, codec: codec.struct({ ballot: ballotCodec }) },
  catchUp: { tag: 8, codec: codec.struct({ fromSlot: slotCodec }) },
  chosenEntries: {
    tag: 9,
    codec: codec.struct({ firstSlot: slotCodec, entries: acceptedEntriesCodec, chosenThrough: slotCodec }),
  },
  takeOver: { tag: 10, codec: codec.struct({ ballot: ballotCodec }) },
  ended: { tag: 11, codec: codec.struct({ chosenThrough: slotCodec }) },
});

/** Tags of the messages with payloads, which outlive the bytes that they came in. */
const KEPT: ReadonlySet<number> = new Set([4, 5, 9]);
/** Reused: a writer of its own for each message was 2 % of a busy replica's time. */
const scratch = new ByteWriter(4096);

export function writeMessage(writer: ByteWriter, message: Message): void {
  writer.varint(message.configuration);
  bodyCodec.write(writer, message);
}

/** The bytes of a message, of its own. */
export function encodeMessage(message: Message): Buffer {
  scratch.reset();
  writeMessage(scratch, message);
  return scratch.copy();
}

/**
 * Reads a message. The bytes may be used again afterwards: what the message keeps is copied, once.
 * Throws MalformedBytesError.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new ByteReader(bytes);
  return readMessage(reader, bytes.length);
}

/** The same of the next `length` bytes of a reader. */
export function readMessage(reader: ByteReader, length: number): Message {
  const { offset, buffer } = reader;
  const configuration = reader.varint();
  const isKept = KEPT.has(buffer[reader.offset]!);
  const from = isKept ? keptReader(reader, offset + length) : reader;
  const message = bodyCodec.read(from) as MessageBody & { configuration: number };
  message.configuration = configuration;
  const left = isKept ? from.remaining : offset + length - reader.offset;
  if (left > 0) throw new MalformedBytesError(`${left} bytes too many`);
  if (left < 0) throw new MalformedBytesError(`${-left} bytes wanted, 0 left (offset ${offset + length})`);
  return message;
}

/** What is left until `end`, as bytes of its own. */
const keptReader = (reader: ByteReader, end: number): ByteReader =>
  new ByteReader(Buffer.from(reader.raw(end - reader.offset)));

/** Types of the records in the write-ahead log. On disk: never change or reuse one. */
const RECORD = { promised: 1, accepted: 2, chosen: 3, snapshot: 4, configuration: 5 } as const;

const begunCodec = codec.struct<Begun>({ since: slotCodec, configuration: configurationCodec });

/** What a snapshot says of its configuration. */
export const encodeBegun = (begun: Begun): Buffer => codec.encode(begunCodec, begun);
/** Throws MalformedBytesError. */
export const decodeBegun = (bytes: Uint8Array): Begun => codec.decode(begunCodec, bytes);

interface AcceptedRecord {
  readonly ballot: Ballot;
  readonly firstSlot: Slot;
  readonly entries: readonly Entry[];
}
const acceptedRecordCodec: Codec<AcceptedRecord> = {
  write: (w, { ballot, firstSlot, entries }) => {
    ballotCodec.write(w, ballot);
    w.varint(firstSlot);
    entriesCodec.write(w, entries);
  },
  read: (r) => ({ ballot: ballotCodec.read(r), firstSlot: slot(r.varint()), entries: entriesCodec.read(r) }),
};

export function encodeRecord(record: HardRecord): { readonly type: number; readonly payload: Uint8Array } {
  const writer = scratch;
  writer.reset();
  switch (record.kind) {
    case 'promised':
      ballotCodec.write(writer, record.ballot);
      break;
    case 'accepted':
      acceptedRecordCodec.write(writer, record);
      break;
    case 'chosen':
    case 'snapshot':
      slotCodec.write(writer, record.through);
      break;
    case 'configuration':
      begunCodec.write(writer, record);
      break;
  }
  return { type: RECORD[record.kind], payload: writer.copy() };
}

/** Throws MalformedBytesError. Payloads of accepted commands are views of `payload`. */
export function decodeRecord(type: number, payload: Uint8Array): HardRecord {
  const reader = new ByteReader(payload);
  const record = readRecord(type, reader);
  reader.end();
  return record;
}

function readRecord(type: number, reader: ByteReader): HardRecord {
  switch (type) {
    case RECORD.promised:
      return { kind: 'promised', ballot: ballotCodec.read(reader) };
    case RECORD.accepted:
      return { kind: 'accepted', ...acceptedRecordCodec.read(reader) };
    case RECORD.chosen:
      return { kind: 'chosen', through: slotCodec.read(reader) };
    case RECORD.snapshot:
      return { kind: 'snapshot', through: slotCodec.read(reader) };
    case RECORD.configuration:
      return { kind: 'configuration', ...begunCodec.read(reader) };
    default:
      throw new MalformedBytesError(`a log record of the unknown type ${type}`);
  }
}
