import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { shardId, slot } from '../../../src/kernel/index.js';
import type { OpenedStorage } from '../../../src/replica/index.js';
import { type FileSystem, nodeFileSystem, openFileStorage } from '../../../src/storage/index.js';
import { eventually } from '../../harness/waiting.js';

const WITHIN_MS = 10_000;
const GROWTH_BYTES = 64 * 1024;

let directory: string;
let free: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-room-'));
  free = 100 * GROWTH_BYTES;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A disk that has as much room as `free` says. */
const disk: FileSystem = { ...nodeFileSystem, statfsSync: () => ({ bavail: free / 1_024, bsize: 1_024 }) };
const open = (fileSystem: FileSystem = disk): Promise<OpenedStorage> =>
  openFileStorage({ directory, zeroAheadBytes: GROWTH_BYTES, fileSystem });
const reserve = (): boolean => existsSync(join(directory, 'reserve'));
const becomes = ({ storage }: OpenedStorage, room: string): Promise<unknown> =>
  eventually(`the room is ${room}`, WITHIN_MS, () => storage.room() === room);

describe('the room on a disk', () => {
  it('is held back in a file, which goes when the disk gets scarce and comes back with room', async () => {
    const opened = await open();
    expect(opened.storage.room()).toBe('enough');
    expect(reserve()).toBe(true);
    free = 2 * GROWTH_BYTES;
    await becomes(opened, 'scarce');
    expect(reserve()).toBe(false);
    free = 1_024;
    await becomes(opened, 'none');
    free = 100 * GROWTH_BYTES;
    await becomes(opened, 'enough');
    expect(reserve()).toBe(true);
    await opened.storage.close();
  });

  it('is scarce as long as a snapshot of the present size does not fit twice', async () => {
    const opened = await open();
    free = 5 * GROWTH_BYTES;
    const body = Buffer.alloc(4 * GROWTH_BYTES);
    await new Promise<void>((done) => opened.storage.writeSnapshot(shardId(0), slot(3), [body], done));
    await becomes(opened, 'none');
    await opened.storage.close();
    const again = await open();
    expect(again.storage.room()).toBe('none');
    await again.storage.close();
  });

  it('is scarce as long as what a compaction keeps of the log does not fit beside the log, and that is seen at once', async () => {
    const opened = await open();
    free = 6 * GROWTH_BYTES;
    await becomes(opened, 'enough');
    const payload = Buffer.alloc(4 * GROWTH_BYTES, 1);
    await new Promise<void>((done) =>
      opened.storage.append([{ shard: shardId(0), type: 1, payload }], true, done),
    );
    expect(opened.storage.room()).toBe('scarce');
    free = 4 * GROWTH_BYTES;
    await becomes(opened, 'none');
    await opened.storage.close();
  });

  it('is taken from what is held back when a start meets a full disk', async () => {
    await (await open()).storage.close();
    expect(reserve()).toBe(true);
    expect(existsSync(join(directory, 'reserve-last'))).toBe(true);
    const full = (): boolean => existsSync(join(directory, 'reserve-last'));
    const refusing: FileSystem = {
      ...disk,
      openSync: (path, flags) => {
        if (flags !== 'r' && full())
          throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        return nodeFileSystem.openSync(path, flags);
      },
    };
    rmSync(join(directory, 'log-0000000001.wal'));
    await (await open(refusing)).storage.close();
  });

  it('is asked for by name when nothing is held back', async () => {
    const refusing: FileSystem = {
      ...disk,
      openSync: () => {
        throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      },
    };
    await expect(open(refusing)).rejects.toThrow(/the disk of the data directory .* is full: .*Make room/);
  });
});
