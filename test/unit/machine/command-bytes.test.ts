import { describe, expect, it } from '@jest/globals';
import {
  generation,
  groupId,
  instanceId,
  type Int64,
  MalformedBytesError,
  memberId,
  topicName,
  wallMs,
} from '../../../src/kernel/index.js';
import { type Command, decodeCommand, encodeCommand } from '../../../src/machine/index.js';

type Commit = Extract<Command, { kind: 'group.commit' }>;

const offset = {
  topic: topicName('orders'),
  topicId: '0b0c0d0e-0000-4000-8000-000000000001',
  partition: 7,
  offset: 41,
  leaderEpoch: -1,
  metadata: '',
};
const wide = {
  ...{ ...offset, topicId: null, partition: 300, leaderEpoch: 5 },
  ...{ offset: (2n ** 60n) as Int64, metadata: 'x'.repeat(70) },
};
const commit: Commit = {
  kind: 'group.commit',
  group: groupId('billing-päd'),
  generation: generation(3),
  memberId: memberId('m-1'),
  instanceId: null,
  groupNotFoundKnown: true,
  retentionMs: null,
  offsetMetadataBytesMax: 4_096,
  offsets: [offset, wide],
};
const ofInstance: Commit = {
  ...commit,
  ...{ instanceId: instanceId('i-1'), retentionMs: 1_500.5, groupNotFoundKnown: false, offsets: [] },
};

/** As the version before wrote them: they are in logs. */
const HEAD = '01426d1a94a200000001040c62696c6c696e672d70c3a46406036d2d31';
const BYTES: readonly (readonly [Commit, string])[] = [
  [
    commit,
    `${HEAD}000100802002066f7264657273012430623063306430652d303030302d343030302d383030302d3030303030303030303030310e40448000000000000100066f726465727300d8047ff800000000000010000000000000000a46${'78'.repeat(70)}`,
  ],
  [ofInstance, `${HEAD}0103692d3100014097720000000000802000`],
];

describe('a commit in the log', () => {
  it('has the bytes that it always had, and comes back as it was', () => {
    for (const [command, bytes] of BYTES) {
      const stamped = { at: wallMs(1e12), command };
      expect(encodeCommand(stamped).toString('hex')).toBe(bytes);
      expect(decodeCommand(Buffer.from(bytes, 'hex'))).toEqual(stamped);
    }
  });

  it('is refused wherever it is cut off', () => {
    for (const [, hex] of BYTES) {
      const bytes = Buffer.from(hex, 'hex');
      for (let length = 0; length < bytes.length; length++)
        expect(() => decodeCommand(bytes.subarray(0, length))).toThrow(MalformedBytesError);
    }
  });
});
