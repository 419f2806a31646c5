import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { seededRandom, shardId } from '../../../src/kernel/index.js';
import type { OpenedStorage } from '../../../src/replica/index.js';
import { type FileSystem, nodeFileSystem, openFileStorage } from '../../../src/storage/index.js';

const LOG = 'log-0000000001.wal';
const SECTOR_BYTES = 512;

const directories: string[] = [];
function emptyDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-power-'));
  directories.push(directory);
  return directory;
}
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

const open = (directory: string): Promise<OpenedStorage> =>
  openFileStorage({ directory, zeroAheadBytes: 65_536 });
const group = ({ storage }: OpenedStorage, texts: readonly string[]): Promise<void> =>
  new Promise((done) =>
    storage.append(
      texts.map((text) => ({ shard: shardId(0), type: 1, payload: Buffer.from(text) })),
      true,
      done,
    ),
  );
const read = ({ records }: OpenedStorage): string[] =>
  [...records].map(({ payload }) => Buffer.from(payload).toString());

/** Sectors whose bytes differ between two images of the disk. */
function sectorsWritten(before: Buffer, after: Buffer): readonly number[] {
  return Array.from({ length: after.length / SECTOR_BYTES }, (_, index) => index * SECTOR_BYTES).filter(
    (at) => !before.subarray(at, at + SECTOR_BYTES).equals(after.subarray(at, at + SECTOR_BYTES)),
  );
}

describe('a power failure', () => {
  const FIRST = ['first'];
  const LAST = Array.from({ length: 9 }, (_, i) => `last ${i} ${'x'.repeat(400)}`);
  /** The log before the last group was written, behind it, and behind one more. */
  const images: Buffer[] = [];
  beforeEach(async () => {
    images.length = 0;
    const directory = emptyDirectory();
    const opened = await open(directory);
    for (const texts of [FIRST, LAST, ['one more']]) {
      await group(opened, texts);
      const copy = join(directory, 'copy');
      copyFileSync(join(directory, LOG), copy);
      images.push(readFileSync(copy));
    }
    await opened.storage.close();
  });
  const openImage = async (image: Buffer): Promise<{ directory: string; opened: OpenedStorage }> => {
    const directory = emptyDirectory();
    writeFileSync(join(directory, LOG), image);
    return { directory, opened: await open(directory) };
  };

  it('may keep any of the sectors of the group that was being written: the log is not corrupt', async () => {
    const [before, after] = images as [Buffer, Buffer];
    const sectors = sectorsWritten(before, after);
    expect(sectors.length).toBeGreaterThan(6);
    const random = seededRandom(3);
    const lost = [
      ...sectors.map((sector) => [sector]),
      ...Array.from({ length: 40 }, () => sectors.filter(() => random.below(2) === 0)),
    ];
    for (const missing of lost) {
      const image = Buffer.from(after);
      for (const at of missing) before.copy(image, at, at, at + SECTOR_BYTES);
      const { directory, opened } = await openImage(image);
      expect(opened.condition.kind).toBe('intact');
      const survived = read(opened);
      expect([FIRST, [...FIRST, ...LAST]]).toContainEqual(survived);
      await group(opened, ['next']);
      await opened.storage.close();
      const again = await open(directory);
      expect(again.condition).toEqual({ kind: 'intact', droppedBytes: 0 });
      expect(read(again)).toEqual([...survived, 'next']);
      await again.storage.close();
    }
  });

  it('may come while the rest of a write that the system cut short is written: the log is not corrupt', async () => {
    const file = join(emptyDirectory(), LOG);
    /** The log before each write of the last group, and behind it. */
    const writes: { readonly before: Buffer; readonly after: Buffer }[] = [];
    let cutAt: number | undefined;
    const fileSystem: FileSystem = {
      ...nodeFileSystem,
      write: (descriptor, bytes, position, done) => {
        const before = readFileSync(file);
        const part = cutAt === undefined ? bytes : bytes.subarray(0, cutAt);
        nodeFileSystem.write(descriptor, part, position, (error, written) => {
          writes.push({ before, after: readFileSync(file) });
          cutAt = undefined;
          done(error, written);
        });
      },
    };
    for (const cut of [100, 512, 700, 1_000, 2_020, 3_900]) {
      rmSync(file, { force: true });
      const opened = await openFileStorage({ directory: dirname(file), zeroAheadBytes: 65_536, fileSystem });
      await group(opened, FIRST);
      writes.length = 0;
      cutAt = cut;
      await group(opened, LAST);
      await opened.storage.close();
      expect(writes.length).toBeGreaterThan(1);
      for (const { before, after } of writes) {
        const sectors = sectorsWritten(before, after);
        for (const missing of [[], ...sectors.map((sector) => [sector])]) {
          const image = Buffer.from(after);
          for (const at of missing) before.copy(image, at, at, at + SECTOR_BYTES);
          const found = await openImage(image);
          expect(found.opened.condition.kind).toBe('intact');
          expect([FIRST, [...FIRST, ...LAST]]).toContainEqual(read(found.opened));
          await found.opened.storage.close();
        }
      }
    }
  });

  it('takes nothing of a group that a later one follows: a missing sector there is corruption', async () => {
    const [before, after, later] = images as [Buffer, Buffer, Buffer];
    for (const at of sectorsWritten(before, after).slice(1, -1)) {
      const image = Buffer.from(later);
      before.copy(image, at, at, at + SECTOR_BYTES);
      const { opened } = await openImage(image);
      expect(opened.condition.kind).toBe('corrupt');
      await opened.storage.close();
    }
  });

  it('is told from a byte that was damaged in the very last group: of that no sector is blank', async () => {
    const [before, after] = images as [Buffer, Buffer];
    const sectors = sectorsWritten(before, after);
    const [from, to] = [
      before.findLastIndex((byte) => byte !== 0) + 1,
      after.findLastIndex((byte) => byte !== 0) + 1,
    ];
    const seen = { corrupt: 0, repaired: 0 };
    for (let at = from; at < to; at += 7) {
      const image = Buffer.from(after);
      image[at] = image[at]! ^ 0x10;
      const { opened } = await openImage(image);
      if (opened.condition.kind === 'corrupt') seen.corrupt++;
      else {
        // The second copy of the marker is enough.
        expect(read(opened)).toEqual([...FIRST, ...LAST]);
        seen.repaired++;
      }
      await opened.storage.close();
    }
    expect(seen.repaired).toBeLessThanOrEqual(8);
    expect(seen.corrupt).toBeGreaterThan(500);
    // Damaged and torn: it was never acknowledged.
    const torn = Buffer.from(after);
    before.copy(torn, sectors[3], sectors[3], sectors[3]! + SECTOR_BYTES);
    torn[from + 100] = torn[from + 100]! ^ 1;
    const { opened } = await openImage(torn);
    expect(opened.condition.kind).toBe('intact');
    expect(read(opened)).toEqual(FIRST);
    await opened.storage.close();
  });

  it('behind a clean stop is told from corruption: stopping proves the last group', async () => {
    const directory = emptyDirectory();
    const opened = await open(directory);
    await group(opened, FIRST);
    await group(opened, LAST);
    await opened.storage.close();
    const image = readFileSync(join(directory, LOG));
    image.fill(0, 1_024, 1_536);
    const again = await openImage(image);
    expect(again.opened.condition.kind).toBe('corrupt');
    await again.opened.storage.close();
  });
});

describe('a process that dies while it removes what is before a new beginning', () => {
  it.each([1, 2, 3])('after %d segments: a start reads from the new beginning on', async (removed) => {
    const directory = emptyDirectory();
    let left = removed;
    const dying: FileSystem = {
      ...nodeFileSystem,
      unlinkSync: (path) => {
        if (left-- <= 0) throw new Error('the process has died');
        nodeFileSystem.unlinkSync(path);
      },
    };
    const sizes = { segmentBytes: 2_048, zeroAheadBytes: 1_024 };
    const opened = await openFileStorage({ directory, ...sizes, fileSystem: dying });
    for (let number = 0; number < 5; number++) await group(opened, [`${number} ${'x'.repeat(1_500)}`]);
    const died = new Promise((resolve) => opened.storage.onFailure(resolve));
    const base = { shard: shardId(0), type: 1, payload: Buffer.from('base') };
    opened.storage.rebase(
      () => [base],
      () => undefined,
    );
    await died;
    await opened.storage.close();
    const again = await openFileStorage({ directory, ...sizes });
    expect(read(again)).toEqual(['base']);
    await group(again, ['next']);
    await again.storage.close();
    const third = await openFileStorage({ directory, ...sizes });
    expect(read(third)).toEqual(['base', 'next']);
    await new Promise<void>((done) => third.storage.rebase(() => [base], done));
    expect(readdirSync(directory).filter((name) => name.endsWith('.wal'))).toHaveLength(1);
    await third.storage.close();
  });
});
