import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { crc32c, seededRandom, shardId } from '../../../src/kernel/index.js';
import type { LogRecord, OpenedStorage } from '../../../src/replica/index.js';
import { openFileStorage } from '../../../src/storage/index.js';
import { HEADER_BYTES, MARKER_BYTES, paddedBytes } from '../../../src/storage/format.js';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});
function directoryWith(files: ReadonlyMap<string, Buffer> = new Map()): string {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-damage-'));
  directories.push(directory);
  for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes);
  return directory;
}
const open = (directory: string, segmentBytes = 4_096): Promise<OpenedStorage> =>
  openFileStorage({ directory, segmentBytes, zeroAheadBytes: 512 });

const payloads = (records: Iterable<LogRecord>): string[] =>
  [...records].map(({ payload }) => Buffer.from(payload).toString('latin1'));

interface Written {
  readonly files: ReadonlyMap<string, Buffer>;
  /** The records of each group, as text. */
  readonly groups: readonly (readonly string[])[];
  /** Where each group begins and ends in the segment it stands in. */
  readonly spans: readonly { readonly from: number; readonly to: number }[];
}

/** A log of some groups, each of some records of 0 to 40 bytes. */
async function write(groupCount: number, segmentBytes?: number): Promise<Written> {
  const random = seededRandom(7);
  const directory = directoryWith();
  const { storage } = await open(directory, segmentBytes);
  const groups: string[][] = [];
  const spans: { from: number; to: number }[] = [];
  let at = HEADER_BYTES;
  for (let group = 0; group < groupCount; group++) {
    const texts = Array.from(
      { length: 1 + random.below(3) },
      (_, i) => `${group}.${i}${'-'.repeat(random.below(40))}`,
    );
    const records = texts.map((text, i): LogRecord => ({
      shard: shardId(i),
      type: 1 + i,
      payload: Buffer.from(text),
    }));
    await new Promise<void>((resolve) => storage.append(records, true, resolve));
    const bytes = records.reduce((sum, { payload }) => sum + paddedBytes(payload.length), 2 * MARKER_BYTES);
    groups.push(texts);
    spans.push({ from: at, to: at + bytes });
    at += bytes;
  }
  await storage.close();
  // Closing adds an empty group.
  groups.push([]);
  spans.push({ from: at, to: at + 2 * MARKER_BYTES });
  const files = new Map(
    readdirSync(directory)
      .filter((name) => name.endsWith('.wal'))
      .sort()
      .map((name) => [name, readFileSync(join(directory, name))]),
  );
  return { files, groups, spans };
}

const LOG = 'log-0000000001.wal';

describe('a damaged log', () => {
  it('cut at every byte of its last two groups, is recovered exactly up to a group, and goes on from there', async () => {
    const { files, groups, spans } = await write(5);
    const whole = files.get(LOG)!;
    for (let cut = spans.at(-3)!.from; cut <= spans.at(-1)!.to; cut++) {
      // One copy of the marker is enough: the group is complete when the first copy is.
      const complete = spans.filter(({ to }) => to - MARKER_BYTES <= cut).length;
      const expected = groups.slice(0, complete).flat();
      for (const bytes of [
        whole.subarray(0, cut),
        // The file keeps its length when the tail was never written over its zeros.
        Buffer.concat([whole.subarray(0, cut), Buffer.alloc(whole.length - cut)]),
      ]) {
        const directory = directoryWith(new Map([[LOG, bytes]]));
        const opened = await open(directory);
        expect(opened.condition.kind).toBe('intact');
        expect(payloads(opened.records)).toEqual(expected);
        await new Promise<void>((resolve) =>
          opened.storage.append(
            [{ shard: shardId(0), type: 1, payload: Buffer.from('next') }],
            true,
            resolve,
          ),
        );
        await opened.storage.close();
        const again = await open(directory);
        expect(again.condition).toEqual({ kind: 'intact', droppedBytes: 0 });
        expect(payloads(again.records)).toEqual([...expected, 'next']);
        await again.storage.close();
        rmSync(directory, { recursive: true });
      }
    }
  }, 60_000);

  it('with any single byte flipped, is never read as something else', async () => {
    const { files, groups, spans } = await write(4);
    const whole = files.get(LOG)!;
    const end = spans.at(-1)!.to;
    const everything = groups.flat();
    const seen = { corrupt: 0, repaired: 0, dropped: 0 };
    const inMarkers = (at: number): boolean => spans.some(({ to }) => at >= to - 2 * MARKER_BYTES && at < to);
    for (let at = 0; at < end + 64; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = Buffer.from(whole);
        bytes[at] = bytes[at]! ^ flip;
        const directory = directoryWith(new Map([[LOG, bytes]]));
        const opened = await open(directory);
        if (opened.condition.kind === 'corrupt') {
          // Nothing acknowledged is dropped in silence, and nothing unreadable is handed out.
          seen.corrupt++;
          expect(payloads(opened.records)).toEqual([]);
          expect(opened.condition.file).toContain(LOG);
        } else {
          expect(payloads(opened.records)).toEqual(everything);
          if (at >= end) {
            seen.dropped++;
            expect(opened.condition).toEqual({ kind: 'intact', droppedBytes: at - end + 1 });
          } else {
            seen.repaired++;
            expect(inMarkers(at)).toBe(true);
          }
        }
        await opened.storage.close();
        rmSync(directory, { recursive: true });
      }
    }
    // Every byte of the header and of the records is noticed; a damaged marker is replaced by its second copy.
    const covered = spans.reduce((sum, { from, to }) => sum + (to - from - 2 * MARKER_BYTES), HEADER_BYTES);
    expect(seen.corrupt).toBeGreaterThanOrEqual(covered * 3);
    expect(seen.dropped).toBe(64 * 3);
    expect(seen.repaired).toBeGreaterThan(0);
  }, 120_000);

  it('whose segments are damaged, missing or of another log, is refused', async () => {
    const { files } = await write(30, 512);
    const names = [...files.keys()];
    expect(names.length).toBeGreaterThan(3);
    const conditionOf = async (changed: Map<string, Buffer>): Promise<OpenedStorage['condition']> => {
      const opened = await open(directoryWith(changed), 512);
      await opened.storage.close();
      return opened.condition;
    };
    expect(await conditionOf(new Map(files))).toEqual({ kind: 'intact', droppedBytes: 0 });
    const without = new Map(files);
    without.delete(names[1]!);
    expect(await conditionOf(without)).toMatchObject({
      kind: 'corrupt',
      detail: 'a segment before it is missing',
    });
    const swapped = new Map(files);
    swapped.set(names[1]!, files.get(names[2]!)!);
    expect(await conditionOf(swapped)).toMatchObject({
      kind: 'corrupt',
      detail: 'the segment does not continue the one before it',
    });
    // A tail torn off a segment that is not the last was acknowledged.
    const torn = new Map(files);
    const second = Buffer.from(files.get(names[1]!)!);
    torn.set(names[1]!, second.fill(0, HEADER_BYTES + 8));
    expect(await conditionOf(torn)).toMatchObject({ kind: 'corrupt' });
    // A segment gets its name when it is whole: the last one, too, held acknowledged records.
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(100), Buffer.alloc(512)]) {
      const zeroed = new Map(files);
      zeroed.set(names.at(-1)!, bytes);
      expect(await conditionOf(zeroed)).toMatchObject({
        kind: 'corrupt',
        file: expect.stringMatching(/\.wal$/),
      });
    }
    // The process died while it created this one.
    const unfinished = new Map(files);
    unfinished.set(`log-${String(names.length + 1).padStart(10, '0')}.wal.tmp`, Buffer.alloc(100));
    expect(await conditionOf(unfinished)).toEqual({ kind: 'intact', droppedBytes: 0 });
  });

  it('that is corrupt, is set aside and kept', async () => {
    const { files } = await write(3);
    const bytes = Buffer.from(files.get(LOG)!);
    bytes[HEADER_BYTES + 20] = bytes[HEADER_BYTES + 20]! ^ 1;
    const directory = directoryWith(new Map([[LOG, bytes]]));
    const opened = await open(directory);
    expect(opened.condition.kind).toBe('corrupt');
    await opened.storage.close();
    expect(readFileSync(join(directory, 'corrupt-1', LOG))).toEqual(bytes);
  });

  it('of a newer version, is refused with what to do', async () => {
    const { files } = await write(1);
    const bytes = Buffer.from(files.get(LOG)!);
    bytes.writeUInt32LE(3, 8);
    bytes.writeUInt32LE(crc32c(bytes, 0, 0, 60), 60);
    await expect(open(directoryWith(new Map([[LOG, bytes]])))).rejects.toThrow(
      /written by a newer version \(format 3\): upgrade/,
    );
  });
});
