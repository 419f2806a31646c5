import {
  ByteReader,
  ByteWriter,
  codec,
  type Codec,
  MalformedBytesError,
  type Slot,
} from '../kernel/index.js';
import { type Ballot, ballotCodec } from './ballot.js';
import type { AcceptedEntry, Entry } from './entry.js';
import type { Message, MessageBody } from './messages.js';
import type { HardRecord } from './types.js';

const slotCodec = codec.branded<Slot, number>()(codec.uint);

/** A command's bytes are a view of what is decoded: decode from bytes of your own. */
const entryCodec: Codec<Entry> = {
  write: (w, entry) => {
    if (entry.kind === 'noop') return w.u8(0);
    w.u8(1);
    w.bytes(entry.payload);
  },
  read: (r) => {
    const kind = r.u8();
    if (kind === 0) return { kind: 'noop' };
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

const bodyCodec = codec.union<MessageBody>({
  heartbeat: {
    tag: 1,
    codec: codec.struct({
      round: codec.uint,
      ballot: ballotCodec,
      leads: codec.boolean,
      chosenThrough: slotCodec,
    }),
  },
  heartbeatReply: {
    tag: 2,
    codec: codec.struct({
      round: codec.uint,
      ballot: ballotCodec,
      follows: codec.boolean,
      content: codec.boolean,
      votes: codec.boolean,
      electable: codec.boolean,
      priority: codec.int,
      matched: slotCodec,
      chosenThrough: slotCodec,
    }),
  },
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
  accept: {
    tag: 5,
    codec: codec.struct({
      ballot: ballotCodec,
      firstSlot: slotCodec,
      entries: entriesCodec,
      chosenThrough: slotCodec,
    }),
  },
  accepted: {
    tag: 6,
    codec: codec.struct({
      ballot: ballotCodec,
      through: slotCodec,
      gap: codec.boolean,
      votes: codec.boolean,
    }),
  },
  rejected: { tag: 7, codec: codec.struct({ ballot: ballotCodec }) },
  catchUp: { tag: 8, codec: codec.struct({ fromSlot: slotCodec }) },
  chosenEntries: {
    tag: 9,
    codec: codec.struct({ firstSlot: slotCodec, entries: acceptedEntriesCodec, chosenThrough: slotCodec }),
  },
  takeOver: { tag: 10, codec: codec.struct({ ballot: ballotCodec }) },
});

/** Tags of the messages with payloads, which outlive the bytes that they came in. */
const KEPT: ReadonlySet<number> = new Set([4, 5, 9]);
/** Reused: a writer of its own for each message was 2 % of a busy replica's time. */
const scratch = new ByteWriter(4096);

/** The bytes of a message, of its own. */
export function encodeMessage(message: Message): Buffer {
  scratch.reset();
  scratch.varint(message.configuration);
  bodyCodec.write(scratch, message);
  return scratch.copy();
}

/**
 * Reads a message. The bytes may be used again afterwards: what the message keeps is copied, once.
 * Throws MalformedBytesError.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new ByteReader(bytes);
  const configuration = reader.varint();
  const kept = KEPT.has(bytes[reader.offset]!) ? new ByteReader(Buffer.from(bytes)) : reader;
  kept.rewind(reader.offset);
  const body = bodyCodec.read(kept);
  kept.end();
  return { configuration, ...body };
}

/** Types of the records in the write-ahead log. On disk: never change or reuse one. */
const RECORD = { promised: 1, accepted: 2, chosen: 3, snapshot: 4 } as const;

const acceptedRecordCodec = codec.struct<{ ballot: Ballot; firstSlot: Slot; entries: readonly Entry[] }>({
  ballot: ballotCodec,
  firstSlot: slotCodec,
  entries: entriesCodec,
});

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
    default:
      throw new MalformedBytesError(`a log record of the unknown type ${type}`);
  }
}
