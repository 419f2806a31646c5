import {
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../../harness/waiting.js';
import { shardId, slot } from '../../../src/kernel/index.js';
import type { LogRecord, OpenedStorage } from '../../../src/replica/index.js';
import {
  DataDirectoryError,
  type FileSystem,
  nodeFileSystem,
  openFileStorage,
} from '../../../src/storage/index.js';
import { syncingAfterwards } from '../../../src/storage/file-system.js';

// The machine may be busy, and a sync takes what it takes.
jest.setTimeout(60_000);
const WITHIN_MS = 30_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-failure-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const record = (text: string): LogRecord => ({ shard: shardId(0), type: 1, payload: Buffer.from(text) });
const turns = async (count = 50): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resume) => setImmediate(resume));
};
const rest = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

type Writing = Pick<FileSystem, 'write' | 'writeSync'>;

/** Counts what goes to the disk, and fails or holds on command. */
class Faulty implements Writing {
  writes = 0;
  /** Writes of something else than zeros. */
  groups = 0;
  writeError: Error | null = null;
  /** Of writes of zeros. */
  zerosError: Error | null = null;
  zerosRefused = 0;
  /** Reported after the bytes have been taken. */
  syncError: Error | null = null;
  holdWrites = false;
  held: (() => void)[] = [];
  /** No single write takes more bytes than this. */
  bytesAtOnce = Number.POSITIVE_INFINITY;
  /** Room on the disk: what does not fit is cut off; then nothing is written at all. */
  room = Number.POSITIVE_INFINITY;
  /** The disk reports a whole write, and keeps only this many bytes of it. */
  keeps = Number.POSITIVE_INFINITY;
  write: FileSystem['write'] = (file, bytes, position, done) => {
    this.writes++;
    if (bytes.some((byte) => byte !== 0)) this.groups++;
    else if (this.zerosError !== null) {
      this.zerosRefused++;
      return void setImmediate(done, this.zerosError, 0);
    }
    if (this.writeError !== null) return void setImmediate(done, this.writeError, 0);
    const fits = Math.min(bytes.length, this.bytesAtOnce, this.room);
    this.room -= fits;
    const kept = Math.min(fits, this.keeps);
    const write = (): void =>
      nodeFileSystem.write(file, bytes.subarray(0, kept), position, (error, written) =>
        done(this.syncError ?? error, written + fits - kept),
      );
    if (this.holdWrites) this.held.push(write);
    else write();
  };
  writeSync(file: number, bytes: Uint8Array, position: number): number {
    if (this.keeps < bytes.length) {
      nodeFileSystem.writeSync(file, bytes.subarray(0, this.keeps), position);
      return bytes.length;
    }
    const fits = Math.min(bytes.length, this.bytesAtOnce, this.room);
    this.room -= fits;
    return nodeFileSystem.writeSync(file, bytes.subarray(0, fits), position);
  }
  release(): void {
    this.holdWrites = false;
    for (const write of this.held.splice(0)) write();
  }
}

const open = (disk: Writing, segmentBytes = 1_048_576, now?: () => number): Promise<OpenedStorage> => {
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    write: (file, bytes, position, done) => disk.write(file, bytes, position, done),
    writeSync: (file, bytes, position) => disk.writeSync(file, bytes, position),
  };
  return openFileStorage({ directory, segmentBytes, zeroAheadBytes: 4_096, fileSystem, ...(now && { now }) });
};
const ioError = (code: string): Error => Object.assign(new Error(`${code}: i/o error`), { code });

describe('a disk that fails', () => {
  it.each([
    ['write', { writeError: ioError('EIO') }, /^cannot write .*log-0000000001\.wal: EIO/],
    [
      'write for want of room',
      { writeError: ioError('ENOSPC') },
      /^cannot write .*log-0000000001\.wal: ENOSPC/,
    ],
    ['sync', { syncError: ioError('EIO') }, /^cannot write .*log-0000000001\.wal: EIO/],
  ])(
    'at a %s: names file and error once, acknowledges nothing any more, tries nothing again',
    async (_at, fault, message) => {
      const disk = new Faulty();
      const { storage } = await open(disk);
      const failures: Error[] = [];
      storage.onFailure((error) => failures.push(error));
      const acknowledged: string[] = [];
      const append = (text: string): void =>
        storage.append([record(text)], true, () => acknowledged.push(text));
      append('before');
      await eventually('the first acknowledgement', WITHIN_MS, () => acknowledged.length === 1);
      Object.assign(disk, fault);
      append('during');
      await eventually('the failure', WITHIN_MS, () => failures.length === 1);
      expect(failures).toHaveLength(1);
      expect(failures[0]!.message).toMatch(message);
      // The disk works again: a sync that failed says nothing about what it lost, so nothing may be trusted.
      Object.assign(disk, { writeError: null, syncError: null });
      const { writes } = disk;
      append('after');
      storage.append([record('silent')], false);
      await rest(50);
      expect(acknowledged).toEqual(['before']);
      expect(disk.writes).toBe(writes);
      expect(failures).toHaveLength(1);
      await storage.close();
    },
  );

  it('when a segment cannot be created: the same', async () => {
    const { storage } = await open(nodeFileSystem, 4_096);
    const failures: Error[] = [];
    storage.onFailure((error) => failures.push(error));
    const acknowledged: number[] = [];
    // The next segment's name is taken by something that is no file.
    rmSync(join(directory, 'log-0000000002.wal'), { force: true });
    mkdirSync(join(directory, 'log-0000000002.wal'));
    for (let i = 0; i < 40; i++) {
      storage.append([record(`${i}${'x'.repeat(200)}`)], true, () => acknowledged.push(i));
      await eventually(
        'a write ends or fails',
        WITHIN_MS,
        () => acknowledged.length > i || failures.length > 0,
        1,
      );
    }
    await rest(50);
    expect(failures).toHaveLength(1);
    expect(failures[0]!.message).toMatch(/^cannot create .*log-0000000002\.wal: EISDIR/);
    expect(acknowledged.length).toBeGreaterThan(5);
    expect(acknowledged.length).toBeLessThan(40);
    await storage.close();
    rmSync(join(directory, 'log-0000000002.wal'), { recursive: true });
    const again = await open(nodeFileSystem, 4_096);
    expect([...again.records].length).toBeGreaterThanOrEqual(acknowledged.length);
    await again.storage.close();
  });

  it('when there is no room for zeros ahead of the groups: what room is left is for groups', async () => {
    const disk = new Faulty();
    let now = 0;
    const { storage } = await open(disk, 1_048_576, () => now);
    const failures: Error[] = [];
    storage.onFailure((error) => failures.push(error));
    disk.zerosError = ioError('ENOSPC');
    const append = (): Promise<void> =>
      new Promise<void>((resolve, reject) => {
        storage.onFailure(reject);
        storage.append([record('x'.repeat(500))], true, resolve);
      });
    for (let i = 0; i < 19; i++) await append();
    expect(failures).toEqual([]);
    // Not once a group: it is a megabyte of zeros each time.
    expect(disk.zerosRefused).toBe(1);
    now = 10_000;
    await append();
    await eventually('zeros are tried again', WITHIN_MS, () => disk.zerosRefused === 2);
    await storage.close();
    const again = await open(nodeFileSystem);
    expect([...again.records]).toHaveLength(20);
    await again.storage.close();
  });

  it('when a snapshot cannot be written: the same, and the old snapshot stays', async () => {
    const { storage } = await open(nodeFileSystem);
    await new Promise<void>((done) => storage.writeSnapshot(shardId(0), slot(5), [Buffer.from('old')], done));
    const failures: Error[] = [];
    storage.onFailure((error) => failures.push(error));
    let done = false;
    const broken = function* (): Iterable<Uint8Array> {
      yield Buffer.from('half');
      throw new Error('ENOSPC: no space left on device');
    };
    storage.writeSnapshot(shardId(0), slot(9), broken(), () => (done = true));
    await eventually('the failure', WITHIN_MS, () => failures.length > 0);
    await turns();
    expect(done).toBe(false);
    expect(failures).toHaveLength(1);
    expect(failures[0]!.message).toMatch(/cannot write a snapshot of shard 0 in .*ENOSPC/);
    await storage.close();
    const again = await open(nodeFileSystem);
    expect([...again.snapshots]).toEqual([[0, 5]]);
    await again.storage.close();
  });
});

describe('a disk that writes less than it was given', () => {
  const bytes = Buffer.alloc(100_000, 7);
  const write = (storage: OpenedStorage['storage'], through: number): Promise<string> =>
    new Promise((resolve) => {
      storage.onFailure((error) => resolve(error.message));
      storage.writeSnapshot(shardId(0), slot(through), [bytes], () => resolve('written'));
    });
  const read = async (storage: OpenedStorage['storage']): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await storage.readSnapshot(shardId(0)))!.chunks) chunks.push(chunk);
    return Buffer.concat(chunks);
  };

  it('is given the rest: groups, segments and snapshots are whole', async () => {
    const disk = new Faulty();
    disk.bytesAtOnce = 1_000;
    const { storage } = await open(disk, 65_536);
    const texts = Array.from({ length: 40 }, (_, i) => `${i}${'x'.repeat(3_000)}`);
    for (const text of texts)
      await new Promise<void>((resolve) => storage.append([record(text)], true, resolve));
    expect(await write(storage, 5)).toBe('written');
    await storage.close();
    const again = await open(nodeFileSystem, 65_536);
    expect([...again.records].map(({ payload }) => Buffer.from(payload).toString())).toEqual(texts);
    expect(await read(again.storage)).toEqual(bytes);
    await again.storage.close();
  });

  it.each([
    ['has no more room', { room: 40_000 }, /the system wrote none of \d+ bytes/],
    [
      'claims to have written all of it',
      { keeps: 40_000 },
      /100024 bytes were written, and the file has 40024/,
    ],
  ])(
    'and %s: the old snapshot stays, nothing is acknowledged, the space is free',
    async (_what, fault, said) => {
      const disk = new Faulty();
      const { storage } = await open(disk);
      expect(await write(storage, 5)).toBe('written');
      Object.assign(disk, fault);
      expect(await write(storage, 9)).toMatch(said);
      expect(readdirSync(directory).filter((name) => name.startsWith('snapshot-'))).toEqual(['snapshot-0-5']);
      await storage.close();
      const again = await open(nodeFileSystem);
      expect([...again.snapshots]).toEqual([[0, 5]]);
      expect(await read(again.storage)).toEqual(bytes);
      await again.storage.close();
    },
  );
});

describe('group commit', () => {
  it('sends all that arrives while one write runs with the next one, and blocks nobody meanwhile', async () => {
    const disk = new Faulty();
    const { storage } = await open(disk);
    disk.holdWrites = true;
    const acknowledged: number[] = [];
    storage.append([record('first')], true, () => acknowledged.push(0));
    await eventually('the first write', WITHIN_MS, () => disk.held.length === 1);
    for (let i = 1; i <= 500; i++) {
      storage.append([record(`r${i}`)], true, () => acknowledged.push(i));
      if (i % 50 === 0) await turns(2);
    }
    await rest(20);
    // The loop went round all the time, and not one of them was acknowledged or sent.
    expect(acknowledged).toEqual([]);
    expect(disk.groups).toBe(1);
    disk.release();
    await eventually('all are acknowledged', WITHIN_MS, () => acknowledged.length === 501);
    expect(acknowledged).toEqual(Array.from({ length: 501 }, (_, i) => i));
    expect(disk.groups).toBe(2);
    await storage.close();
  });
});

describe('a file whose writes are durable', () => {
  it.each([
    ['of this system', nodeFileSystem],
    ['where a sync follows each write', syncingAfterwards()],
  ])('%s: holds what was written, and says what failed', async (_where, fileSystem) => {
    const path = join(directory, 'file');
    writeFileSync(path, 'before');
    const file = fileSystem.openSync(path, 'r+d');
    const write = (at: number): Promise<number> =>
      new Promise((resolve, reject) =>
        fileSystem.write(file, Buffer.from('after'), at, (error, written) =>
          error === null ? resolve(written) : reject(error),
        ),
      );
    expect(await write(6)).toBe(5);
    expect(readFileSync(path, 'utf8')).toBe('beforeafter');
    fileSystem.closeSync(file);
    await expect(write(0)).rejects.toThrow(/EBADF/);
  });

  (process.platform === 'linux' ? it : it.skip)('is the newest segment of the log', async () => {
    const { storage } = await open(nodeFileSystem);
    const flags = readdirSync('/proc/self/fd').flatMap((file) => {
      try {
        if (!readlinkSync(`/proc/self/fd/${file}`).startsWith(join(directory, 'log-'))) return [];
        return [/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'utf8'))![1]!];
      } catch {
        return [];
      }
    });
    expect(flags.map((octal) => Number.parseInt(octal, 8) & constants.O_DSYNC)).toEqual([constants.O_DSYNC]);
    await storage.close();
  });
});

describe('a data directory', () => {
  const owner = { clusterId: 'pJ0m3vVZQ5mB1yNwq0c9Tg', replicaId: 1 as never, shards: 8, formedWith: {} };

  it('is used by one process at a time', async () => {
    // The number of this very process counts as its own; that of another one that lives does not.
    writeFileSync(join(directory, 'lock'), `${process.ppid}\n`);
    await expect(open(nodeFileSystem)).rejects.toThrow(
      new RegExp(
        `is in use by process ${process.ppid}: stop it, or give each replica a directory of its own`,
      ),
    );
    // That one lives, but began at another time than the holder: its number was given out anew.
    writeFileSync(join(directory, 'lock'), `${process.ppid} 1\n`);
    if (process.platform === 'linux') await (await open(nodeFileSystem)).storage.close();
    writeFileSync(join(directory, 'lock'), '999999999\n');
    const again = await open(nodeFileSystem);
    await again.storage.close();
  });

  it('that cannot be written to says so', async () => {
    writeFileSync(join(directory, 'file'), '');
    const opening = openFileStorage({ directory: join(directory, 'file') });
    await expect(opening).rejects.toThrow(DataDirectoryError);
    await expect(opening).rejects.toThrow(/Give a directory that this user may write to/);
  });

  it('whose identity is damaged is refused', async () => {
    const { storage, incarnation } = await open(nodeFileSystem);
    const identity = { ...owner, incarnation: incarnation! };
    await storage.saveIdentity(identity);
    await storage.close();
    const path = join(directory, 'identity.json');
    const text = readFileSync(path, 'utf8');
    for (const damaged of [text.replace('"shards": 8', '"shards": 9'), text.slice(0, 20), '']) {
      writeFileSync(path, damaged);
      await expect(open(nodeFileSystem)).rejects.toThrow(/identity\.json cannot be read/);
    }
    writeFileSync(path, text);
    const again = await open(nodeFileSystem);
    expect(again.identity).toEqual(identity);
    await again.storage.close();
  });

  it('whose snapshot is damaged does not hand it out', async () => {
    const { storage } = await open(nodeFileSystem);
    const body = Buffer.from('the whole state');
    await new Promise<void>((done) => storage.writeSnapshot(shardId(2), slot(7), [body], done));
    await storage.close();
    const name = readdirSync(directory).find((each) => each.includes('snap'))!;
    const whole = readFileSync(join(directory, name));
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = damaged[at]! ^ 0x10;
      writeFileSync(join(directory, name), damaged);
      const read = (async () => {
        const opened = await open(nodeFileSystem);
        try {
          if (opened.condition.kind === 'corrupt') throw new Error('noticed');
          const found = (await opened.storage.readSnapshot(shardId(2)))!;
          for await (const chunk of found.chunks) expect(chunk.length).toBeGreaterThan(0);
        } finally {
          await opened.storage.close();
        }
      })();
      await expect(read).rejects.toThrow();
    }
  });
});
