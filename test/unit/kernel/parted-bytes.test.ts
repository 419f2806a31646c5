import { describe, expect, it } from '@jest/globals';
import {
  ByteWriter,
  finished,
  MalformedBytesError,
  PartedBytes,
  seededRandom,
  SNAPSHOT_CHUNK_BYTES,
  type Steps,
} from '../../../src/kernel/index.js';

const ITEMS = 300;

/** A head, a list, and an item behind it. */
function written(longest: number): { readonly bytes: Buffer; readonly items: readonly string[] } {
  const random = seededRandom(longest);
  const items = Array.from({ length: ITEMS }, () => 'x'.repeat(random.below(longest)));
  const writer = new ByteWriter();
  writer.string('head');
  writer.varint(items.length);
  for (const item of items) writer.string(item);
  writer.u32(7);
  return { bytes: writer.copy(), items };
}

function* reading(bytes: PartedBytes, tries: { count: number }): Steps<readonly unknown[]> {
  const head = yield* bytes.item((reader) => reader.string());
  const items: string[] = [];
  yield* bytes.counted((reader) => {
    tries.count++;
    items.push(reader.string());
  });
  const last = yield* bytes.item((reader) => reader.u32());
  yield* bytes.atEnd();
  return [head, items, last];
}

/** Gives the next part whenever it is asked for. */
function inParts<T>(whole: Buffer, partBytes: number, steps: (bytes: PartedBytes) => Steps<T>): T {
  const bytes = new PartedBytes();
  const running = steps(bytes);
  for (let at = 0; ;) {
    while (bytes.hungry) {
      if (at >= whole.length) bytes.complete();
      else bytes.add(whole.subarray(at, at + partBytes));
      at += partBytes;
    }
    const step = running.next();
    if (step.done === true) return step.value;
  }
}

describe('bytes that come in parts', () => {
  it('are read as if they had come at once, whatever the parts are', () => {
    const { bytes, items } = written(40);
    for (const partBytes of [1, 2, 3, 7, 64, 1_000, bytes.length, bytes.length + 1])
      expect(inParts(bytes, partBytes, (parted) => reading(parted, { count: 0 }))).toEqual([
        'head',
        items,
        7,
      ]);
    expect(finished(reading(PartedBytes.whole(bytes), { count: 0 }))).toEqual(['head', items, 7]);
  });

  it('that end too early, or too late, are refused', () => {
    const { bytes } = written(5);
    const read = (whole: Buffer): unknown => inParts(whole, 11, (parted) => reading(parted, { count: 0 }));
    for (let cut = 0; cut < bytes.length; cut += 13)
      expect(() => read(bytes.subarray(0, cut))).toThrow(MalformedBytesError);
    expect(() => read(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(MalformedBytesError);
  });

  it('hold an item that is longer than many parts without being read again with each of them', () => {
    const { bytes } = written(100_000);
    const tries = { count: 0 };
    inParts(bytes, 10, (parted) => reading(parted, tries));
    // A part holds a ten-thousandth of an item: each is tried some fifteen times.
    expect(tries.count).toBeLessThan(ITEMS * 20);
  });

  it('give the loop back about once for each chunk, also between many small lists', () => {
    const lists = 20_000;
    const writer = new ByteWriter();
    for (let i = 0; i < lists; i++) {
      writer.varint(2);
      writer.string('0123456789');
      writer.string('0123456789');
    }
    const whole = writer.copy();
    const steps = (function* (bytes: PartedBytes): Steps<void> {
      for (let i = 0; i < lists; i++) yield* bytes.counted((reader) => reader.string());
      yield* bytes.atEnd();
    })(PartedBytes.whole(whole));
    let yields = 0;
    for (let step = steps.next(); step.done !== true; step = steps.next()) yields++;
    expect(yields).toBe(Math.floor(whole.length / SNAPSHOT_CHUNK_BYTES));
  });
});
