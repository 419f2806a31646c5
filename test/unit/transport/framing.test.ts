import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../../src/kernel/index.js';
import { frameOf, FrameReader, FramingError } from '../../../src/transport/framing.js';
import { rawFrame } from './raw-peer.js';

const LIMIT = 100;
function read(chunks: readonly Buffer[], limit = LIMIT): Buffer[] {
  const reader = new FrameReader(limit);
  const frames: Buffer[] = [];
  for (const chunk of chunks) reader.push(chunk, (payload) => frames.push(Buffer.from(payload)));
  return frames;
}
const frame = (payload: Buffer): Buffer => frameOf(payload[0]!, payload.subarray(1));

describe('frames', () => {
  it('are a length, a CRC-32C and the payload, big-endian', () => {
    // The check value of CRC-32C.
    expect(frame(Buffer.from('123456789')).toString('hex')).toBe('00000009e3069283313233343536373839');
    expect(rawFrame(0x31, Buffer.from('23456789'))).toEqual(frame(Buffer.from('123456789')));
  });

  it('come out whole however the stream is cut', () => {
    const random = seededRandom(7);
    const payloads = Array.from({ length: 40 }, () =>
      Buffer.alloc(1 + random.below(LIMIT), random.below(256)),
    );
    const stream = Buffer.concat(payloads.map(frame));
    for (let size = 1; size <= 64; size++) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
      expect(read(chunks)).toEqual(payloads);
    }
  });

  it('are refused with any one bit of checksum or payload flipped', () => {
    const good = frame(Buffer.from('a vote'));
    for (let bit = 32; bit < good.length * 8; bit++) {
      const bad = Buffer.from(good);
      bad[bit >> 3] = bad[bit >> 3]! ^ (1 << (bit & 7));
      expect(() => read([bad])).toThrow(new FramingError('a frame with a wrong checksum'));
    }
  });

  it('are refused beyond the limit as soon as their length is known, and taken up to it', () => {
    expect(read([frame(Buffer.alloc(LIMIT))])).toHaveLength(1);
    const header = frame(Buffer.alloc(LIMIT + 1)).subarray(0, 8);
    expect(() => read([header])).toThrow('a frame of 101 bytes; at most 100 are allowed');
    expect(() => read([header.subarray(0, 5), header.subarray(5)])).toThrow(FramingError);
    expect(() => read([Buffer.from('GET / HTTP/1.1\r\n\r\n')])).toThrow(FramingError);
  });
});
