import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../../src/kernel/index.js';
import {
  advertisedVersions,
  API_KEYS,
  APIS,
  findApi,
  WireError,
  WireReader,
  WireWriter,
} from '../../../src/wire/index.js';
import { everyVersion, type AnyApi } from './every-version.js';
import { randomMessage } from './random-message.js';

const bytesOf = (write: (writer: WireWriter) => void): Buffer => {
  const writer = new WireWriter(1);
  write(writer);
  return writer.copy();
};
const sides = ['request', 'response'] as const;
const encode = (api: AnyApi, side: (typeof sides)[number], version: number, value: unknown): Buffer =>
  bytesOf((w) =>
    side === 'request' ? api.encodeRequest(w, version, value) : api.encodeResponse(w, version, value),
  );
const decode = (
  api: AnyApi,
  side: (typeof sides)[number],
  version: number,
  from: WireReader | Buffer,
): unknown => (side === 'request' ? api.decodeRequest(from, version) : api.decodeResponse(from, version));

const refuses = (act: () => unknown): boolean => {
  try {
    act();
    return false;
  } catch (error) {
    if (error instanceof WireError) return true;
    throw error;
  }
};

describe('the advertised matrix', () => {
  it('is the one of docs/wire.md', () => {
    expect(
      advertisedVersions().map(
        ({ apiKey, minVersion, maxVersion }) => `${apiKey} ${APIS[apiKey].name} ${minVersion}-${maxVersion}`,
      ),
    ).toEqual([
      '0 Produce 3-9',
      '1 Fetch 4-12',
      '2 ListOffsets 1-10',
      '3 Metadata 0-13',
      '8 OffsetCommit 2-10',
      '9 OffsetFetch 1-10',
      '10 FindCoordinator 0-6',
      '11 JoinGroup 0-9',
      '12 Heartbeat 0-4',
      '13 LeaveGroup 0-5',
      '14 SyncGroup 0-5',
      '15 DescribeGroups 0-6',
      '16 ListGroups 0-5',
      '18 ApiVersions 0-4',
      '19 CreateTopics 2-7',
      '20 DeleteTopics 1-6',
      '32 DescribeConfigs 1-4',
      '37 CreatePartitions 0-3',
      '42 DeleteGroups 0-2',
      '44 IncrementalAlterConfigs 0-1',
      '47 OffsetDelete 0-0',
      '60 DescribeCluster 0-1',
    ]);
  });

  it('stands under its own keys', () => {
    for (const key of API_KEYS) expect(APIS[key].key).toBe(key);
    expect(findApi(4)).toBeUndefined();
    expect(findApi(-1)).toBeUndefined();
  });

  it('refuses versions outside of it', () => {
    expect(() => APIS[1].decodeRequest(Buffer.alloc(100), 13)).toThrow(WireError);
    expect(() => APIS[8].decodeRequest(Buffer.alloc(100), 1)).toThrow(WireError);
    expect(() => APIS[12].decodeRequest(Buffer.alloc(100), -1)).toThrow(WireError);
  });
});

describe.each(everyVersion())('$name v$version', ({ api, version }) => {
  it.each(sides)('reads the %s that it wrote, whole, and refuses every part of it', (side) => {
    const random = seededRandom(api.key * 1000 + version);
    for (let round = 0; round < 12; round++) {
      const value = randomMessage(api[side], version, api.isFlexible(version), random);
      const bytes = encode(api, side, version, value);
      const reader = new WireReader(bytes);
      expect(decode(api, side, version, reader)).toEqual(value);
      expect(reader.remaining).toBe(0);
      const step = Math.ceil(bytes.length / 40);
      for (let end = bytes.length - 1; end >= 0; end -= step) {
        if (!refuses(() => decode(api, side, version, bytes.subarray(0, end)))) {
          throw new Error(`${end} of ${bytes.length} bytes were taken for a whole message`);
        }
      }
    }
  });
});

it('refuses to drop what matters in a version that cannot carry it', () => {
  const request = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: 'i' };
  expect(() => APIS[12].encodeRequest(new WireWriter(), 2, request)).toThrow(
    'Heartbeat v2 request.groupInstanceId: version 2 cannot carry it',
  );
});

it('writes a null protocol name as "" where null did not exist', () => {
  const reply = { errorCode: 0, protocolName: null, leader: '', memberId: '', members: [] };
  const bytes = bytesOf((w) => APIS[11].encodeResponse(w, 5, reply));
  expect(APIS[11].decodeResponse(bytes, 5).protocolName).toBe('');
});

it('names the field that is wrong', () => {
  const frame = bytesOf((w) => {
    w.string('g', false);
    w.int32(1);
    w.string('m', false);
    w.nullableString(null, false);
    w.int32(1);
    w.string('topic', false);
    w.int32(1_000_000);
  });
  expect(() => APIS[8].decodeRequest(frame, 7)).toThrow(
    /^OffsetCommit v7 request\.topics\.partitions: an array of 1000000 items in 0 bytes at byte/,
  );
});
