import { describe, expect, it } from '@jest/globals';
import { MalformedBytesError, replicaId, seededRandom, slot } from '../../../src/kernel/index.js';
import {
  decodeMessage,
  decodeRecord,
  encodeMessage,
  encodeRecord,
  type HardRecord,
  isDroppable,
  type Message,
} from '../../../src/paxos/index.js';
import { messages, records } from './random-message.js';

const RUNS = 300;

/** What a decoder says of bytes that it refuses. */
function refusal(decode: () => unknown): string {
  try {
    return `accepted: ${JSON.stringify(decode())}`;
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedBytesError);
    return (error as Error).message;
  }
}

/** What is said of bytes that end too early: the place and what is missing, or a length that cannot be. */
const TOO_SHORT = /bytes wanted, \d+ left \(offset \d+\)|an array of \d+ items in \d+ bytes/;

const hex = (message: Message): string => encodeMessage(message).toString('hex');

describe('messages in bytes', () => {
  it.each(Object.entries(messages))('%s comes back as it was', (_kind, make) => {
    const random = seededRandom(7);
    for (let run = 0; run < RUNS; run++) {
      const message: Message = make(random);
      const bytes = encodeMessage(message);
      expect(decodeMessage(bytes)).toEqual(message);
      expect(encodeMessage(decodeMessage(bytes)).equals(bytes)).toBe(true);
    }
  });

  it.each(Object.entries(messages))('%s is refused wherever it is cut off', (_kind, make) => {
    const random = seededRandom(8);
    for (let run = 0; run < 30; run++) {
      const bytes = encodeMessage(make(random));
      for (let length = 0; length < bytes.length; length++)
        expect(refusal(() => decodeMessage(bytes.subarray(0, length)))).toMatch(TOO_SHORT);
    }
  });

  it.each(Object.entries(messages))('%s is refused with a byte too many', (_kind, make) => {
    const bytes = Buffer.concat([encodeMessage(make(seededRandom(9))), Buffer.from([0])]);
    expect(refusal(() => decodeMessage(bytes))).toMatch(/1 bytes/);
  });

  it('keep nothing of the bytes they were read from', () => {
    const message: Message = {
      configuration: 1,
      kind: 'accept',
      ballot: { round: 1, priority: 0, replica: replicaId(1) },
      firstSlot: slot(1),
      entries: [{ kind: 'command', payload: Buffer.from('kept') }],
      chosenThrough: slot(0),
    };
    const bytes = encodeMessage(message);
    const decoded = decodeMessage(bytes);
    bytes.fill(0xff);
    expect(decoded).toEqual(message);
  });

  it('refuse a tag and an entry of a kind that nobody knows', () => {
    expect(refusal(() => decodeMessage(Buffer.from([1, 99])))).toBe('no variant with tag 99');
    const accept: Message = {
      configuration: 1,
      kind: 'accept',
      ballot: { round: 1, priority: 0, replica: replicaId(1) },
      firstSlot: slot(1),
      entries: [{ kind: 'noop' }],
      chosenThrough: slot(0),
    };
    const bytes = encodeMessage(accept);
    // The entry's kind is the last byte but the one of `chosenThrough`.
    bytes[bytes.length - 2] = 7;
    expect(refusal(() => decodeMessage(bytes))).toBe('an entry of the unknown kind 7');
  });

  it('have the bytes they had before', () => {
    const ballot = { round: 300, priority: 2, replica: replicaId(1) };
    expect(hex({ configuration: 1, kind: 'rejected', ballot })).toBe('0107ac020402');
    expect(hex({ configuration: 1, kind: 'catchUp', fromSlot: slot(5) })).toBe('010805');
    expect(hex({ configuration: 2, kind: 'takeOver', ballot })).toBe('020aac020402');
    expect(hex({ configuration: 1, kind: 'prepare', ballot, fromSlot: slot(9), consent: undefined })).toBe(
      '0103ac0204020900',
    );
  });

  it('of phase 2 keep their bytes', () => {
    const entries: Extract<Message, { kind: 'accept' }>['entries'] = [
      { kind: 'noop' },
      { kind: 'command', payload: Buffer.from('abc') },
    ];
    const [wide, firstSlot] = [{ round: 300, priority: -2, replica: replicaId(2) }, slot(1_000)];
    const accept = { kind: 'accept', configuration: 1, ballot: wide, firstSlot, entries } as const;
    expect(hex({ ...accept, chosenThrough: slot(999) })).toBe('0105ac020304e80702000103616263e707');
    const accepted = { kind: 'accepted', configuration: 1, ballot: wide, through: slot(1_001) } as const;
    expect(hex({ ...accepted, gap: true, votes: false })).toBe('0106ac020304e9070100');
    expect(hex({ ...accepted, gap: false, votes: true })).toBe('0106ac020304e9070001');
    const record = encodeRecord({ kind: 'accepted', ballot: wide, firstSlot, entries });
    expect(Buffer.from(record.payload).toString('hex')).toBe('ac020304e80702000103616263');
  });

  it('may be dropped by the transport only when the next round says them again', () => {
    const droppable = Object.values(messages)
      .map((make): Message => make(seededRandom(1)))
      .filter(isDroppable)
      .map(({ kind }) => kind);
    expect(droppable).toEqual(['heartbeat', 'heartbeatReply']);
  });
});

describe('records in bytes', () => {
  it.each(Object.entries(records))('%s comes back as it was', (_kind, make) => {
    const random = seededRandom(10);
    for (let run = 0; run < RUNS; run++) {
      const record: HardRecord = make(random);
      const { type, payload } = encodeRecord(record);
      expect(decodeRecord(type, payload)).toEqual(record);
    }
  });

  it.each(Object.entries(records))('%s is refused wherever it is cut off, and with more', (_kind, make) => {
    const random = seededRandom(11);
    for (let run = 0; run < 30; run++) {
      const { type, payload } = encodeRecord(make(random));
      for (let length = 0; length < payload.length; length++)
        expect(refusal(() => decodeRecord(type, payload.subarray(0, length)))).toMatch(TOO_SHORT);
      expect(refusal(() => decodeRecord(type, Buffer.concat([payload, Buffer.from([0])])))).toMatch(
        /1 bytes/,
      );
    }
  });

  it('keep their types on disk', () => {
    const types = Object.entries(records).map(([kind, make]) => [
      kind,
      encodeRecord(make(seededRandom(1))).type,
    ]);
    expect(Object.fromEntries(types)).toEqual({
      ...{ promised: 1, accepted: 2, chosen: 3, snapshot: 4, configuration: 5 },
    });
  });

  it('refuse a type that nobody knows', () => {
    expect(refusal(() => decodeRecord(9, Buffer.from([0])))).toBe('a log record of the unknown type 9');
  });
});
