import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { replicaId, shardId, slot } from '../../../src/kernel/index.js';
import type { HardRecord } from '../../../src/paxos/index.js';
import { guardedStorage } from '../../../src/replica/guarded-storage.js';
import { type DiskIdentity, identityProblem } from '../../../src/replica/index.js';
import { ShardLog } from '../../../src/replica/shard-log.js';
import { blankDisk, type MemoryDisk, openMemoryStorage } from '../../../src/storage/index.js';
import {
  INCARNATION,
  patchIdentity,
  patchLog,
  patchSnapshot,
  snapshotThrough,
  started,
  written,
} from '../../harness/data-directory.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

jest.setTimeout(60_000);
const SELF = replicaId(1);
const SHARD = shardId(0);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-pairs-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Why a replica does not run on these files; undefined when it does. */
async function problem(): Promise<string | undefined> {
  const outcome = await started(directory);
  return 'problem' in outcome ? outcome.problem : undefined;
}

describe('a disk whose checksums are right', () => {
  it('is taken as it is when nothing was changed', async () => {
    await written(directory);
    expect(await problem()).toBeUndefined();
    patchLog(directory, (record) => record);
    patchIdentity(directory, (identity) => identity);
    patchSnapshot(directory, await snapshotThrough(directory), 1, 0);
    expect(await problem()).toBeUndefined();
  });

  it.each<[string, (record: HardRecord) => HardRecord | undefined, RegExp]>([
    [
      'values that leave slots out',
      (record) =>
        record.kind === 'accepted' && record.firstSlot === 2 ? { ...record, firstSlot: slot(90) } : undefined,
      /shard 0, record \d+: accepted\.firstSlot 90 is in 1\.\.\d+/,
    ],
    [
      'more chosen than accepted',
      (record) => (record.kind === 'chosen' ? { ...record, through: slot(100) } : undefined),
      /shard 0, record \d+: chosen\.through 100 is in 0\.\.\d+/,
    ],
  ])('stops the replica at a log with %s', async (_what, change, said) => {
    await written(directory);
    patchLog(directory, change);
    expect(await problem()).toMatch(said);
  });

  it.each<[string, number, number, RegExp]>([
    ['another shard', 1, 1, /the snapshot of shard 0 is not of shard 1/],
    ['another slot', 2, 1, /the snapshot of shard 0 through slot \d+ does not hold the state at slot \d+/],
  ])('stops the replica at a snapshot of %s', async (_what, at, add, said) => {
    await written(directory);
    patchSnapshot(directory, await snapshotThrough(directory), at, add);
    expect(await problem()).toMatch(said);
  });

  it.each<[string, (identity: DiskIdentity) => object, RegExp]>([
    [
      'shards',
      (identity) => ({ ...identity, shards: 0 }),
      /identity\.json cannot be read: shards is 0, not 1\.\.65535/,
    ],
    ['positions', (identity) => ({ ...identity, positions: { 1: -1 } }), /positions\.1 is -1/],
    [
      'formedWith',
      (identity) => ({ ...identity, formedWith: { 2: 'x' } }),
      /formedWith lacks this replica, 1/,
    ],
  ])('stops the replica at an identity whose %s are wrong', async (_field, change, said) => {
    await written(directory);
    patchIdentity(directory, change);
    expect(await problem()).toMatch(said);
  });
});

const IDENTITY: DiskIdentity = {
  clusterId: 'simulated-cluster-0000',
  replicaId: SELF,
  shards: 1,
  incarnation: INCARNATION,
  formedWith: { 1: INCARNATION, 2: 'another' },
  positions: { 2: 7 },
};

describe('what goes to the disk', () => {
  const disk = (): MemoryDisk => ({ ...blankDisk(), identity: IDENTITY });
  const guarded = async (of: MemoryDisk) =>
    guardedStorage(
      await openMemoryStorage({ disk: of, later: (sync) => void setImmediate(sync) }),
      (action) => action(),
    );

  it('is refused by the same checks: a record, a snapshot', async () => {
    const storage = await guarded(disk());
    const log = new ShardLog(SHARD, storage, [], slot(0));
    expect(() => log.append([{ kind: 'chosen', through: slot(1) }], true)).toThrow(
      'shard 0, record 1: chosen.through 1 is in 0..0',
    );
    const snapshot = await new Promise<Uint8Array>((resolve) => {
      const cluster = new SimulatedCluster({ replicas: 1, shards: 1 });
      void cluster.startAll().then(() => {
        const machine = cluster.any.peek(SHARD) as unknown as { snapshot(): Iterable<Uint8Array> };
        resolve(Buffer.concat([...machine.snapshot()]));
      });
    });
    expect(() => storage.writeSnapshot(SHARD, slot(9_999), [snapshot], () => undefined)).toThrow(
      'the snapshot of shard 0 through slot 9999 does not hold the state at slot',
    );
    expect(() => storage.writeSnapshot(shardId(5), slot(1), [snapshot], () => undefined)).toThrow(
      'the snapshot of shard 5 is not of shard 0',
    );
  });

  it.each<[string, Partial<DiskIdentity>]>([
    ['identity.clusterId stays', { clusterId: 'other' }],
    ['identity.shards stays', { shards: 2 }],
    ['identity.formedWith.2 stays', { formedWith: { 1: INCARNATION, 2: 'third' } }],
    ['identity.positions.2 grows from 7, not to 6', { positions: { 2: 6 } }],
  ])('is no identity that contradicts the one before: %s', async (said, change) => {
    const storage = await guarded(disk());
    expect(() => storage.saveIdentity({ ...IDENTITY, ...change })).toThrow(said);
    await storage.saveIdentity({ ...IDENTITY, positions: { 2: 8 } });
  });

  it.each<[string, object]>([
    ['clusterId is "", not a name', { clusterId: '' }],
    ['replicaId is -1, not an id', { replicaId: -1 }],
    ['incarnation is "", not a name', { incarnation: '' }],
    ['formedWith is missing', { formedWith: undefined }],
    ['formedWith.2 is 4, not an incarnation', { formedWith: { 1: 'x', 2: 4 } }],
    ['agreement.leaseMs is 3, not text', { agreement: { leaseMs: 3 } }],
    ['earlierLeaseMs is 0, not above 0', { earlierLeaseMs: 0 }],
    ['positions.3 is of a replica that formedWith lacks', { positions: { 3: 1 } }],
  ])('is no identity of which %s', (said, change) => {
    expect(identityProblem(IDENTITY)).toBeUndefined();
    expect(identityProblem({ ...IDENTITY, ...change })).toBe(said);
  });

  it('never goes back: neither the position of a disk', async () => {
    const of = disk();
    of.released = 5;
    const storage = await guarded(of);
    expect(storage.position()).toBe(5);
    of.released = 4;
    expect(() => storage.position()).toThrow('the position of the disk grows from 5, not to 4');
  });
});
