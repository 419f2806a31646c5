import { describe, expect, it } from '@jest/globals';
import {
  ByteWriter,
  codec,
  crc32c,
  crc32cText,
  crc32cWord,
  int64,
  isInt64,
  MalformedBytesError,
  seededRandom,
} from '../../../src/kernel/index.js';

describe('crc32c', () => {
  it('has the check value of the standard, whole and in pieces', () => {
    const bytes = Buffer.from('123456789');
    expect(crc32c(bytes)).toBe(0xe3069283);
    for (let cut = 0; cut <= 9; cut++)
      expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(0xe3069283);
  });
  it('is that of the UTF-8 bytes of a text', () => {
    for (const text of ['', 'billing', 'é', 'ok \u20ac', '\ud800', '123456789'])
      expect(crc32cText(text)).toBe(crc32c(Buffer.from(text)));
  });
  it('mixes a word as its little-endian bytes', () => {
    expect(crc32cWord(0x04030201)).toBe(crc32c(Buffer.from([1, 2, 3, 4])));
  });
});

describe('int64', () => {
  it('has one form for each value: a number where that is exact, a bigint beyond', () => {
    for (const value of [0n, -1n, 2n ** 53n - 1n, -(2n ** 53n) + 1n])
      expect(int64(value)).toBe(Number(value));
    for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)])
      expect(int64(value)).toBe(value);
    expect(() => int64(2n ** 63n)).toThrow(RangeError);
    expect([2 ** 53, 0.5, 2n ** 63n, -(2n ** 63n) - 1n].map(isInt64)).toEqual([false, false, false, false]);
  });
  it('is exact in bytes, and what fits a double has the bytes of version 0.1.0', () => {
    for (const value of [2n ** 53n, 1_850_000_000_000_000_000n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 53n)])
      expect(codec.decode(codec.int64, codec.encode(codec.int64, value))).toBe(value);
    for (const value of [0, -1, 41, 2 ** 53 - 1, -(2 ** 53) + 1]) {
      expect(codec.encode(codec.int64, value)).toEqual(codec.encode(codec.double, value));
      expect(codec.decode(codec.int64, codec.encode(codec.double, value))).toBe(value);
    }
  });
});

describe('texts in bytes', () => {
  const written = (text: string): Buffer => codec.encode(codec.string, text);
  const read = (bytes: Buffer): string => codec.decode(codec.string, bytes);

  it('are their length and UTF-8, whatever was written or read before', () => {
    const random = seededRandom(5);
    const alphabets = ['ab', 'orders-0123456789', 'a\u007f', 'aé', 'a\u0080', '€x', '\ud83d\ude00y'];
    for (let run = 0; run < 20_000; run++) {
      const letters = [...alphabets[random.below(alphabets.length)]!];
      const text = Array.from({ length: random.below(72) }, () => letters[random.below(letters.length)]).join(
        '',
      );
      const utf8 = Buffer.from(text);
      const bytes = written(text);
      expect(bytes.subarray(bytes.length - utf8.length).equals(utf8)).toBe(true);
      expect(bytes.length).toBe(utf8.length + (utf8.length < 128 ? 1 : 2));
      expect(read(bytes)).toBe(text);
    }
  });
  it('that are no UTF-8 are read as Node does, short or long', () => {
    for (const bytes of [[0xff], [0xc3], [0x41, 0xe2, 0x82], [0xed, 0xa0, 0x80], [0x80, 0x41]])
      expect(read(Buffer.from([bytes.length, ...bytes]))).toBe(Buffer.from(bytes).toString('utf8'));
  });
  it('do not change when the bytes that they were read from do', () => {
    const bytes = written('a-name');
    const text = read(bytes);
    bytes.fill(0x62, 1);
    expect([text, read(bytes), read(written('a-name'))]).toEqual(['a-name', 'bbbbbb', 'a-name']);
  });
});

describe('codec', () => {
  const shape = codec.struct<{ a: number; b: string | null; c: readonly number[] }>({
    a: codec.int,
    b: codec.nullable(codec.string),
    c: codec.array(codec.uint),
  });
  it('gives back what it was given', () => {
    for (const a of [0, 1, -1, 63, -64, 2 ** 31, -(2 ** 31), 2 ** 52 - 1, -(2 ** 52)]) {
      const value = { a, b: a % 2 === 0 ? null : 'päd', c: [0, 127, 128, 2 ** 53 - 1] };
      expect(codec.decode(shape, codec.encode(shape, value))).toEqual(value);
    }
  });
  it('refuses every shortened and every lengthened form', () => {
    const bytes = codec.encode(shape, { a: 300, b: 'abc', c: [1, 2, 3] });
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => codec.decode(shape, bytes.subarray(0, cut))).toThrow(MalformedBytesError);
    }
    expect(() => codec.decode(shape, Buffer.concat([bytes, Buffer.from([0])]))).toThrow(MalformedBytesError);
  });
});

describe('ByteWriter', () => {
  const w = new ByteWriter();
  const widths = {
    u8: [0, 255],
    u32: [0, 2 ** 32 - 1],
    i32: [-(2 ** 31), 2 ** 31 - 1],
    varint: [0, 2 ** 53 - 1],
    zigzag: [-(2 ** 52), 2 ** 52 - 1],
  } as const;
  it.each(Object.entries(widths))(
    '%s refuses what it would give back as something else',
    (width, [min, max]) => {
      const write = (value: number) => () => w[width as keyof typeof widths](value);
      for (const kept of [min, max, 1]) expect(write(kept)).not.toThrow();
      for (const lost of [min - 1, max + 1, 1.5, NaN, Infinity, -Infinity]) expect(write(lost)).toThrow();
    },
  );
});

describe('seededRandom', () => {
  it('repeats itself for the same seed and spreads evenly', () => {
    const a = seededRandom(7);
    const b = seededRandom(7);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const value = a.below(10);
      expect(b.below(10)).toBe(value);
      counts[value]!++;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
