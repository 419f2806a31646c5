import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { crc32c, replicaId, shardId, slot } from '../../src/kernel/index.js';
import { decodeRecord, encodeRecord, type HardRecord } from '../../src/paxos/index.js';
import type { DiskIdentity, LogRecord, OpenedStorage } from '../../src/replica/index.js';
import { HEADER_BYTES, MARKER, MARKER_BYTES, paddedBytes, writeRecord } from '../../src/storage/format.js';
import { openFileStorage } from '../../src/storage/index.js';
import { commit } from './commits.js';
import { SimulatedCluster } from './simulated-world.js';

const SELF = replicaId(1);
const SHARD = shardId(0);
export const INCARNATION = '00000000-0000-4000-8000-000000000001';

export const opened = (directory: string, uuid?: () => string): Promise<OpenedStorage> =>
  openFileStorage({ directory, segmentBytes: 65_536, zeroAheadBytes: 1_024, ...(uuid && { uuid }) });

/** A cluster of one replica that has committed, on disk in files: identity, a snapshot through slot 3, and the log. */
export async function written(directory: string): Promise<void> {
  const cluster = new SimulatedCluster({ replicas: 1, shards: 1 });
  await cluster.startAll();
  for (let offset = 1; offset <= 5; offset++) {
    cluster.any.submit(SHARD, commit(offset), () => undefined);
    await cluster.time.advance(20);
  }
  expect(cluster.fatal).toEqual([]);
  const disk = cluster.disks.get(SELF)!;
  const { storage } = await opened(directory, () => INCARNATION);
  await storage.saveIdentity({ ...disk.identity!, incarnation: INCARNATION, formedWith: { 1: INCARNATION } });
  const machine = cluster.any.peek(SHARD) as unknown as {
    snapshot(): Iterable<Uint8Array>;
    appliedThrough: number;
  };
  const through = slot(machine.appliedThrough);
  await new Promise<void>((done) => storage.writeSnapshot(SHARD, through, machine.snapshot(), done));
  await new Promise<void>((done) => storage.append(disk.synced, true, done));
  await storage.close();
}

/** What a replica on these files does: its standing, or why it does not run. */
export async function started(
  directory: string,
): Promise<{ readonly standing: string } | { readonly problem: string }> {
  const cluster = new SimulatedCluster({ replicas: 1, shards: 1 });
  try {
    const storage = await opened(directory);
    try {
      await cluster.start(SELF, { storage });
      await cluster.time.advance(100);
      const problem = cluster.fatal[0];
      return problem === undefined ? { standing: cluster.any.status().standing } : { problem };
    } finally {
      await storage.storage.close();
    }
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** Changes one record of the log and gives it, and all that follow, the checksums that belong to it. */
export function patchLog(directory: string, change: (record: HardRecord) => HardRecord | undefined): void {
  const path = join(directory, 'log-0000000001.wal');
  const bytes = readFileSync(path);
  let [at, chain, sequence, changed] = [HEADER_BYTES, 0, 1, false];
  while (bytes[at + 8] !== 0) {
    const length = bytes.readUInt32LE(at);
    const type = bytes[at + 8]!;
    const payload = Buffer.from(bytes.subarray(at + 16, at + 16 + length));
    const replaced = type === MARKER || changed ? undefined : change(decodeRecord(type, payload));
    const record: LogRecord = {
      shard: shardId(bytes.readUInt16LE(at + 10)),
      ...(replaced === undefined ? { type, payload } : encodeRecord(replaced)),
    };
    changed ||= replaced !== undefined;
    expect(record.payload).toHaveLength(length);
    chain = writeRecord(bytes, at, chain, sequence++, record);
    if (type === MARKER) bytes.copy(bytes, at + MARKER_BYTES, at, at + MARKER_BYTES);
    at += type === MARKER ? 2 * MARKER_BYTES : paddedBytes(length);
  }
  expect(changed).toBe(true);
  writeFileSync(path, bytes);
}

export function patchIdentity(directory: string, change: (identity: DiskIdentity) => object): void {
  const path = join(directory, 'identity.json');
  const { identity } = JSON.parse(readFileSync(path, 'utf8')) as { identity: DiskIdentity };
  const patched = change(identity);
  writeFileSync(
    path,
    JSON.stringify({ crc: crc32c(Buffer.from(JSON.stringify(patched))), identity: patched }),
  );
}

/** `at`: of the body, behind a header of 24 bytes. */
export function patchSnapshot(directory: string, through: number, at: number, add: number): void {
  const path = join(directory, `snapshot-0-${through}`);
  const bytes = readFileSync(path);
  bytes[24 + at]! += add;
  bytes.writeUInt32LE(crc32c(bytes.subarray(24)), 8);
  writeFileSync(path, bytes);
}

export async function snapshotThrough(directory: string): Promise<number> {
  const { storage, snapshots } = await opened(directory);
  await storage.close();
  return snapshots.get(SHARD)!;
}
