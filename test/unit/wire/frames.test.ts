import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../../src/kernel/index.js';
import { FrameSplitter, WireError } from '../../../src/wire/index.js';

const framed = (body: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
};

describe('FrameSplitter', () => {
  it('finds the same frames however the stream is cut', () => {
    const random = seededRandom(7);
    const bodies = Array.from({ length: 60 }, (_, i) =>
      Buffer.alloc(i % 7 === 0 ? 0 : random.below(20_000), i),
    );
    const stream = Buffer.concat(bodies.map(framed));
    for (const chunkBytes of [1, 3, 4096, 65_536, stream.length]) {
      const splitter = new FrameSplitter(20_000);
      const found: Buffer[] = [];
      for (let at = 0; at < stream.length; at += chunkBytes) {
        found.push(...splitter.push(stream.subarray(at, at + chunkBytes)));
      }
      expect(Buffer.concat(found.map(framed)).equals(stream)).toBe(true);
      expect(found).toHaveLength(bodies.length);
      expect(splitter.pendingBytes).toBe(0);
    }
  });

  it('hands out a view when the frame lies within the chunk', () => {
    const chunk = framed(Buffer.from('abc'));
    const [frame] = new FrameSplitter(10).push(chunk);
    expect(frame!.buffer).toBe(chunk.buffer);
    expect(frame!.toString()).toBe('abc');
  });

  it.each([-1, 11, 0x7fffffff, -0x80000000])('refuses a length of %d', (length) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(length);
    expect(() => new FrameSplitter(10).push(bytes)).toThrow(WireError);
  });

  it('holds what has arrived, not what was announced', () => {
    const splitter = new FrameSplitter(0x7fffffff);
    const bytes = Buffer.alloc(10);
    bytes.writeInt32BE(0x7fffffff);
    const before = process.memoryUsage().arrayBuffers;
    expect(splitter.push(bytes)).toEqual([]);
    expect(splitter.pendingBytes).toBe(10);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });
});
