import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { replicaId, shardId, slot, wallMs } from '../../../src/kernel/index.js';
import { encodeCommand } from '../../../src/machine/index.js';
import {
  backUpSurvivor,
  checkDirectory,
  openBackup,
  restoreBackup,
  survivor,
} from '../../../src/offline/index.js';
import { encodeRecord } from '../../../src/paxos/index.js';
import { readStoppedShard, recordsByShard } from '../../../src/replica/index.js';
import { HEADER_BYTES, MARKER_BYTES } from '../../../src/storage/format.js';
import { readStoppedDisk } from '../../../src/storage/index.js';
import { commit, GROUP, TOPIC } from '../../harness/commits.js';
import { opened, written } from '../../harness/data-directory.js';

let directory: string;
let data: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-recover-'));
  data = join(directory, 'survivor');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Accepted, and not known to be chosen. */
async function accept(offset: number): Promise<void> {
  const { lastSlot } = (await checkDirectory(data)).shards[0]!.state!;
  const { storage } = await opened(data);
  const payload = encodeCommand({ at: wallMs(5_000), command: commit(offset) });
  const record = encodeRecord({
    kind: 'accepted',
    ballot: { round: 9, priority: 1, replica: replicaId(2) },
    firstSlot: slot(lastSlot + 1),
    entries: [{ kind: 'command', payload }],
  });
  await new Promise<void>((done) => storage.append([{ shard: shardId(0), ...record }], true, done));
  await storage.close();
}

describe('the last survivor', () => {
  it('gives a new cluster all that it accepted, chosen or not, and is not changed', async () => {
    await written(data);
    await accept(4_711);
    const before = readFileSync(join(data, 'log-0000000001.wal'));
    const found = await survivor(data);
    expect(found.shards).toMatchObject([{ acceptedBeyond: 1, lastBallotOf: 2, groups: 1, offsets: 1 }]);
    const file = join(directory, 'backup');
    await backUpSurvivor(data, file, '0');
    expect(readFileSync(join(data, 'log-0000000001.wal'))).toEqual(before);
    const fresh = join(directory, 'fresh');
    const cluster = { clusterId: 'AAAAAAAAAAAAAAAAAAAAAA', at: wallMs(Date.now() + 1_000) };
    await restoreBackup(await openBackup(file), fresh, replicaId(1), cluster);
    const disk = readStoppedDisk(fresh);
    const records = recordsByShard([], 1)[0]!;
    const read = await readStoppedShard({
      self: replicaId(1),
      shard: shardId(0),
      shards: 1,
      records,
      storage: disk,
    });
    expect(read.machine.groups.committed(GROUP, TOPIC, 0)).toMatchObject({ offset: 4_711 });
    expect(disk.identity!.clusterId).not.toBe(found.clusterId);
  });

  it('is not taken when its log is damaged, or a replica runs on it', async () => {
    await written(data);
    const { storage } = await opened(data);
    await expect(survivor(data)).rejects.toThrow('is in use by');
    await storage.close();
    const log = join(data, 'log-0000000001.wal');
    const bytes = readFileSync(log);
    bytes[HEADER_BYTES + 2 * MARKER_BYTES + 30]! ^= 1;
    writeFileSync(log, bytes);
    await expect(survivor(data)).rejects.toThrow('its log is damaged');
    await expect(backUpSurvivor(data, join(directory, 'backup'), '0')).rejects.toThrow('its log is damaged');
    expect(existsSync(join(directory, 'backup'))).toBe(false);
  });
});
