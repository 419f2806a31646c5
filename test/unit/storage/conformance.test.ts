import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shardId, slot } from '../../../src/kernel/index.js';
import type { LogRecord, OpenedStorage, Storage } from '../../../src/replica/index.js';
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

  it('drops what stands before a mark, as far as whole segments go, and never what stands behind it', async () => {
    const disk = fresh();
    const { storage } = await disk.open();
    for (let i = 0; i < 200; i++) await append(storage, [record(i)]);
    const before = storage.logBytes();
    const mark = storage.mark();
    for (let i = 200; i < 210; i++) await append(storage, [record(i)]);
    storage.releaseBefore(mark);
    expect(storage.logBytes()).toBeLessThan(before);
    await storage.close();
    const opened = await disk.open();
    expect(opened.condition.kind).toBe('intact');
    const left = texts(opened);
    expect(left.slice(-10)).toEqual(Array.from({ length: 10 }, (_, i) => text(200 + i)));
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
