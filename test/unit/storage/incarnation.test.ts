import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { replicaId, shardId } from '../../../src/kernel/index.js';
import type { DiskIdentity, OpenedStorage } from '../../../src/replica/index.js';
import { HEADER_BYTES } from '../../../src/storage/format.js';
import { type FileSystem, nodeFileSystem, openFileStorage } from '../../../src/storage/index.js';

import { patchIdentity } from '../../harness/data-directory.js';
const LOG = 'log-0000000001.wal';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-incarnation-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (fileSystem: FileSystem = nodeFileSystem, at = directory): Promise<OpenedStorage> =>
  openFileStorage({ directory: at, segmentBytes: 2_048, zeroAheadBytes: 1_024, fileSystem });
const append = ({ storage }: OpenedStorage, text: string): Promise<void> =>
  new Promise((done) =>
    storage.append([{ shard: shardId(0), type: 1, payload: Buffer.from(text) }], true, done),
  );
const logs = (): string[] => readdirSync(directory).filter((name) => name.endsWith('.wal'));

/** A directory as a replica leaves it that has formed its cluster and written `groups` groups. */
async function formed(groups: number, at = directory): Promise<DiskIdentity> {
  const opened = await open(nodeFileSystem, at);
  const unformed = {
    clusterId: 'pJ0m3vVZQ5mB1yNwq0c9Tg',
    replicaId: replicaId(1),
    shards: 8,
    incarnation: opened.incarnation!,
    formedWith: {},
  };
  await opened.storage.saveIdentity(unformed);
  const identity = { ...unformed, formedWith: { 1: unformed.incarnation, 2: 'another' } };
  await opened.storage.saveIdentity(identity);
  for (let group = 0; group < groups; group++) await append(opened, `${group} ${'x'.repeat(200)}`);
  await opened.storage.close();
  return identity;
}

/** Starts twice: the first start ends before the replica has done anything with what it opened. */
async function startTwice(): Promise<{ readonly first: OpenedStorage; readonly second: OpenedStorage }> {
  const first = await open();
  await first.storage.close();
  const second = await open();
  await second.storage.close();
  return { first, second };
}

describe('a disk that has lost what it acknowledged', () => {
  const damages: Record<string, () => void> = {
    'a flipped byte': () => {
      const bytes = readFileSync(join(directory, LOG));
      bytes[HEADER_BYTES + 100]! ^= 1;
      writeFileSync(join(directory, LOG), bytes);
    },
    'a log of zeros': () => writeFileSync(join(directory, LOG), Buffer.alloc(1_024)),
    'a log cut to nothing': () => truncateSync(join(directory, LOG), 0),
    'a log cut behind its header': () => truncateSync(join(directory, LOG), HEADER_BYTES),
    'a log of zeros behind its header': () => {
      const bytes = readFileSync(join(directory, LOG));
      writeFileSync(join(directory, LOG), bytes.fill(0, HEADER_BYTES));
    },
    'no log': () => rmSync(join(directory, LOG)),
  };

  it.each(Object.entries(damages))(
    'by %s is another disk, and stays one after a start that failed',
    async (_by, damage) => {
      const before = await formed(2);
      damage();
      const { first, second } = await startTwice();
      expect(first.condition.kind).toBe('corrupt');
      for (const { identity } of [first, second]) {
        expect(identity).toMatchObject({ clusterId: before.clusterId, formedWith: before.formedWith });
        expect(identity!.incarnation).not.toBe(before.incarnation);
      }
    },
  );

  it('is another one as well when it came to its vote by a later change of the replicas', async () => {
    const { incarnation } = await formed(2);
    const opened = await open();
    const address = { host: 'localhost', port: 1 };
    const replicas = [{ id: replicaId(1), incarnation, peer: address, kafka: address, http: null }];
    const membership = {
      number: 1,
      disks: { 1: incarnation },
      replicas,
      quorums: { kind: 'majority' } as const,
    };
    await opened.storage.saveIdentity({ ...opened.identity!, membership });
    await opened.storage.close();
    // The cluster was formed with another disk of this replica.
    patchIdentity(directory, (identity) => ({ ...identity, formedWith: { 1: 'lost' } }));
    expect((await startTwice()).second.condition.kind).toBe('intact');
    damages['no log']!();
    const { first, second } = await startTwice();
    expect(first.condition.kind).toBe('corrupt');
    expect(second.identity!.incarnation).not.toBe(incarnation);
  });

  it('is renamed durably before its log is touched', async () => {
    await formed(2);
    damages['a flipped byte']!();
    const seen: string[][] = [];
    const watching: FileSystem = {
      ...nodeFileSystem,
      writeSync: (file, bytes, position) => {
        seen.push(logs());
        return nodeFileSystem.writeSync(file, bytes, position);
      },
    };
    await (await open(watching)).storage.close();
    expect(seen[0]).toEqual([LOG]);
    expect(seen.at(-1)).toEqual([]);
  });

  it('and cannot write a new identity, leaves the log as it is', async () => {
    await formed(2);
    damages['a flipped byte']!();
    const before = readFileSync(join(directory, LOG));
    await expect(open({ ...nodeFileSystem, writeSync: () => 0 })).rejects.toThrow('the system wrote none of');
    expect(readFileSync(join(directory, LOG))).toEqual(before);
    expect(logs()).toEqual([LOG]);
  });

  it('loses its log in part: the last segment is damaged', async () => {
    await formed(20);
    const last = logs().sort().at(-1)!;
    expect(last).not.toBe(LOG);
    truncateSync(join(directory, last), 0);
    expect((await startTwice()).first.condition).toMatchObject({
      kind: 'corrupt',
      file: join(directory, last),
    });
  });
});

describe('a disk that has lost nothing', () => {
  it('keeps its incarnation, though it has written nothing since it formed its cluster', async () => {
    const identity = await formed(0);
    const { first, second } = await startTwice();
    for (const opened of [first, second]) {
      expect(opened.condition).toEqual({ kind: 'intact', droppedBytes: 0 });
      expect(opened.identity).toEqual(identity);
    }
  });

  it('may be empty while its cluster is not formed: it has promised nothing', async () => {
    const opened = await open();
    await opened.storage.close();
    truncateSync(join(directory, LOG), 0);
    expect((await startTwice()).first.condition.kind).toBe('intact');
  });

  it('knows the segments of another disk, which hold what that one promised', async () => {
    await formed(2);
    const other = mkdtempSync(join(tmpdir(), 'quorate-incarnation-'));
    try {
      await formed(5, other);
      cpSync(join(other, LOG), join(directory, LOG));
    } finally {
      rmSync(other, { recursive: true });
    }
    const { first } = await startTwice();
    expect(first.condition).toMatchObject({
      kind: 'corrupt',
      detail: 'the segment was written by another data directory',
    });
  });
});

describe('an identity', () => {
  it('that was saved later stays, though the first one of a voter waits for its log', async () => {
    let later: Promise<void> | undefined;
    const slow: FileSystem = {
      ...nodeFileSystem,
      write: (file, bytes, position, done) => {
        // The group is on its way, and so does not count as missing any more.
        later ??= opened.storage.saveIdentity({ ...identity, levels: { 2: 3 } });
        nodeFileSystem.write(file, bytes, position, done);
      },
    };
    const opened = await open(slow);
    const incarnation = opened.incarnation!;
    const identity: DiskIdentity = {
      ...{ clusterId: 'pJ0m3vVZQ5mB1yNwq0c9Tg', replicaId: replicaId(1), shards: 8, incarnation },
      formedWith: { 1: incarnation, 2: 'another' },
    };
    await opened.storage.saveIdentity(identity);
    await later;
    await opened.storage.close();
    const again = await open();
    expect(again.identity).toMatchObject({ levels: { 2: 3 } });
    await again.storage.close();
  });
});
