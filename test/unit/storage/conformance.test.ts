import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32c, shardId, slot } from '../../../src/kernel/index.js';
import type { LogRecord, OpenedStorage, Storage } from '../../../src/replica/index.js';
import { eventually } from '../../harness/waiting.js';
import { blankDisk, openFileStorage, openMemoryStorage } from '../../../src/storage/index.js';

interface Subject {
  open(): Promise<OpenedStorage>;
  remove(): void;
}

const subjects: Record<string, () => Subject> = {
  file: () => {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-storage-'));
    return {
      open: () => openFileStorage({ directory, segmentBytes: 4096, zeroAheadBytes: 1024 }),
      remove: () => rmSync(directory, { recursive: true, force: true }),
    };
  },
  memory: () => {
    const disk = blankDisk();
    return {
      open: () => openMemoryStorage({ disk, later: (sync) => void setImmediate(sync) }),
      remove: () => undefined,
    };
  },
};

const record = (number: number, shard = 0): LogRecord => ({
  shard: shardId(shard),
  type: 1 + (number % 100),
  payload: Buffer.from(`r${number}`),
});
const append = (storage: Storage, records: readonly LogRecord[]): Promise<void> =>
  new Promise((resolve) => storage.append(records, true, resolve));
const texts = (opened: OpenedStorage): string[] =>
  [...opened.records].map(
    ({ shard, type, payload }) => `${shard}/${type}/${Buffer.from(payload).toString()}`,
  );
const text = (number: number, shard = 0): string => `${shard}/${1 + (number % 100)}/r${number}`;

it('a file storage says how long its durable writes take', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-storage-'));
  let now = 0;
  try {
    const { storage } = await openFileStorage({ directory, now: () => (now += 250) });
    await append(storage, [record(1)]);
    expect(storage.writeSeconds!()).toMatchObject({ count: 1, sum: 0.25 });
    await append(storage, [record(2)]);
    await append(storage, [record(3)]);
    expect(storage.writeSeconds!()).toMatchObject({ count: 3, sum: 0.75 });
    await storage.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

it('a file storage writes what nobody waits for, too, before it is much', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-storage-'));
  try {
    const { storage } = await openFileStorage({ directory });
    const payload = Buffer.alloc(1_000, 'x');
    for (let i = 0; i < 1_000; i++) {
      storage.append([{ shard: shardId(0), type: 1, payload }], false);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually('most of it is on disk', 30_000, () => storage.position() > 800);
    expect(storage.logBytes()).toBeGreaterThan(800_000);
    await storage.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

describe.each(Object.entries(subjects))('%s storage', (_name, subject) => {
  let used: Subject | undefined;
  const fresh = (): Subject => (used = subject());
  afterEach(() => used?.remove());

  it('is blank at first, and intact once it was opened and named', async () => {
    const disk = fresh();
    const first = await disk.open();
    expect(first.condition).toEqual({ kind: 'blank' });
    expect(first.identity).toBeUndefined();
    const identity = {
      clusterId: 'c',
      replicaId: 1 as never,
      shards: 8,
      incarnation: first.incarnation ?? 'i',
      formedWith: { 1: first.incarnation ?? 'i' },
    };
    await first.storage.saveIdentity(identity);
    await first.storage.close();
    const second = await disk.open();
    expect(second.identity).toEqual(identity);
    expect(second.condition).toEqual({ kind: 'intact', droppedBytes: 0 });
    await second.storage.close();
  });

  it('gives back what was acknowledged, in order, over many groups and segments', async () => {
    const disk = fresh();
    const first = await disk.open();
    const all: string[] = [];
    for (let group = 0; group < 50; group++) {
      const records = Array.from({ length: 1 + (group % 7) }, (_, i) => record(group * 10 + i, i % 3));
      all.push(...records.map((_, i) => text(group * 10 + i, i % 3)));
      await append(first.storage, records);
    }
    await first.storage.close();
    const second = await disk.open();
    expect(texts(second)).toEqual(all);
    await append(second.storage, [record(999)]);
    await second.storage.close();
    const third = await disk.open();
    expect(texts(third)).toEqual([...all, text(999)]);
    await third.storage.close();
  });

  it('acknowledges in order, and many callers of one turn together', async () => {
    const { storage } = await fresh().open();
    const done: number[] = [];
    await new Promise<void>((resolve) => {
      for (let i = 0; i < 100; i++) {
        storage.append([record(i)], true, () => {
          done.push(i);
          if (i === 99) resolve();
        });
      }
    });
    expect(done).toEqual(Array.from({ length: 100 }, (_, i) => i));
    await storage.close();
  });

  it('may be handed bytes that change afterwards', async () => {
    const disk = fresh();
    const { storage } = await disk.open();
    const payload = Buffer.from('before');
    const acknowledged = append(storage, [{ shard: shardId(0), type: 1, payload }]);
    payload.write('after!');
    await acknowledged;
    await storage.close();
    const opened = await disk.open();
    expect(texts(opened)).toEqual(['0/1/before']);
    await opened.storage.close();
  });

  it('lets unsynced records ride along with the next synced ones', async () => {
    const disk = fresh();
    const { storage } = await disk.open();
    storage.append([record(1)], false);
    await append(storage, [record(2)]);
    await storage.close();
    const opened = await disk.open();
    expect(texts(opened)).toEqual([text(1), text(2)]);
    await opened.storage.close();
  });

  it('begins anew with a base: nothing before it, everything after it, in order', async () => {
    const disk = fresh();
    const { storage } = await disk.open();
    for (let i = 0; i < 200; i++) await append(storage, [record(i)]);
    const before = storage.logBytes();
    // Written under the old log when the base is asked for.
    const earlier = append(storage, [record(200)]);
    let asked = 0;
    const rebased = new Promise<void>((resolve) =>
      storage.rebase(() => {
        asked++;
        return [record(300), record(301)];
      }, resolve),
    );
    const later = [append(storage, [record(400)]), append(storage, [record(401)])];
    await Promise.all([earlier, rebased, ...later]);
    await append(storage, [record(402)]);
    expect(asked).toBe(1);
    expect(storage.logBytes()).toBeLessThan(before / 2);
    await storage.close();
    const opened = await disk.open();
    expect(opened.condition).toEqual({ kind: 'intact', droppedBytes: 0 });
    const left = texts(opened);
    // 400 and 401 were appended before the base was asked for, so they stand before it: the caller puts them into it.
    expect(left.slice(0, 2)).toEqual([text(300), text(301)]);
    expect(left.at(-1)).toBe(text(402));
    expect(left).not.toContain(text(199));
    await opened.storage.close();
  });

  it('begins anew as often as asked, while others append', async () => {
    const disk = fresh();
    const { storage } = await disk.open();
    let newest = 0;
    for (let round = 0; round < 20; round++) {
      const writes = Array.from({ length: 30 }, () => append(storage, [record(++newest)]));
      // The base says what the newest record was.
      await new Promise<void>((resolve) => storage.rebase(() => [record(newest, 1)], resolve));
      await Promise.all(writes);
    }
    await storage.close();
    const opened = await disk.open();
    const left = texts(opened);
    const base = left.findLastIndex((each) => each.startsWith('1/'));
    expect(base).toBe(0);
    expect(left[0]).toBe(text(newest, 1));
    await opened.storage.close();
  });

  it('never replaces a snapshot with an older one, and says that one is there', async () => {
    const disk = fresh();
    const { storage } = await disk.open();
    for (const through of [100, 44])
      await new Promise<void>((done) =>
        storage.writeSnapshot(shardId(0), slot(through), [Buffer.from(`through ${through}`)], done),
      );
    await storage.close();
    const opened = await disk.open();
    expect([...opened.snapshots]).toEqual([[0, 100]]);
    const snapshot = await opened.storage.readSnapshot(shardId(0));
    const chunks: Uint8Array[] = [];
    for await (const chunk of snapshot!.chunks) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('through 100');
    await opened.storage.close();
  });

  it('reads a snapshot from anywhere in it, also when a newer one has taken its place', async () => {
    const disk = fresh();
    const { storage } = await disk.open();
    expect(await storage.openSnapshot(shardId(0))).toBeUndefined();
    const body = Buffer.alloc(2_500_000, 'what a snapshot holds ');
    const write = (through: number, bytes: Buffer): Promise<void> =>
      new Promise((resolve) => storage.writeSnapshot(shardId(0), slot(through), [bytes], resolve));
    await write(5, body);
    const snapshot = (await storage.openSnapshot(shardId(0)))!;
    await write(9, Buffer.from('newer'));
    expect(snapshot).toMatchObject({ through: 5, size: body.length, crc: crc32c(body) });
    const found: Uint8Array[] = [];
    for (let at = 1_234_567; at < snapshot.size; at += found.at(-1)!.length) {
      found.push(await snapshot.read(at));
      expect(found.at(-1)!.length).toBeGreaterThan(0);
      expect(found.at(-1)!.length).toBeLessThanOrEqual(1024 * 1024);
    }
    expect(Buffer.concat(found).equals(body.subarray(1_234_567))).toBe(true);
    expect(await snapshot.read(snapshot.size)).toHaveLength(0);
    snapshot.close();
    await storage.close();
  });

  it('keeps the newest snapshot of each shard', async () => {
    const disk = fresh();
    const { storage } = await disk.open();
    const write = (shard: number, through: number, body: string): Promise<void> =>
      new Promise((resolve) =>
        storage.writeSnapshot(shardId(shard), slot(through), [Buffer.from(body)], resolve),
      );
    await write(0, 5, 'old');
    await write(0, 9, 'new');
    await write(3, 2, 'x'.repeat(3_000_000));
    await storage.close();
    const opened = await disk.open();
    expect([...opened.snapshots]).toEqual(
      expect.arrayContaining([
        [0, 9],
        [3, 2],
      ]),
    );
    const read = async (shard: number): Promise<string> => {
      const snapshot = await opened.storage.readSnapshot(shardId(shard));
      let body = '';
      for await (const chunk of snapshot!.chunks) body += Buffer.from(chunk).toString();
      return body;
    };
    expect(await read(0)).toBe('new');
    expect(await read(3)).toHaveLength(3_000_000);
    expect(await opened.storage.readSnapshot(shardId(1))).toBeUndefined();
    await opened.storage.close();
  });
});
