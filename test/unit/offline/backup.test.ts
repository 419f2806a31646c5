import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { groupId, replicaId, shardId, slot, topicId, topicName, wallMs } from '../../../src/kernel/index.js';
import {
  type Command,
  createMachine,
  encodeCommand,
  type Machine,
  tokensFromNow,
} from '../../../src/machine/index.js';
import { BackupWriter, checkDirectory, openBackup, restoreBackup } from '../../../src/offline/index.js';
import { openFileStorage, readStoppedDisk } from '../../../src/storage/index.js';
import { commit, GROUP, TOPIC } from '../../harness/commits.js';

const SHARDS = 2;
const OLD = 'pJ0m3vVZQ5mB1yNwq0c9Tg';
const CLUSTER = { clusterId: 'AAAAAAAAAAAAAAAAAAAAAA', at: wallMs(Date.parse('2030-01-01T00:00:00Z')) };
const KEPT = topicId('00000000-0000-4000-8000-00000000000a');
const GONE = topicId('00000000-0000-4000-8000-00000000000b');

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-backup-'));
  file = join(directory, 'backup');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const STARTED = '2029-12-31T00:00:00.000Z';
function machineOf(shard: number, commands: readonly Command[]): Machine {
  const machine = createMachine({ shard: shardId(shard), shards: SHARDS });
  commands.forEach((command, index) =>
    machine.apply(slot(index + 1), encodeCommand({ at: wallMs(Date.parse(STARTED)), command })),
  );
  return machine;
}
const create = (name: string, newId: typeof KEPT): Command => ({
  kind: 'topic.create',
  name: topicName(name),
  newId,
  partitions: 4,
  partitionsMax: 100,
});
const START: readonly Command[] = [
  { kind: 'ends.start' },
  { kind: 'group.startTokens', from: tokensFromNow(wallMs(Date.parse('2029-01-01T00:00:00Z'))) },
];
/** Shard 1 still has offsets of a topic that shard 0 has deleted. */
const machines = (): readonly Machine[] => [
  machineOf(0, [
    ...START,
    create(TOPIC, KEPT),
    create('gone', GONE),
    { kind: 'topic.setEnds', name: TOPIC, ends: [{ partition: 0, offset: 5 }], back: true },
    { kind: 'topic.delete', name: topicName('gone'), id: topicId('') },
  ]),
  machineOf(1, [
    ...START,
    commit(9_007_199_254_740_993n, { topicId: KEPT }),
    commit(7, { topicId: KEPT, partition: 1 }),
    { ...commit(3), offsets: [{ ...commit(3, { topicId: GONE }).offsets[0]!, topic: topicName('gone') }] },
  ]),
];

async function write(of: readonly Machine[] = machines(), kind: 'online' | 'survivor' = 'online') {
  const head = { clusterId: OLD, shards: of.length, startedAt: STARTED, kind, version: '0' };
  const writer = await BackupWriter.create(file, head);
  for (const shard of [...of.keys()].reverse())
    await writer.shard({ shard, slot: of[shard]!.appliedThrough }, inParts(of[shard]!));
  return writer.finish('2029-12-31T00:00:01.000Z');
}
const inParts = (machine: Machine): AsyncIterable<Uint8Array> => Readable.from(machine.snapshot(16));
function* breakingOff(): Iterable<Uint8Array> {
  yield Buffer.alloc(5_000, 1);
  throw new Error('the leader moved');
}
async function restored(name = 'data', id = 1): Promise<string> {
  const data = join(directory, name);
  await restoreBackup(await openBackup(file), data, replicaId(id), CLUSTER);
  return data;
}

describe('a backup', () => {
  it('is read back as it was written', async () => {
    const backup = await write();
    expect(await openBackup(file)).toEqual(backup);
    expect(backup.shards.map(({ shard, slot: through }) => [shard, through])).toEqual([
      [0, 6],
      [1, 5],
    ]);
    expect(readdirSync(directory)).toEqual(['backup']);
  });

  it('takes a shard again that broke off, and leaves nothing behind when it is given up', async () => {
    const [zero, one] = machines() as [Machine, Machine];
    const head = { clusterId: OLD, shards: 2, startedAt: STARTED, kind: 'online', version: '0' } as const;
    const writer = await BackupWriter.create(file, head);
    const broken = (): AsyncIterable<Uint8Array> => Readable.from(breakingOff());
    await expect(writer.shard({ shard: 1, slot: 9 }, broken())).rejects.toThrow('the leader moved');
    await writer.shard({ shard: 1, slot: one.appliedThrough }, inParts(one));
    await writer.shard({ shard: 0, slot: zero.appliedThrough }, inParts(zero));
    const again = await writer.finish('2029-12-31T00:00:01.000Z');
    rmSync(file);
    expect(again.end.sha256).toBe((await write()).end.sha256);
    rmSync(file);
    const given = await BackupWriter.create(file, head);
    await expect(given.shard({ shard: 1, slot: 9 }, broken())).rejects.toThrow();
    await given.discard();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is refused with any byte changed, and at any length but its own', async () => {
    await write();
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 0x10;
      writeFileSync(file, bytes);
      await expect(openBackup(file)).rejects.toThrow();
      if (at % 7 !== 0) continue;
      writeFileSync(file, whole.subarray(0, at));
      await expect(openBackup(file)).rejects.toThrow();
    }
    writeFileSync(file, Buffer.concat([whole, Buffer.alloc(1)]));
    await expect(openBackup(file)).rejects.toThrow('there is more behind its end');
  });

  it('does not take the place of a file', async () => {
    await write();
    await expect(write()).rejects.toThrow('is there already');
  });
});

describe('a restored directory', () => {
  const machineIn = async (data: string, shard: number): Promise<Machine> => {
    const { restoreMachine } = await import('../../../src/machine/index.js');
    const { chunks } = (await readStoppedDisk(data).readSnapshot(shardId(shard)))!;
    const bytes: Uint8Array[] = [];
    for await (const chunk of chunks) bytes.push(chunk);
    return restoreMachine({ shard: shardId(shard), shards: SHARDS }, Buffer.concat(bytes));
  };

  it('keeps topics, offsets and ends, and nothing of a topic that was deleted', async () => {
    await write();
    const data = await restored();
    expect(await checkDirectory(data)).toMatchObject({ verdict: 'sound', start: { does: 'forms' } });
    const [zero, one] = [await machineIn(data, 0), await machineIn(data, 1)];
    expect(zero.topics.all()).toMatchObject([{ name: TOPIC, id: KEPT, partitions: 4 }]);
    expect([...one.groups.committedAll(GROUP)]).toMatchObject([
      { topic: TOPIC, partition: 0, offset: 9_007_199_254_740_993n },
      { topic: TOPIC, partition: 1, offset: 7 },
    ]);
    // The end was set back before shard 1 was told: what was committed beyond it counts no more.
    expect(one.ends.seen(KEPT, 0)).toEqual({ offset: 5, revision: 5 });
    expect(one.ends.seen(KEPT, 1)).toEqual({ offset: 7, revision: 0 });
    expect(one.ends.seen(GONE, 0)).toBeUndefined();
    expect(zero.pendingNotices(1)).toEqual([]);
  });

  it('gives tokens and generations above all that were given, and begins retention anew', async () => {
    const before = machines();
    await write(before);
    const one = await machineIn(await restored(), 1);
    const { groups, appliedThrough } = before[1]!;
    expect(one.groups.tokensFrom).toBeGreaterThanOrEqual(tokensFromNow(CLUSTER.at));
    expect(one.groups.tokensFrom).toBeGreaterThanOrEqual(groups.tokensFrom + appliedThrough);
    expect(one.groups.describe(GROUP)!.generation).toBe(groups.describe(GROUP)!.generation + 2 ** 20);
    expect([...one.groups.expirable(CLUSTER.at, 1_000)].filter((found) => found !== null)).toEqual([]);
    expect(
      [...one.groups.expirable(wallMs(CLUSTER.at + 1_000), 1_000)].filter((found) => found !== null),
    ).toHaveLength(2);
  });

  it('is the same on every replica, but for its name', async () => {
    await write();
    const [first, second] = [await restored('one', 1), await restored('two', 2)];
    for (const shard of [0, 1])
      expect([...(await machineIn(first, shard)).snapshot()]).toEqual([
        ...(await machineIn(second, shard)).snapshot(),
      ]);
    const [a, b] = [readStoppedDisk(first).identity!, readStoppedDisk(second).identity!];
    expect(a.restoredFrom).toBe(b.restoredFrom);
    expect(a.incarnation).not.toBe(b.incarnation);
    expect(a.formedWith).toEqual({});
  });

  it('keeps offsets of topics that a survivor does not know', async () => {
    await write(machines(), 'survivor');
    const one = await machineIn(await restored(), 1);
    expect([...one.groups.committedAll(GROUP)]).toHaveLength(3);
    expect(one.groups.has(groupId('billing'))).toBe(true);
  });

  it('is not made under the old cluster id, before the backup, or where something is', async () => {
    await write();
    const backup = await openBackup(file);
    const data = join(directory, 'data');
    const restore = (cluster: object) =>
      restoreBackup(backup, data, replicaId(1), { ...CLUSTER, ...cluster });
    await expect(restore({ clusterId: OLD })).rejects.toThrow('has an id of its own');
    await expect(restore({ at: wallMs(0) })).rejects.toThrow('correct the clock');
    await restored();
    await expect(restored()).rejects.toThrow('is not empty');
  });

  it('is not started on when the restore did not finish', async () => {
    await write();
    const data = await restored();
    writeFileSync(join(data, 'restore-unfinished'), '');
    await expect(openFileStorage({ directory: data })).rejects.toThrow('did not finish');
    expect(await checkDirectory(data)).toMatchObject({ verdict: 'refused' });
  });
});
