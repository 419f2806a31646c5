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
import { tableOf } from './pages.js';

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
    const written = tableOf(['key', 'API', 'versions', 'flexible from', 'here']);
    expect(written.map((row) => row.slice(0, 4))).toEqual(
      advertisedVersions().map(({ apiKey, minVersion, maxVersion }) => {
        const { name, flexibleFrom } = APIS[apiKey];
        return [String(apiKey), name, `${minVersion}-${maxVersion}`, String(flexibleFrom ?? 'none')];
      }),
    );
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
